use weighhouse_types::{Block, Intent, IntentUpdate, MechId, Netuid, VerdictRecord};

use super::*;
use crate::fixture::{context, judged, records};

/// Three epochs in which uid 1 gets worse and uid 2 better, each carrying in what the one before left.
fn journal(policy: &str) -> Vec<Vec<Record>> {
    let mut epochs = Vec::new();
    let mut carried = Closing { standings: Vec::new(), trails: Vec::new() };
    for (at, (one, two)) in [(0.9, 0.3), (0.6, 0.6), (0.2, 0.9)].into_iter().enumerate() {
        let mut context = context(2);
        context.epoch = Epoch(7 + at as u64);
        context.state.schedule.epoch = context.epoch;
        context.policy = policy.as_bytes().to_vec();
        context.carried = carried.standings.clone();
        let verdict =
            |uid, mark: f64| VerdictRecord { epoch: context.epoch, ..judged(uid, 0, (mark * 1e9) as i64) };
        let verdicts = [verdict(1, one), verdict(2, two)];
        let mut epoch = records(&context, &verdicts);
        if !carried.trails.is_empty() {
            epoch.push(Record::Trails { epoch: context.epoch, trails: carried.trails.clone() });
        }
        carried = crate::closing(&epoch).expect("one epoch's records");
        if let Decision::Weights { vector, .. } = crate::weigh(&epoch).expect("one epoch's records") {
            let id = Intent::digest(context.epoch, Netuid(1), MechId(0), &vector, 3);
            epoch.push(Record::Intent(Intent {
                id,
                epoch: context.epoch,
                netuid: Netuid(1),
                mechanism: MechId(0),
                weights: vector,
                version_key: 3,
                supersedes: None,
            }));
            let state = IntentState::Published { block: Block(200) };
            epoch.push(Record::IntentUpdate(IntentUpdate { intent: id, epoch: context.epoch, state }));
        }
        epochs.push(epoch);
    }
    epochs
}

fn replay(mut replay: Replay, epochs: &[Vec<Record>]) -> Vec<ReplayedEpoch> {
    epochs.iter().map(|records| replay.epoch(records).expect("in order")).collect()
}

const WINDOW: &str =
    "version = 2\n[average]\nkind = \"window\"\nepochs = 2\n[significance]\nstandard_errors = 0.1";

#[test]
fn the_recorded_policy_gives_what_was_published_carried_or_not() {
    for policy in [crate::fixture::POLICY, WINDOW, crate::policy::DEFAULT_POLICY] {
        let epochs = journal(policy);
        let recorded = replay(Replay::recorded(), &epochs);
        let carried = replay(Replay::under(Policy::parse(policy.as_bytes()).expect("valid")), &epochs);
        assert_eq!(recorded, carried);
        for epoch in recorded {
            assert_eq!(epoch.matches, epoch.intended.is_some().then_some(true));
            assert_eq!(epoch.published, epoch.intended.is_some());
        }
    }
}

#[test]
fn another_policy_carries_its_own_averages() {
    let epochs = journal(WINDOW);
    let newest_only = Policy::parse(b"version = 2\n[average]\nhalf_life = 0.0").expect("valid");
    let other = replay(Replay::under(newest_only), &epochs);
    let share = |at: usize| {
        other[at].shares().iter().map(|(_, _, share)| (share * 100.0).round()).collect::<Vec<_>>()
    };
    assert_eq!((share(0), share(1), share(2)), (vec![75.0, 25.0], vec![50.0, 50.0], vec![18.0, 82.0]));
    assert_eq!(other[2].matches, Some(false));
}

#[test]
fn epochs_must_come_in_order() {
    let epochs = journal(WINDOW);
    let mut replay = Replay::recorded();
    replay.epoch(&epochs[1]).expect("the first one seen");
    let error = ReplayError::Order { before: Epoch(8), after: Epoch(7) };
    assert_eq!(replay.epoch(&epochs[0]), Err(error));
}
