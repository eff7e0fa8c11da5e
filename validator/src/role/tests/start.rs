use weighhouse_journal::{Identity, Segment, SegmentHeader, sealed};
use weighhouse_seams::DirStorage;
use weighhouse_types::{Hotkey, Record, Standing};

use super::journal_file;
use crate::audit::{STARTED, audit, audit_taken_over};
use crate::role::Validator;
use crate::start::{Start, StartError};
use crate::testing::{Behaviour, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_validator_begins_with_the_averages_that_another_s_epoch_left() {
    let world = World::new(&[Behaviour::Honest, Behaviour::Garbage]).await;
    let (theirs, own) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut other = Validator::open(world.parts(theirs.path())).await.expect("opened");
    for _ in 0..14 * 2 {
        other.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    drop(other);
    let before = journal_file(theirs.path(), 0);
    let start = Start::of(&before).expect("a start");
    assert!(!start.standings.is_empty());
    let storage = DirStorage::open(own.path()).expect("a folder");
    start.write(&storage).expect("written");
    drop(storage);
    let mut validator = Validator::open(world.parts(own.path())).await.expect("opened");
    validator.step().await.expect("a step");
    let open = validator.open.as_ref().expect("an epoch").context().clone();
    assert_eq!(
        (open.carried.clone(), open.fields.started_from()),
        (start.standings.clone(), Some(start.from))
    );
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    drop(validator);
    // It goes on from its own epochs now, and takes no other start.
    let storage = DirStorage::open(own.path()).expect("a folder");
    assert!(matches!(start.write(&storage), Err(StartError::HasEpochs)));
    let file = journal_file(own.path(), open.epoch.0);
    let audited = audit(&file).expect("auditable");
    assert_eq!(audited.problems, Vec::<String>::new());
    assert!(audited.on_trust.iter().any(|what| what.starts_with(STARTED)), "{:?}", audited.on_trust);

    // Another hotkey's journal: the same records under its name, so that the start is another validator's.
    let segment = Segment::read(&file).expect("a whole segment");
    let (header, records) = (*segment.header(), segment.into_records());
    let validator = Hotkey([9; 32]);
    let of_another = |carried: Vec<Standing>| {
        let identity = Identity { validator, ..header.identity };
        let mut records = records.clone();
        records.retain(|record| matches!(record, Record::EpochOpened(_) | Record::Trails { .. }));
        if let Some(Record::EpochOpened(context)) = records.first_mut() {
            (context.validator, context.carried) = (validator, carried);
        }
        sealed(SegmentHeader { identity, ..header }, &records)
    };
    let shown = |file: &[u8]| {
        let found = audit_taken_over(&before, file).expect("compared");
        (found.is_start, found.problems.len())
    };
    assert_eq!(shown(&of_another(start.standings.clone())), (true, 0));
    assert_eq!(shown(&of_another(Vec::new())), (true, 1));
}
