use proptest::prelude::*;
use weighhouse_types::{Block, Epoch, Intent, RegistrationId, Uid, VerdictRecord};

use super::*;
use crate::fixture::{self, EPOCH, context, judged, policy_with, records, standing, who};

fn decide_on(context: &EpochContext, verdicts: &[VerdictRecord]) -> Decision {
    weigh(&records(context, verdicts)).expect("one epoch's records")
}

fn entries(decision: &Decision) -> Vec<(u16, u16)> {
    match decision {
        Decision::Weights { vector, .. } => {
            vector.entries().iter().map(|(uid, value)| (uid.0, *value)).collect()
        }
        Decision::Abstain { why, .. } => panic!("abstained: {why}"),
    }
}

fn abstained(decision: &Decision) -> Abstain {
    match decision {
        Decision::Abstain { why, .. } => *why,
        Decision::Weights { vector, .. } => panic!("published {vector:?}"),
    }
}

#[test]
fn weights_are_proportional_to_scores() {
    let context = context(3);
    let verdicts = [judged(1, 0, 1_000_000_000), judged(2, 0, 500_000_000), judged(3, 0, -500_000_000)];
    let decision = decide_on(&context, &verdicts);
    assert_eq!(entries(&decision), [(1, 65_535), (2, 32_768)]);
    let Decision::Weights { version_key, scores, .. } = decision else { unreachable!("it has entries") };
    assert_eq!(version_key, 3);
    assert_eq!(
        scores.iter().map(|scored| (scored.uid.0, scored.attempts)).collect::<Vec<_>>(),
        [(1, 1), (2, 1), (3, 1)]
    );
}

#[test]
fn zeros_reach_the_chains_least_length() {
    let mut context = context(2);
    context.state.hyperparameters.min_allowed_weights = 1024;
    let decision = decide_on(&context, &[judged(1, 0, 0), judged(2, 0, 5)]);
    assert_eq!(entries(&decision), [(0, 0), (1, 0), (2, 65_535)]);
}

#[test]
fn a_validator_that_judged_too_few_abstains() {
    let context = context(3);
    let why = abstained(&decide_on(&context, &[judged(1, 0, 5)]));
    assert_eq!(why.to_string(), "1 of 3 miners judged, the policy wants a share of 0.5");
    assert_eq!(entries(&decide_on(&context, &[judged(1, 0, 5), judged(2, 0, 0)])), [(1, 65_535)]);
}

#[test]
fn silent_miners_stop_nobody() {
    let context = context(4);
    let silent = |uid| {
        let reason =
            weighhouse_types::Reason::Silent { failure: weighhouse_types::Failure::DeadlineExceeded };
        crate::fixture::judged_because(uid, 0, 0, reason)
    };
    let decision = decide_on(&context, &[silent(1), silent(2), silent(3), judged(4, 0, 5)]);
    assert_eq!(entries(&decision), [(4, 65_535)]);
}

#[test]
fn nothing_earned_is_no_vector() {
    let verdicts = [judged(1, 0, 0), judged(2, 0, -5)];
    assert_eq!(abstained(&decide_on(&context(2), &verdicts)), Abstain::NothingEarned { scored: 2 });
    let mut lax = context(0);
    lax.policy = policy_with("min_miners", "0");
    assert_eq!(abstained(&decide_on(&lax, &[])), Abstain::NothingEarned { scored: 0 });
}

#[test]
fn too_few_miners_and_old_scores_are_no_vector() {
    let mut context = context(1);
    assert_eq!(
        abstained(&decide_on(&crate::fixture::context(0), &[])),
        Abstain::TooFewMiners { scored: 0, least: 1 }
    );
    context.policy = policy_with("min_miners", "2");
    assert_eq!(
        abstained(&decide_on(&context, &[judged(1, 0, 5)])),
        Abstain::TooFewMiners { scored: 1, least: 2 }
    );
    context.policy = policy_with("min_coverage", "0");
    context.carried = vec![standing(1, 5, 4)];
    assert_eq!(abstained(&decide_on(&context, &[])), Abstain::TooOld { max_age_epochs: 2 });
    context.carried = vec![standing(1, 5, 5)];
    assert_eq!(entries(&decide_on(&context, &[])), [(1, 65_535)]);
}

