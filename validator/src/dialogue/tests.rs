use std::path::Path;

use weighhouse_journal::{Segment, segment_name};
use weighhouse_tasks::testing::TestKinds;
use weighhouse_types::{Epoch, Failure, JointMember, Mark, Outcome, Reason, Record, Uid, VerdictRecord};

use crate::Validator;
use crate::audit::{audit_with, check_records};
use crate::testing::{Behaviour, World};

const PERSONAS: [&str; 6] = ["honest", "honest", "far", "withholding", "changing", "open"];

/// Runs an epoch of sealed guesses to its publication; its records.
async fn epoch(dir: &Path) -> Vec<u8> {
    let world = World::of_kind("sealed", &PERSONAS.map(Behaviour::Plays)).await;
    let mut validator = Validator::open(world.parts(dir)).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    file(dir)
}

fn file(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join(segment_name(Epoch(0)))).expect("the epoch's file")
}

fn judged(records: &[Record], round: u32) -> Vec<&VerdictRecord> {
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.round == round => Some(judged),
        _ => None,
    });
    judged.collect()
}

fn half() -> Mark {
    Mark::from_billionths(500_000_000).expect("in range")
}

fn problems(records: &[Record]) -> Vec<String> {
    check_records((records, 0), &TestKinds).expect("auditable").problems
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_committed_to_revealed_and_judged_together() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = epoch(dir.path()).await;
    let segment = Segment::read(&file).expect("a whole segment");
    for round in 0..3 {
        let verdicts = judged(segment.records(), round);
        let seen: Vec<_> =
            verdicts.iter().map(|judged| (judged.uid.0, judged.stage, judged.judgement.mark)).collect();
        // The guess that is far off moves the mean away from the others.
        let (half, zero) = (half(), Mark::ZERO);
        let stages = [(1, 1, half), (2, 1, half), (3, 1, zero), (4, 1, zero), (5, 1, zero), (6, 0, zero)];
        assert_eq!(seen, stages);
        let silent = Reason::Silent { failure: Failure::DeadlineExceeded };
        assert_eq!(verdicts[3].judgement.reasons, [silent]);
        assert!(
            verdicts[4..].iter().all(|judged| judged.judgement.reasons[0].outcome() == Outcome::Malformed)
        );
        let joint = segment.records().iter().find_map(|record| match record {
            Record::JudgedTogether(joint) if joint.round == round => Some(joint.members.clone()),
            _ => None,
        });
        let member = |at: usize| JointMember { challenge: verdicts[at].challenge, who: verdicts[at].who };
        let mut members = vec![member(0), member(1), member(2)];
        members.sort();
        assert_eq!(joint, Some(members));
    }
    let audited = audit_with(&file, &TestKinds).expect("auditable");
    assert_eq!((audited.problems, audited.not_rederived), (vec![], vec![]));
    // Two answers of each who reveals, one of those who stop earlier.
    assert_eq!((audited.verdicts, audited.answers, audited.matches), (18, 3 * 10, Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_cut_off_between_commit_and_reveal_goes_on_with_what_is_recorded() {
    let dir = tempfile::tempdir().expect("a folder");
    let world = World::of_kind("sealed", &PERSONAS.map(Behaviour::Plays)).await;
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    // The miners' commitments are durable as soon as the reveal is asked for: the process dies while it waits for reveals.
    let mut step = Box::pin(validator.step());
    tokio::select! {
        _ = &mut step => panic!("one miner withholds its reveal"),
        () = world.asked_to_reveal() => {}
    }
    drop(step);
    drop(validator);
    let before = Segment::read(&file(dir.path())).expect("a whole segment").into_records();
    assert!(before.iter().any(|record| matches!(record, Record::FollowUp(_))));
    assert!(judged(&before, 0).is_empty());

    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened again");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    let file = file(dir.path());
    let segment = Segment::read(&file).expect("a whole segment");
    let commits = segment.records().iter().filter(|record| {
        matches!(record, Record::Answered(answered) if answered.round == 0 && answered.uid == Uid(1))
    });
    assert_eq!(commits.count(), 1, "nobody commits twice");
    assert_eq!(judged(segment.records(), 0)[0].judgement.mark, half());
    let audited = audit_with(&file, &TestKinds).expect("auditable");
    assert_eq!((audited.problems, audited.matches), (vec![], Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_what_was_left_out_changed_or_never_asked() {
    let dir = tempfile::tempdir().expect("a folder");
    let records = Segment::read(&epoch(dir.path()).await).expect("a whole segment").into_records();
    assert_eq!(problems(&records), Vec::<String>::new());
    let falsified = |change: &dyn Fn(&mut Record)| {
        let mut records = records.clone();
        records.iter_mut().for_each(change);
        problems(&records)
    };
    let favoured = falsified(&|record| match record {
        Record::Judged(judged) if judged.uid == Uid(2) => judged.judgement.mark = Mark::MAX,
        _ => {}
    });
    assert!(favoured.iter().all(|problem| problem.contains("the judge says something else")), "{favoured:?}");
    assert_eq!(favoured.len(), 3);
    let left_out = falsified(&|record| {
        if let Record::JudgedTogether(joint) = record {
            joint.members.pop();
        }
    });
    assert!(
        left_out.iter().any(|problem| problem.contains("other answers were to be judged")),
        "{left_out:?}"
    );
    let without = |leave: &dyn Fn(&Record) -> bool| {
        let records: Vec<_> = records.iter().filter(|record| !leave(record)).cloned().collect();
        problems(&records)
    };
    let alone = without(&|record| matches!(record, Record::JudgedTogether(_)));
    assert!(alone.iter().any(|problem| problem.contains("judged alone")), "{alone:?}");
    let unasked = without(&|record| matches!(record, Record::FollowUp(_)));
    assert!(unasked.iter().any(|problem| problem.contains("was never asked")), "{unasked:?}");
    let unjudged = without(&|record| matches!(record, Record::Judged(judged) if judged.uid == Uid(1)));
    assert!(unjudged.iter().any(|problem| problem.contains("never got a verdict")), "{unjudged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_without_the_kind_checks_signatures_and_says_what_it_takes_on_trust() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = epoch(dir.path()).await;
    let audited = crate::audit::audit(&file).expect("auditable");
    assert_eq!((audited.problems, audited.answers, audited.matches), (vec![], 30, Some(true)));
    assert!(audited.not_rederived.iter().any(|said| said.contains("sealed")), "{:?}", audited.not_rederived);
    let mut records = Segment::read(&file).expect("a whole segment").into_records();
    for record in &mut records {
        if let Record::Judged(judged) = record
            && let Some(exchange) = &mut judged.exchange
        {
            exchange.signature[9] ^= 1;
        }
    }
    let audited = check_records((&records, 0), &weighhouse_tasks::OnRecord).expect("auditable");
    // Five answers a round, and the receipts of all.
    assert_eq!(audited.problems.len(), 16, "{:?}", audited.problems);
}
