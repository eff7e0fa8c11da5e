use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use weighhouse_journal::{Segment, segment_name};
use weighhouse_tasks::Task;
use weighhouse_tasks::witness::{Claim, TeacherForced, Testimony, Witness, WitnessError};
use weighhouse_types::{Digest, Epoch, Record, VoidCause};

use crate::Validator;
use crate::audit::audit;
use crate::testing::{Behaviour, World, language_model, text_task};

/// A reference whose server is away when it is asked for the second time.
#[derive(Debug)]
struct AwayOnce {
    witness: TeacherForced<weighhouse_models::language::LanguageModel>,
    asked: AtomicU32,
}

impl Witness for AwayOnce {
    fn digest(&self) -> Digest {
        self.witness.digest()
    }

    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError> {
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            1 => Err(WitnessError::Model("connection refused".to_owned())),
            _ => self.witness.testify(claims),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_whose_reference_is_away_is_void_and_charged_to_nobody() {
    let world = World::of_text(&[Behaviour::Honest, Behaviour::Honest]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = text_task(language_model().digest());
    let witness = AwayOnce { witness: TeacherForced(language_model()), asked: AtomicU32::new(0) };
    let mut parts = world.parts(dir.path());
    parts.rounds.per_epoch = 10;
    parts.rounds.deadline = std::time::Duration::from_secs(30);
    parts.task = Arc::new(Task::with_witness(file.as_bytes(), Arc::new(witness)).expect("a task"));
    let mut validator = Validator::open(parts).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    drop(validator);

    let bytes = std::fs::read(dir.path().join(segment_name(Epoch(0)))).expect("the epoch's file");
    let segment = Segment::read(&bytes).expect("a whole segment");
    let void: Vec<_> = segment
        .records()
        .iter()
        .filter_map(|record| match record {
            Record::VoidRound(void) => Some((void.round, void.cause)),
            _ => None,
        })
        .collect();
    assert_eq!(void, [(1, VoidCause::Reference)]);
    let closed = segment.records().iter().find_map(|record| match record {
        Record::EpochClosed(closed) => Some(closed.counts),
        _ => None,
    });
    let counts = closed.expect("a closing record");
    assert_eq!((counts.verdicts, counts.receipts, counts.void_rounds), (18, 18, 1));
    let audited = audit(&bytes, &[]).expect("auditable");
    assert_eq!((audited.problems, audited.not_shown, audited.matches), (vec![], vec![], Some(true)));
}
