use std::collections::BTreeSet;
use std::path::Path;

use weighhouse_journal::Segment;
use weighhouse_tasks::{OnRecord, Task};
use weighhouse_types::{
    Block, CheckedMiner, EarlierChecks, Epoch, Mark, Neuron, OpenWalk, Outcome, RecentMarks, Record, Uid,
    VerdictRecord,
};

use crate::Validator;
use crate::audit::{audit, audit_taken_over, check_records};
use crate::checks::CheckHistory;
use crate::testing::{Behaviour, World};

/// Rounds of an epoch, which are as many as settle a newcomer.
const ROUNDS: u32 = 6;
const TERMS: &str = "newcomer_checks = 6";
/// Two blocks more than three epochs of 13 have.
const BLOCKS: u32 = 41;

/// The blocks of an epoch at which rounds are asked and their answers wait to be drawn for checks.
const ASKED: std::ops::RangeInclusive<u32> = 1..=9;

/// Runs three epochs, the validator opened anew at each block where it is to be and no answers wait; their files.
async fn epochs(behaviours: &[Behaviour], restarts: bool, dir: &Path) -> [Vec<u8>; 3] {
    let world = World::on_terms(TERMS, behaviours).await;
    let parts = || {
        let mut parts = world.parts(dir);
        parts.rounds.per_epoch = ROUNDS;
        parts.rounds.deadline = std::time::Duration::from_secs(30);
        parts
    };
    let mut validator = Validator::open(parts()).await.expect("opened");
    for block in 0..BLOCKS {
        validator.step().await.expect("a step");
        if restarts && !ASKED.contains(&(block % 13)) {
            drop(validator);
            validator = Validator::open(parts()).await.expect("opened again");
        }
        world.ledger.produce_block().await.expect("a block");
    }
    [0, 1, 2].map(|epoch| {
        std::fs::read(dir.join(weighhouse_journal::segment_name(Epoch(epoch)))).expect("the epoch's file")
    })
}

fn records(file: &[u8]) -> Vec<Record> {
    Segment::read(file).expect("a whole segment").into_records()
}

fn verdicts(records: &[Record], uid: u16) -> Vec<&VerdictRecord> {
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.uid == Uid(uid) => Some(judged),
        _ => None,
    });
    judged.collect()
}

fn outcomes(records: &[Record], uid: u16) -> BTreeSet<Outcome> {
    verdicts(records, uid).iter().map(|judged| judged.judgement.reasons[0].outcome()).collect()
}

fn earlier(records: &[Record]) -> &EarlierChecks {
    super::earlier(records).expect("taken over")
}

