use std::path::Path;

use weighhouse_journal::{Segment, segment_name};
use weighhouse_tasks::testing::TestKinds;
use weighhouse_types::{ChallengePhase, Epoch, Mark, Record, Uid, VerdictRecord};

use crate::Validator;
use crate::audit::{audit_taken_over, audit_with, check_records};
use crate::testing::{Behaviour, World};

const BEHAVIOURS: [Behaviour; 3] = [Behaviour::Plays("honest"), Behaviour::Plays("wrong"), Behaviour::Gone];

/// Runs four epochs of forecasts, opening the journal anew at every block where `restarts`.
async fn run(dir: &Path, restarts: bool) {
    let world = World::of_kind("later", &BEHAVIOURS).await;
    let mut validator = Validator::open(world.parts(dir)).await.expect("opened");
    for _ in 0..14 * 4 {
        validator.step().await.expect("a step");
        if restarts {
            drop(validator);
            validator = Validator::open(world.parts(dir)).await.expect("opened again");
        }
        world.ledger.produce_block().await.expect("a block");
    }
}

fn file(dir: &Path, epoch: u64) -> Vec<u8> {
    std::fs::read(dir.join(segment_name(Epoch(epoch)))).expect("the epoch's file")
}

fn records(dir: &Path, epoch: u64) -> Vec<Record> {
    Segment::read(&file(dir, epoch)).expect("a whole segment").into_records()
}

fn judged(records: &[Record]) -> Vec<&VerdictRecord> {
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) => Some(judged),
        _ => None,
    });
    judged.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecast_is_judged_two_epochs_later_by_that_epochs_file_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), true).await;
    // Only who gave no answer is judged at once.
    for epoch in 0..2 {
        let records = records(dir.path(), epoch);
        assert!(
            judged(&records).iter().all(|judged| judged.uid == Uid(3) && judged.judgement.mark == Mark::ZERO)
        );
        assert_eq!(judged(&records).len(), 3);
    }
    let carried = |epoch| {
        let records = records(dir.path(), epoch);
        records.iter().filter(|record| matches!(record, Record::CarriedChallenge(_))).count()
    };
    assert_eq!([0, 1, 2, 3].map(carried), [0, 3, 6, 6]);
    let records = records(dir.path(), 2);
    let later: Vec<_> = judged(&records).into_iter().filter(|judged| judged.asked_in == Epoch(0)).collect();
    let marks: Vec<_> = later.iter().map(|judged| (judged.uid.0, judged.judgement.mark)).collect();
    let each = [(1, Mark::MAX), (2, Mark::MIN)];
    assert_eq!(marks, [each, each, each].concat());

    for epoch in 0..4 {
        let audited = audit_with(&file(dir.path(), epoch), &TestKinds).expect("auditable");
        assert_eq!((audited.problems, audited.not_rederived), (vec![], vec![]), "epoch {epoch}");
        let is_weighed = epoch >= 2;
        assert_eq!(audited.vector.is_some(), is_weighed, "epoch {epoch}: {:?}", audited.abstains);
        assert_eq!(audited.matches, is_weighed.then_some(true), "epoch {epoch}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_of_two_files_finds_a_challenge_that_was_left_out_in_between() {
    let (dir, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    run(dir.path(), false).await;
    run(other.path(), false).await;
    let problems =
        |after: &Path| audit_taken_over(&file(dir.path(), 0), &file(after, 1)).expect("readable").problems;
    assert_eq!(problems(dir.path()), Vec::<String>::new());
    // The same challenges, answered otherwise.
    let mut problems = problems(other.path());
    assert!(problems.remove(0).contains("log"), "another journal has another log");
    let (left_out, added) = problems.split_at(3);
    assert!(left_out.iter().all(|problem| problem.contains("was not taken over")), "{left_out:?}");
    assert!(added.iter().all(|problem| problem.contains("the epoch before doesn't have")), "{added:?}");
    assert_eq!(added.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_another_truth_a_verdict_left_out_and_an_early_lapse() {
    let dir = tempfile::tempdir().expect("a folder");
    run(dir.path(), false).await;
    let records = records(dir.path(), 2);
    let problems = |records: &[Record]| check_records((records, 0), &TestKinds).expect("auditable").problems;
    assert_eq!(problems(&records), Vec::<String>::new());

    // The truth of another challenge in place of its own.
    let mut swapped = records.clone();
    let truths: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::PhaseChange(change) => match change.phase {
                ChallengePhase::Resolved { truth } => Some(truth),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let mut others = truths.iter().cycle().skip(1);
    for record in &mut swapped {
        if let Record::PhaseChange(change) = record
            && let ChallengePhase::Resolved { truth } = &mut change.phase
        {
            *truth = *others.next().expect("a cycle has no end");
        }
    }
    assert!(problems(&swapped).iter().any(|problem| problem.contains("truth")), "{:?}", problems(&swapped));

    let is_honest = |record: &Record| matches!(record, Record::Judged(judged) if judged.uid == Uid(1) && judged.asked_in == Epoch(0));
    let left_out: Vec<_> = records.iter().filter(|record| !is_honest(record)).cloned().collect();
    let left_out = problems(&left_out);
    assert!(left_out.iter().any(|problem| problem.contains("never got a verdict")), "{left_out:?}");

    let mut lapsed = records;
    for record in &mut lapsed {
        if let Record::PhaseChange(change) = record
            && matches!(change.phase, ChallengePhase::Resolved { .. })
        {
            change.phase = ChallengePhase::Lapsed { why: "nobody asked".to_owned() };
        }
    }
    assert!(
        problems(&lapsed).iter().any(|problem| problem.contains("before its time")),
        "{:?}",
        problems(&lapsed)
    );
}
