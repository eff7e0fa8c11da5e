//! A validator moved in the middle of a running economy, and files that are no export's.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use weighhouse_chain::{Chain, Event};
use weighhouse_seams::DirStorage;
use weighhouse_types::{Block, Hotkey, MechId, Netuid, Uid};

use super::*;
use crate::audit::{audit, audit_taken_over};
use crate::error::ValidatorError;
use crate::role::Validator;
use crate::testing::{Behaviour, NETUID, World, validator};

const BLOCKS: usize = 40;

fn storage(dir: &Path) -> Arc<dyn Storage> {
    Arc::new(DirStorage::open(dir).expect("a folder of our own"))
}

fn expected(world: &World) -> Expected {
    let genesis = Some(world.ledger.genesis());
    Expected { validator: validator().hotkey(), netuid: NETUID, mechanism: MechId(0), genesis }
}

fn exported(world: &World, dir: &Path) -> (Vec<u8>, Carried) {
    let mut file = Vec::new();
    let carried = export(storage(dir), &expected(world), "moved.weighhouse", &mut file).expect("exported");
    (file, carried)
}

async fn run(world: &World, dir: &Path, blocks: usize) {
    let mut validator = Validator::open(world.parts(dir)).await.expect("opened");
    for _ in 0..blocks {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
}

/// A subnet whose weights are hidden, or not.
async fn world(hidden: bool) -> World {
    let world = World::new(&[Behaviour::Honest, Behaviour::Gone]).await;
    if hidden {
        crate::publish::tests::owner_sets(&world, |rules| rules.commit_reveal_weights_enabled = true).await;
    }
    world
}

/// The blocks in which weights were set or committed to, or hidden ones revealed.
async fn publications(world: &World) -> Vec<(u64, &'static str)> {
    let head = world.ledger.head().await.expect("a head").number;
    let mut found = Vec::new();
    for block in 1..=head.0 {
        for event in world.ledger.events(Block(block)).await.expect("events") {
            found.extend(match event {
                Event::WeightsSet { .. } => Some((block, "set")),
                Event::TimelockedWeightsCommitted { .. } => Some((block, "committed")),
                Event::TimelockedWeightsRevealed { .. } => Some((block, "revealed")),
                _ => None,
            });
        }
    }
    found
}

fn file(dir: &Path, epoch: Epoch) -> Vec<u8> {
    std::fs::read(dir.join(segment_name(epoch))).expect("its file")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_was_moved_goes_on_where_it_was_and_publishes_no_epoch_twice() {
    for hidden in [false, true] {
        let stays = world(hidden).await;
        let dir = tempfile::tempdir().expect("a folder");
        run(&stays, dir.path(), BLOCKS).await;
        let undisturbed = publications(&stays).await;
        assert!(undisturbed.len() >= 3, "{undisturbed:?}");
        // In the middle of the rounds, right after an epoch was weighed, and between two epochs.
        for moved_at in [4, 8, 9, 12, 22] {
            let moves = world(hidden).await;
            let (old, new) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
            run(&moves, old.path(), moved_at).await;
            let (container, carried) = exported(&moves, old.path());
            let taken = import(&*storage(new.path()), &expected(&moves), &mut Cursor::new(&container));
            assert_eq!(taken.expect("imported"), carried);
            let refused = Validator::open(moves.parts(old.path())).await.expect_err("it was moved");
            assert!(matches!(refused, ValidatorError::Moved(MarkError::Moved { .. })), "{refused}");
            run(&moves, new.path(), BLOCKS - moved_at).await;
            assert_eq!(publications(&moves).await, undisturbed, "moved at {moved_at}, hidden {hidden}");
            check_continuity(carried.high_water.epoch, old.path(), new.path());
        }
    }
}

/// The epoch that was open when it moved, and the one after, are whole and follow from each other and from those before.
fn check_continuity(moved_in: Epoch, old: &Path, new: &Path) {
    let [open, next] = [moved_in, moved_in.next()].map(|epoch| file(new, epoch));
    for bytes in [&open, &next] {
        assert_eq!(audit(bytes).expect("auditable").problems, Vec::<String>::new());
    }
    assert_eq!(audit_taken_over(&open, &next).expect("two epochs").problems, Vec::<String>::new());
    if moved_in > Epoch(0) {
        let before = file(old, Epoch(moved_in.0 - 1));
        assert_eq!(audit_taken_over(&before, &open).expect("two epochs").problems, Vec::<String>::new());
    }
    assert!(open.starts_with(&file(old, moved_in)), "it is appended to, and what it held is verbatim");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_truncated_foreign_and_older_files_are_refused_by_cause_and_change_nothing() {
    let world = world(true).await;
    let dir = tempfile::tempdir().expect("a folder");
    run(&world, dir.path(), 16).await;
    let (whole, _) = exported(&world, dir.path());
    let into = |bytes: &[u8], expected: &Expected| {
        let new = tempfile::tempdir().expect("a folder");
        let taken = import(&*storage(new.path()), expected, &mut Cursor::new(bytes));
        let names = storage(new.path()).list().expect("listed");
        assert!(taken.is_ok() || names == ["LOCK"], "{names:?}");
        taken
    };
    let ours = expected(&world);
    for position in (0..whole.len()).step_by(whole.len() / 97 + 1) {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        assert!(into(&damaged, &ours).is_err(), "byte {position} of {}", whole.len());
        assert!(into(&whole[..position], &ours).is_err(), "cut at {position} of {}", whole.len());
    }
    let refused = |bytes: &[u8], expected: &Expected| into(bytes, expected).expect_err("refused");
    assert!(matches!(refused(&whole[..whole.len() - 1], &ours), MovingError::CutShort));
    assert!(matches!(refused(&[&whole[..], b"x"].concat(), &ours), MovingError::Damaged(_)));
    assert!(matches!(refused(b"PAR1 and so on", &ours), MovingError::NoContainer));
    let mut older = whole.clone();
    older[8] = 0;
    assert!(matches!(refused(&older, &ours), MovingError::Version { found: 0 }));
    for (what, theirs) in [
        ("hotkey", Expected { validator: Hotkey([7; 32]), ..ours }),
        ("netuid", Expected { netuid: Netuid(9), ..ours }),
        ("mechanism", Expected { mechanism: MechId(1), ..ours }),
        ("genesis", Expected { genesis: Some(Digest::of(b"another")), ..ours }),
    ] {
        let error = refused(&whole, &theirs);
        assert!(matches!(error, MovingError::Foreign { what: told, .. } if told == what), "{error}");
    }
    assert!(into(&whole, &ours).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_exported_once_and_imported_into_an_empty_one_alone() {
    let world = world(false).await;
    let (dir, empty) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let nothing = export(storage(empty.path()), &expected(&world), "x", &mut Vec::new());
    assert!(matches!(nothing, Err(MovingError::NoJournal)));
    run(&world, dir.path(), 6).await;
    let others = Expected { netuid: Netuid(9), ..expected(&world) };
    let foreign = export(storage(dir.path()), &others, "x", &mut Vec::new());
    assert!(matches!(foreign, Err(MovingError::Foreign { what: "netuid", .. })));
    let (container, _) = exported(&world, dir.path());
    let again = export(storage(dir.path()), &expected(&world), "x", &mut Vec::new());
    assert!(matches!(again, Err(MovingError::Marked(MarkError::Moved { .. }))));
    let filled = import(&*storage(dir.path()), &expected(&world), &mut Cursor::new(&container));
    assert!(matches!(filled, Err(MovingError::HoldsJournal { .. })));
    std::fs::File::create(empty.path().join("notes.txt")).expect("a file");
    let other = import(&*storage(empty.path()), &expected(&world), &mut Cursor::new(&container));
    assert!(matches!(other, Err(MovingError::NotEmpty { .. })));
    take_back(&*storage(dir.path())).expect("taken back");
    assert!(matches!(take_back(&*storage(dir.path())), Err(MovingError::NotMoved { .. })));
    run(&world, dir.path(), 12).await;
    let stored = world.ledger.weights(NETUID, MechId(0), Uid(0)).await.expect("weights");
    assert_eq!(stored, [(Uid(1), u16::MAX)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_leaves_the_old_folder_as_it_was() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let world = world(false).await;
    let dir = tempfile::tempdir().expect("a folder");
    run(&world, dir.path(), 3).await;
    assert!(export(storage(dir.path()), &expected(&world), "x", &mut Full).is_err());
    run(&world, dir.path(), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cut_off_cannot_be_run_and_is_made_whole_by_importing_again() {
    let world = world(true).await;
    let (dir, new) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    // The second epoch's weights are committed to, and not revealed yet.
    run(&world, dir.path(), 22).await;
    let (container, carried) = exported(&world, dir.path());
    assert!(carried.epochs.len() > 1 && !carried.open_intents.is_empty(), "{carried:?}");
    // What a crash after the first file leaves.
    let first = segment_name(carried.epochs[0]);
    mark::set(&*storage(new.path()), &mark::Mark::Importing).expect("marked");
    storage(new.path()).write_atomic(&first, &file(dir.path(), carried.epochs[0])).expect("written");
    let refused = Validator::open(world.parts(new.path())).await.expect_err("not whole");
    assert!(matches!(refused, ValidatorError::Moved(MarkError::Importing { .. })), "{refused}");
    let taken = import(&*storage(new.path()), &expected(&world), &mut Cursor::new(&container));
    assert_eq!(taken.expect("imported"), carried);
    run(&world, new.path(), 4).await;
}
