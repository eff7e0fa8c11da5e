use std::collections::BTreeSet;
use std::path::Path;

use weighhouse_journal::{Segment, segment_name};
use weighhouse_tasks::testing::TestKinds;
use weighhouse_types::{Epoch, Fields, Mark, Record};

use crate::Validator;
use crate::audit::{audit_with, check_records};
use crate::testing::{Behaviour, World};

const PERSONAS: [&str; 4] = ["honest", "wrong", "honest", "silent"];

async fn steps(world: &World, validator: &mut Validator) {
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
}

fn file(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join(segment_name(Epoch(0)))).expect("the epoch's file")
}

fn problems(records: &[Record]) -> Vec<String> {
    check_records((records, 0), &TestKinds).expect("auditable").problems
}

/// Verdicts as uid, stage and mark in billionths.
fn verdicts(records: &[Record]) -> Vec<(u16, u8, i64)> {
    let judged = records.iter().filter_map(|record| match record {
        Record::Judged(it) => Some((it.uid.0, it.stage, it.judgement.mark.billionths())),
        _ => None,
    });
    judged.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_divided_and_everybody_is_judged_by_the_own_part() {
    let dir = tempfile::tempdir().expect("a folder");
    let world = World::of_kind("divided", &PERSONAS.map(Behaviour::Plays)).await;
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    steps(&world, &mut validator).await;
    let file = file(dir.path());
    let records = Segment::read(&file).expect("a whole segment").into_records();
    let (max, min) = (Mark::MAX.billionths(), Mark::MIN.billionths());
    let round = [(1, 0, max), (2, 0, min), (3, 0, max), (4, 0, 0)];
    assert_eq!(verdicts(&records), [round; 3].concat());
    let own: BTreeSet<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::FollowUp(part) if part.stage == 0 => Some(part.request),
            _ => None,
        })
        .collect();
    assert_eq!(own.len(), 3 * PERSONAS.len(), "everybody is asked another part");
    let audited = audit_with(&file, &TestKinds).expect("auditable");
    assert_eq!((audited.problems, audited.not_rederived, audited.matches), (vec![], vec![], Some(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_another_division() {
    let dir = tempfile::tempdir().expect("a folder");
    let world = World::of_kind("divided", &PERSONAS.map(Behaviour::Plays)).await;
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    steps(&world, &mut validator).await;
    let records = Segment::read(&file(dir.path())).expect("a whole segment").into_records();
    assert_eq!(problems(&records), Vec::<String>::new());
    let falsified = |change: &dyn Fn(&mut Record)| {
        let mut records = records.clone();
        records.iter_mut().for_each(change);
        problems(&records)
    };
    let found = |problems: Vec<String>, what: &str| {
        assert!(problems.iter().any(|problem| problem.contains(what)), "{what}: {problems:?}");
    };
    let fewer = falsified(&|record| {
        if let Record::Asked(asked) = record {
            let mut among = asked.fields.asked_of().expect("divided");
            among.remove(0);
            asked.fields = Fields::of_those_asked(&among);
        }
    });
    found(fewer, "was divided among others");
    let none = falsified(&|record| {
        if let Record::Asked(asked) = record {
            asked.fields = Fields::default();
        }
    });
    found(none, "doesn't say whom it was divided among");
    let swapped = falsified(&|record| {
        if let Record::FollowUp(part) = record
            && part.stage == 0
        {
            part.who = records.iter().find_map(|record| match record {
                Record::FollowUp(other) if other.who != part.who => other.who,
                _ => None,
            });
        }
    });
    found(swapped, "the division gives another part");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_was_cut_off_asks_the_same_parts_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let world = World::of_kind("divided", &PERSONAS.map(Behaviour::Plays)).await;
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
    let mut step = Box::pin(validator.step());
    // The silent miner holds the first stage up; by then the parts are on record.
    tokio::select! {
        _ = &mut step => panic!("one miner is silent"),
        () = tokio::time::sleep(std::time::Duration::from_millis(300)) => {}
    }
    drop(step);
    drop(validator);
    let parts = |records: &[Record]| {
        let round_0 = records.iter().filter_map(|record| match record {
            Record::FollowUp(part) if (part.stage, part.round) == (0, 0) => Some((part.who, part.request)),
            _ => None,
        });
        round_0.collect::<BTreeSet<_>>()
    };
    let before = parts(&Segment::read(&file(dir.path())).expect("a whole segment").into_records());
    assert_eq!(before.len(), PERSONAS.len());
    let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened again");
    steps(&world, &mut validator).await;
    let file = file(dir.path());
    assert_eq!(parts(Segment::read(&file).expect("a whole segment").records()), before);
    let audited = audit_with(&file, &TestKinds).expect("auditable");
    assert_eq!((audited.problems, audited.matches), (vec![], Some(true)));
}