#[test]
fn a_limit_that_would_pay_a_zero_score_is_no_vector() {
    let mut context = context(2);
    context.state.hyperparameters.max_weights_limit = 6553;
    let why = abstained(&decide_on(&context, &[judged(1, 0, 5), judged(2, 0, 0)]));
    assert_eq!(why, Abstain::Conform { refusal: ConformError::PaysZero { uid: Uid(2), limit: 6553 } });
}

#[test]
fn a_vector_that_the_chain_would_refuse_is_not_published() {
    let mut context = context(2);
    context.state.hyperparameters.max_weights_limit = 13_107;
    let verdicts = [judged(1, 0, 5), judged(2, 0, 5)];
    assert_eq!(abstained(&decide_on(&context, &verdicts)), Abstain::OverLimit { limit: 13_107 });
    context.state.hyperparameters.max_weights_limit = 32_768;
    assert_eq!(entries(&decide_on(&context, &verdicts)), [(1, 65_535), (2, 65_535)]);
}

#[test]
fn records_that_are_not_one_epochs_are_refused() {
    let context = context(2);
    let verdict = || judged(1, 0, 5);
    let refusal = |verdicts: &[VerdictRecord]| weigh(&records(&context, verdicts)).expect_err("a refusal");
    let uid = Uid(1);
    let epoch = VerdictRecord { epoch: Epoch(6), ..verdict() };
    assert_eq!(refusal(&[epoch]), WeighError::WrongEpoch { uid, judged: Epoch(6), opened: EPOCH });
    assert_eq!(
        refusal(&[VerdictRecord { uid: Uid(3), ..verdict() }]),
        WeighError::UnknownUid { uid: Uid(3) }
    );
    let judged_as = verdict().who.hotkey;
    let moved = VerdictRecord { uid: Uid(2), ..verdict() };
    assert_eq!(refusal(&[moved]), WeighError::WrongRegistration { uid: Uid(2), judged: judged_as });
    let earlier =
        VerdictRecord { who: RegistrationId { registered_at: Block(9), ..verdict().who }, ..verdict() };
    assert_eq!(refusal(&[earlier]), WeighError::WrongRegistration { uid, judged: judged_as });
    assert_eq!(refusal(&[verdict(), verdict()]), WeighError::JudgedTwice { uid, round: 0 });

    assert_eq!(weigh(&[Record::Judged(verdict())]), Err(WeighError::NoContext));
    let mut twice = records(&context, &[]);
    twice.extend(records(&context, &[]));
    assert_eq!(weigh(&twice), Err(WeighError::SecondContext { first: EPOCH, second: EPOCH }));
}

#[test]
fn contexts_that_contradict_themselves_are_refused() {
    let refusal = |change: fn(&mut EpochContext)| {
        let mut context = context(2);
        change(&mut context);
        weigh(&records(&context, &[])).expect_err("a refusal")
    };
    let order = |context: &mut EpochContext| context.carried = vec![standing(2, 1, 6), standing(1, 1, 6)];
    assert!(matches!(refusal(order), WeighError::CarriedOrder { .. }));
    let future = |context: &mut EpochContext| context.carried = vec![standing(1, 1, EPOCH.0)];
    assert!(matches!(refusal(future), WeighError::CarriedFromFuture { judged_in: EPOCH, .. }));
    let neurons = |context: &mut EpochContext| context.state.metagraph.neurons.swap(1, 2);
    assert_eq!(refusal(neurons), WeighError::MetagraphOrder { uid: Uid(2), position: 1 });
    let policy = |context: &mut EpochContext| context.policy = policy_with("shape", "\"x\"");
    assert!(matches!(refusal(policy), WeighError::Policy(crate::PolicyError::Value { key: "shape", .. })));
}

