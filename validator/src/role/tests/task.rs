use std::sync::Arc;

use weighhouse_models::Builtin;
use weighhouse_tasks::Task;
use weighhouse_types::{Digest, Epoch};

use super::journal_file;
use crate::audit::{audit, audit_taken_over, opening};
use crate::parts::Parts;
use crate::role::Validator;
use crate::start::task_under_way;
use crate::testing::{Behaviour, World};

/// With a new task configured beside the one under way.
fn changed(world: &World, dir: &std::path::Path) -> Parts {
    let parts = world.parts(dir);
    let mut file = parts.task_file.clone();
    assert_eq!(task_under_way(&*parts.storage).as_ref(), Some(&file));
    file.extend(b"\n# another task, as its digest says\n");
    let task = Task::load(&file, &Builtin::Reference.bytes()).expect("a sound task");
    Parts { next_task: Some((file, Arc::new(task))), ..parts }
}

/// The tasks of the first epochs, whose files are without fault and name each other's beforehand.
fn tasks(dir: &std::path::Path, epochs: u64) -> Vec<Digest> {
    let files: Vec<_> = (0..epochs).map(|epoch| journal_file(dir, epoch)).collect();
    for file in &files {
        let audited = audit(file).expect("auditable");
        assert_eq!((audited.problems, audited.challenges), (Vec::new(), 3));
    }
    for pair in files.windows(2) {
        let found = audit_taken_over(&pair[0], &pair[1]).expect("compared");
        assert_eq!(found.problems, Vec::<String>::new());
        assert!(!found.changed.iter().any(|what| what.contains("unanchored")), "{:?}", found.changed);
    }
    let task = |file: &Vec<u8>| {
        let segment = weighhouse_journal::Segment::read(file).expect("a whole segment");
        Digest::of(&opening(segment.records()).expect("opened").task)
    };
    files.iter().map(task).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_changes_begins_once_a_closing_record_has_named_it_and_costs_no_epoch() {
    for is_closed in [false, true] {
        let world = World::new(&[Behaviour::Honest]).await;
        let dir = tempfile::tempdir().expect("a folder");
        let mut validator = Validator::open(world.parts(dir.path())).await.expect("opened");
        let mut has_changed = false;
        for block in 0..14 * 4 {
            validator.step().await.expect("a step");
            let open = validator.open.as_ref().expect("an epoch");
            let is_due = if is_closed { open.is_closed() } else { block == 5 };
            if !has_changed && is_due {
                assert_eq!((open.context().epoch, open.is_closed()), (Epoch(0), is_closed));
                drop(validator);
                validator = Validator::open(changed(&world, dir.path())).await.expect("opened again");
                has_changed = true;
            }
            world.ledger.produce_block().await.expect("a block");
        }
        let before = Digest::of(&world.parts(tempfile::tempdir().expect("a folder").path()).task_file);
        let tasks = tasks(dir.path(), 3);
        let is_before: Vec<_> = tasks.iter().map(|task| *task == before).collect();
        assert_eq!(is_before, [true, is_closed, false]);
        assert_ne!(tasks[2], before);
    }
}