fn paid(file: &[u8]) -> BTreeSet<u16> {
    let vector = audit(file).expect("auditable").vector.expect("a vector");
    vector.entries().iter().filter(|(_, weight)| *weight > 0).map(|(uid, _)| uid.0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conviction_counts_in_its_epoch_and_makes_a_newcomer() {
    use Behaviour::{Honest, Turns};
    let mut seals = Vec::new();
    for restarts in [false, true] {
        let dir = tempfile::tempdir().expect("a folder");
        let files = epochs(&[Honest, Turns(7), Turns(7), Turns(7)], restarts, dir.path()).await;
        let [first, second, third] = [0, 1, 2].map(|epoch| records(&files[epoch]));
        assert_eq!(paid(&files[0]), BTreeSet::from([1, 2, 3, 4]), "nobody waits where nobody is settled");
        let accepted_all = BTreeSet::from([Outcome::Accepted]);
        (1..=4).for_each(|uid| assert_eq!(outcomes(&first, uid), accepted_all, "a newcomer is checked"));
        assert!(earlier(&second).miners.iter().all(|miner| miner.accepted == u64::from(ROUNDS)));

        let convicted = |records: &[Record], uid: u16| outcomes(records, uid).contains(&Outcome::Convicted);
        let caught: BTreeSet<u16> = (1..=4).filter(|uid| convicted(&second, *uid)).collect();
        assert!(!caught.is_empty() && !caught.contains(&1), "{caught:?}");
        assert!(outcomes(&second, 1).contains(&Outcome::Unchecked), "{:?}", outcomes(&second, 1));
        let all = BTreeSet::from([1, 2, 3, 4]);
        assert_eq!(
            paid(&files[1]),
            all.difference(&caught).copied().collect(),
            "not even for the answers before"
        );

        for uid in &caught {
            let who = verdicts(&second, *uid)[0].who;
            let (recent, walk) = (RecentMarks::default(), OpenWalk::default());
            let newcomer = CheckedMiner { who, accepted: 0, on_probation: true, recent, walk };
            assert!(earlier(&third).miners.contains(&newcomer));
            assert!(!outcomes(&third, *uid).contains(&Outcome::Unchecked), "checked as a newcomer");
            assert!(!paid(&files[2]).contains(uid));
        }
        for (before, after) in files.iter().zip(&files[1..]) {
            assert_eq!(audit_taken_over(before, after).expect("readable").problems, Vec::<String>::new());
        }
        for file in &files {
            assert_eq!(audit(file).expect("auditable").problems, Vec::<String>::new());
        }
        seals.push(files.map(|file| (paid(&file), earlier(&records(&file)).clone())));
    }
    assert_eq!(seals[0], seals[1], "restarts change nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_not_what_its_tokens_say_is_checked_in_every_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = epochs(&[Behaviour::Honest, Behaviour::Misspells(6)], false, dir.path()).await;
    let second = records(&files[1]);
    assert_eq!(outcomes(&second, 2), BTreeSet::from([Outcome::Malformed]), "settled, and none is spared");
    let marks = verdicts(&second, 2);
    assert!(marks.iter().all(|judged| judged.judgement.mark == Mark::ZERO), "{marks:?}");
    // No tokenizer is at hand, and none is needed.
    files.iter().for_each(|file| assert_eq!(audit(file).expect("auditable").problems, Vec::<String>::new()));
    assert_eq!(paid(&files[1]), BTreeSet::from([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_sees_checks_that_the_epoch_before_did_not_leave() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = epochs(&[Behaviour::Honest, Behaviour::Honest], false, dir.path()).await;
    let second = records(&files[1]);
    let problems = |change: &dyn Fn(&mut EarlierChecks)| {
        let mut records = second.clone();
        records.iter_mut().for_each(|record| {
            if let Record::EarlierChecks(earlier) = record {
                change(earlier);
            }
        });
        check_records((&records, 0), &OnRecord).expect("auditable").problems
    };
    assert_eq!(problems(&|_| {}), Vec::<String>::new());
    let other_terms = problems(&|earlier| earlier.newcomer_checks = 1);
    assert!(other_terms.iter().any(|problem| problem.contains("other terms")), "{other_terms:?}");
    let foreign = problems(&|earlier| earlier.miners[0].who.registered_at.0 += 1);
    assert!(foreign.iter().any(|problem| problem.contains("not registered")), "{foreign:?}");
    // An unchecked answer would be worth something else.
    let worse = problems(&|earlier| earlier.miners.iter_mut().for_each(|miner| miner.recent.push(Mark::MIN)));
    assert!(worse.iter().any(|problem| problem.contains("the judge says something else")), "{worse:?}");
    let mut known = second.clone();
    known.iter_mut().for_each(|record| {
        if let Record::CheckDraw(draw) = record {
            draw.beacon.block = Block(0);
        }
    });
    let known = check_records((&known, 0), &OnRecord).expect("auditable").problems;
    assert_eq!(
        known.iter().filter(|problem| problem.contains("is not the epoch's")).count(),
        ROUNDS as usize,
        "{known:?}"
    );
    let mut without = second.clone();
    without.retain(|record| !matches!(record, Record::EarlierChecks(_)));
    let without = check_records((&without, 0), &OnRecord).expect("auditable").problems;
    assert!(without.iter().any(|problem| problem.contains("not recorded")), "{without:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_task_pardons_nobody() {
    use Behaviour::{Honest, Turns};
    let dir = tempfile::tempdir().expect("a folder");
    let files = epochs(&[Honest, Turns(7), Turns(7), Turns(7)], false, dir.path()).await;
    let [second, third] = [1, 2].map(|epoch| records(&files[epoch]));
    let context = third.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context),
        _ => None,
    });
    let context = context.expect("opened");
    let mut changed = context.task.clone();
    changed.extend_from_slice(b"\n# changed\n");
    let task = Task::load(&changed, &OnRecord).expect("a task");
    let neurons = &context.state.metagraph.neurons;
    let left = CheckHistory::anew(&task, context.epoch, &second, neurons).expect("terms of newcomers");
    let waiting: BTreeSet<_> =
        left.miners.iter().filter(|miner| miner.on_probation).map(|miner| miner.who).collect();
    let convicted = (1..=4).filter(|uid| outcomes(&second, *uid).contains(&Outcome::Convicted));
    let convicted: BTreeSet<_> = convicted.map(|uid| verdicts(&second, uid)[0].who).collect();
    assert!(!convicted.is_empty() && waiting == convicted, "{waiting:?}");
    assert!(left.miners.iter().all(|miner| miner.accepted == 0));
    assert_eq!(left.miners.len(), 4, "the others are known, and don't wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_without_history_makes_those_wait_whom_the_others_do_not_pay() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = epochs(&[Behaviour::Honest, Behaviour::Honest], false, dir.path()).await;
    let first = records(&files[0]);
    let context = first.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context),
        _ => None,
    });
    let context = context.expect("opened");
    let task = Task::load(&context.task, &OnRecord).expect("a task");
    let mut neurons = context.state.metagraph.neurons.clone();
    let anew = |neurons: &[Neuron]| CheckHistory::anew(&task, Epoch(7), &[], neurons).expect("terms");
    assert!(anew(&neurons).miners.is_empty(), "nobody is paid yet");
    neurons[1].incentive = 9;
    let mut left = anew(&neurons);
    let who = neurons[2].registration();
    let waits = |left: &EarlierChecks, who| {
        left.miners.iter().find(|miner| miner.who == who).expect("registered").on_probation
    };
    assert!(left.miners.iter().all(|miner| miner.accepted == 0));
    assert!(waits(&left, who) && !waits(&left, neurons[1].registration()), "who is paid goes on being paid");
    assert!(left.make_newcomers_wait() && left.miners.is_sorted_by_key(|miner| miner.who));

    let mut is_waiting = |accepted, incentive| {
        left.miners.iter_mut().for_each(|miner| miner.accepted = accepted);
        neurons[2].incentive = incentive;
        let history = CheckHistory::new(&task, &[], Some(&left)).expect("a budget");
        let next = history.leave(&task, Epoch(8), &neurons).expect("terms");
        waits(&next, who)
    };
    assert!(is_waiting(3, 0) && is_waiting(2, 9), "unpaid by the others, or just come");
    assert!(!is_waiting(3, 9), "the others know it already");
}
