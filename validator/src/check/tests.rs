use std::path::Path;

use weighhouse_journal::Segment;
use weighhouse_tasks::OnRecord;
use weighhouse_types::{Epoch, Failure, Mark, Reason, Record, Uid};

use crate::Validator;
use crate::audit::{audit, check_records};
use crate::testing::{Behaviour, World};

/// Runs an epoch of a world of completions, half-way from the journal again; its journal file.
async fn epoch(behaviours: &[Behaviour], rounds: u32, dir: &Path) -> Vec<u8> {
    epoch_restarted(behaviours, rounds, dir, |block| block == 5).await
}

async fn epoch_restarted(
    behaviours: &[Behaviour],
    rounds: u32,
    dir: &Path,
    restarts: impl Fn(u32) -> bool,
) -> Vec<u8> {
    let world = World::of_text(behaviours).await;
    let parts = || {
        let mut parts = world.parts(dir);
        parts.rounds.per_epoch = rounds;
        parts.rounds.deadline = std::time::Duration::from_secs(30);
        parts
    };
    let mut validator = Validator::open(parts()).await.expect("opened");
    for block in 0..14 {
        validator.step().await.expect("a step");
        if restarts(block) {
            drop(validator);
            validator = Validator::open(parts()).await.expect("opened again");
        }
        world.ledger.produce_block().await.expect("a block");
    }
    std::fs::read(dir.join(weighhouse_journal::segment_name(Epoch(0)))).expect("the epoch's file")
}

fn verdicts(records: &[Record], uid: u16) -> Vec<(Mark, Reason)> {
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(judged) if judged.uid == Uid(uid) => Some(&judged.judgement),
        _ => None,
    });
    judged.map(|judgement| (judgement.mark, judgement.reasons[0].clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_checked_until_sure_and_the_journal_alone_gives_every_verdict_back() {
    use Behaviour::{Cuts, Garbage, Gone, Honest, Repeats, Reseeds};
    let dir = tempfile::tempdir().expect("a folder");
    let file = epoch(&[Honest, Reseeds, Cuts, Garbage, Gone, Honest, Repeats(6)], 10, dir.path()).await;
    let segment = Segment::read(&file).expect("a whole segment");
    for uid in [1, 6] {
        let honest = verdicts(segment.records(), uid);
        assert_eq!(honest.len(), 10);
        assert!(honest.iter().all(|(mark, _)| *mark == Mark::MAX), "{honest:?}");
        let attested =
            |(_, reason): &&(Mark, Reason)| matches!(reason, Reason::Attested { tokens: 12, mean: 0 });
        // 12 tokens a check at odds of 0.8 each: two checks clear, and the rest is checked when it is drawn.
        assert!((2..9).contains(&honest.iter().filter(attested).count()), "{honest:?}");
        assert!(honest.iter().any(|(_, reason)| matches!(reason, Reason::Spared { tokens: 12 })));
    }
    let reseeded = verdicts(segment.records(), 2);
    assert!(reseeded.iter().all(|(mark, _)| *mark == Mark::MIN), "{reseeded:?}");
    assert!(matches!(reseeded[9].1, Reason::Convicted { .. }), "{reseeded:?}");
    let cut = verdicts(segment.records(), 3);
    assert!(cut.iter().all(|(mark, reason)| {
        *mark == Mark::ZERO && matches!(reason, Reason::Contradicts { token: 5, .. })
    }));
    assert_eq!(verdicts(segment.records(), 4)[0].1, Reason::Silent { failure: Failure::Undecodable });
    assert_eq!(verdicts(segment.records(), 5)[0].1, Reason::Silent { failure: Failure::Unreachable });

    // Cleared it was, but the first answer that it gave before is looked at, whether the draw falls on it or not.
    let repeated = verdicts(segment.records(), 7);
    assert!(repeated[..6].iter().all(|(mark, _)| *mark == Mark::MAX), "{repeated:?}");
    assert!(repeated[6..].iter().all(|(mark, _)| *mark == Mark::MIN), "{repeated:?}");

    // No model is at hand, and none is needed.
    let audited = audit(&file).expect("auditable");
    assert_eq!(audited.problems, Vec::<String>::new());
    assert_eq!((audited.verdicts, audited.matches), (70, Some(true)));
    let spent = segment.records().iter().filter(|record| matches!(record, Record::Evidence(_))).count();
    assert!(spent < 30, "{spent} checks of 50 answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_validator_knows_what_was_said_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = epoch_restarted(&[Behaviour::Repeats(6)], 10, dir.path(), |_| true).await;
    let segment = Segment::read(&file).expect("a whole segment");
    let repeated = verdicts(segment.records(), 1);
    assert!(repeated[..6].iter().all(|(mark, _)| *mark == Mark::MAX), "{repeated:?}");
    assert!(repeated[6..].iter().all(|(mark, _)| *mark == Mark::MIN), "{repeated:?}");
    assert_eq!(audit(&file).expect("auditable").problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_sees_a_verdict_that_the_evidence_does_not_give() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = epoch(&[Behaviour::Honest, Behaviour::Reseeds], 3, dir.path()).await;
    let records = Segment::read(&file).expect("a whole segment").into_records();
    let tampered = |change: &dyn Fn(&mut Record)| {
        let mut records = records.clone();
        records.iter_mut().for_each(change);
        check_records((&records, 0), &OnRecord).expect("auditable").problems
    };
    assert_eq!(tampered(&|_| {}), Vec::<String>::new());
    let praised = tampered(&|record| {
        if let Record::Judged(judged) = record {
            judged.judgement.mark = Mark::MAX;
        }
    });
    assert_eq!(praised.len(), 3, "{praised:?}");
    let miscounted = tampered(&|record| {
        if let Record::Evidence(evidence) = record {
            evidence.bins = vec![12, 0];
        }
    });
    assert!(miscounted.iter().any(|problem| problem.contains("other bins")), "{miscounted:?}");
    let unchecked = tampered(&|record| {
        if let Record::Evidence(evidence) = record {
            evidence.challenge.0[0] ^= 1;
        }
    });
    assert!(unchecked.iter().any(|problem| problem.contains("was not asked")), "{unchecked:?}");
}