#[test]
fn a_registration_that_departed_gets_nothing_and_does_not_count() {
    let context = context(3);
    let verdicts = [judged(1, 0, 1_000_000_000), judged(2, 0, 500_000_000)];
    let departed = |epoch, uids: &[u16]| {
        let who = uids.iter().map(|uid| who(*uid)).collect();
        let mut records = records(&context, &verdicts);
        records.insert(0, Record::Departed { epoch, block: Block(104), who });
        weigh(&records)
    };
    assert_eq!(entries(&departed(EPOCH, &[1]).expect("valid")), [(2, 65_535)]);
    let coverage = Coverage { judged: 0, miners: 1 };
    let all_gone = abstained(&departed(EPOCH, &[1, 2]).expect("valid"));
    assert!(
        matches!(all_gone, Abstain::Coverage { coverage: found, .. } if found == coverage),
        "{all_gone:?}"
    );
    let elsewhere = WeighError::DepartedElsewhere { departed: Epoch(6), opened: EPOCH };
    assert_eq!(departed(Epoch(6), &[1]), Err(elsewhere));
}

fn epochs() -> impl Strategy<Value = (EpochContext, Vec<VerdictRecord>)> {
    let marks =
        proptest::collection::vec(proptest::collection::vec(-1_000_000_000..=1_000_000_000_i64, 0..6), 1..9);
    let carried =
        proptest::collection::vec(proptest::option::of((-1_000_000_000..=1_000_000_000_i64, 3..7_u64)), 8);
    (marks, carried, any::<u16>(), 0..12_u16).prop_map(|(marks, carried, limit, least)| {
        let mut epoch = context(u16::try_from(marks.len()).expect("few"));
        epoch.policy = policy_with("min_coverage", "0.1");
        epoch.state.hyperparameters.max_weights_limit = limit;
        epoch.state.hyperparameters.min_allowed_weights = least;
        let carried = (1..)
            .zip(carried)
            .filter_map(|(uid, carried)| carried.map(|(mark, age)| standing(uid, mark, age)));
        epoch.carried = carried.collect();
        let verdicts = (1..).zip(&marks).flat_map(|(uid, marks)| {
            (0..).zip(marks).map(move |(round, mark)| judged(uid, round, *mark)).collect::<Vec<_>>()
        });
        let verdicts = verdicts.collect();
        (epoch, verdicts)
    })
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_matter(
        (context, verdicts, shuffled) in epochs().prop_flat_map(|(context, verdicts)| {
            (Just(context), Just(verdicts.clone()), Just(verdicts).prop_shuffle())
        }),
    ) {
        let given = decide_on(&context, &verdicts);
        let mut records = fixture::records(&context, &shuffled);
        records.reverse();
        let other = weigh(&records).expect("the same records");
        prop_assert_eq!(serde_json::to_vec(&given).expect("json"), serde_json::to_vec(&other).expect("json"));
        if let (Decision::Weights { vector, version_key, .. }, Decision::Weights { vector: other, .. }) = (&given, &other) {
            let id = |vector| Intent::digest(context.epoch, context.netuid, context.mechanism, vector, *version_key);
            prop_assert_eq!(id(vector), id(other));
        }
        prop_assert_eq!(closing(&fixture::records(&context, &verdicts)), closing(&fixture::records(&context, &shuffled)));
    }

    #[test]
    fn only_who_earned_it_is_paid_and_in_order((context, verdicts) in epochs()) {
        let Decision::Weights { vector, scores, .. } = decide_on(&context, &verdicts) else { return Ok(()) };
        for (uid, weight) in vector.entries() {
            let score = scores.iter().find(|scored| scored.uid == *uid).map_or(0, |scored| scored.score.billionths());
            prop_assert!(*weight == 0 || score > 0);
            for scored in &scores {
                prop_assert!(scored.score.billionths() > score || vector.get(scored.uid) <= *weight);
            }
        }
    }
}
