use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use weighhouse_journal::{Segment, segment_name};
use weighhouse_tasks::judge::JudgeClient;
use weighhouse_tasks::testing::request;
use weighhouse_tasks::witness::{Claim, TeacherForced, Testimony, Witness, WitnessError};
use weighhouse_tasks::{References, Task, TaskError};
use weighhouse_types::{
    Digest, DrawSeed, DrawnChallenge, Epoch, JointVerdicts, JudgeAttempt, JudgeTerms, Judgement,
    LaterChallenge, Mark, Outcome, Reason, Record, VoidCause,
};

use crate::Validator;
use crate::audit::{audit, audit_with};
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

    fn continuation(&self, prompt: &str, tokens: &[u32]) -> Result<String, WitnessError> {
        self.witness.continuation(prompt, tokens)
    }
}

/// The first epoch's file, and its records.
fn epoch(dir: &Path) -> (Vec<u8>, Vec<Record>) {
    let bytes = std::fs::read(dir.join(segment_name(Epoch(0)))).expect("the epoch's file");
    let records = Segment::read(&bytes).expect("a whole segment").into_records();
    (bytes, records)
}

fn void(records: &[Record]) -> Vec<(u32, VoidCause)> {
    let void = |record: &Record| match record {
        Record::VoidRound(void) => Some((void.round, void.cause)),
        _ => None,
    };
    records.iter().filter_map(void).collect()
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
    parts.task =
        Arc::new(Task::load(file.as_bytes(), &(Arc::new(witness) as Arc<dyn Witness>)).expect("a task"));
    let mut validator = Validator::open(parts).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a step");
        world.ledger.produce_block().await.expect("a block");
    }
    drop(validator);

    let (bytes, records) = epoch(dir.path());
    assert_eq!(void(&records), [(1, VoidCause::Reference)]);
    let closed = records.iter().find_map(|record| match record {
        Record::EpochClosed(closed) => Some(closed.counts),
        _ => None,
    });
    let counts = closed.expect("a closing record");
    assert_eq!((counts.verdicts, counts.receipts, counts.void_rounds), (18, 18, 1));
    let audited = audit(&bytes).expect("auditable");
    assert_eq!((audited.problems, audited.not_shown, audited.matches), (vec![], vec![], Some(true)));
}

const JUDGED: &str = "version = 1\nkind = \"judge\"\njudge_version = 3\nmode = \"quality\"\nscope = \"shared\"\nmodel = \"own\"\nitems = 1\n\
    [judge]\ndigest = \"0909090909090909090909090909090909090909090909090909090909090909\"\n";

/// A judge that is away for the first two draws, and then fails at verdicts in turn: it is slow, gives none, and works.
#[derive(Debug, Default)]
struct Unsteady {
    drawn: AtomicU32,
    judged: AtomicU32,
}

impl JudgeClient for Unsteady {
    fn operator(&self) -> Option<String> {
        None
    }

    fn draw(&self, items: u32, seeds: Vec<DrawSeed>) -> Result<Vec<DrawnChallenge>, TaskError> {
        if self.drawn.fetch_add(1, Ordering::Relaxed) < 2 {
            return Err(TaskError::Judge("connection refused".to_owned()));
        }
        let question = || request("forecast", 7);
        Ok(seeds.iter().map(|_| DrawnChallenge { question: question(), secret: vec![14], items }).collect())
    }

    fn testify(&self, _: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, TaskError> {
        panic!("its testimony is not asked for")
    }

    fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, TaskError> {
        let mut verdicts: Vec<_> = attempts.iter().map(verdict).collect();
        match self.judged.fetch_add(1, Ordering::Relaxed) {
            0 => return Err(TaskError::Judge("no answer within 20 s".to_owned())),
            1 => verdicts.clear(),
            _ => {}
        }
        Ok(verdicts)
    }

    fn resolve(&self, _: Vec<LaterChallenge>, _: u64) -> Result<Vec<Option<Vec<u8>>>, TaskError> {
        panic!("the truth is known at once")
    }

    fn judge_together(&self, _: Vec<JudgeAttempt>) -> Result<JointVerdicts, TaskError> {
        panic!("each answer is judged alone")
    }
}

fn verdict(attempt: &JudgeAttempt) -> Judgement {
    let is_right = attempt.answers[0].outputs[0].data().first() == attempt.challenge.secret.first();
    let (mark, outcome) =
        if is_right { (Mark::MAX, Outcome::Accepted) } else { (Mark::ZERO, Outcome::Wrong) };
    Judgement { mark, reasons: vec![Reason::told(outcome, "doubled")] }
}

/// The judge at hand.
struct AtHand(Arc<Unsteady>);

impl References for AtHand {
    fn judge(&self, _: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        Ok(Some(self.0.clone()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_is_away_slow_or_wrong_costs_rounds_and_no_miner() {
    let world = World::of_kind("forecast", &[Behaviour::Plays("honest"), Behaviour::Plays("wrong")]).await;
    let dir = tempfile::tempdir().expect("a folder");
    let judge = AtHand(Arc::default());
    let mut parts = world.parts(dir.path());
    parts.rounds.per_epoch = 8;
    parts.task_file = JUDGED.as_bytes().to_vec();
    parts.task = Arc::new(Task::load(JUDGED.as_bytes(), &judge).expect("a task"));
    let mut validator = Validator::open(parts).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a judge's failure ends no step");
        world.ledger.produce_block().await.expect("a block");
    }
    let (bytes, records) = epoch(dir.path());
    // Away before anybody was asked, the first round was asked later, and then its verdicts failed.
    assert!(records.iter().any(|record| matches!(record, Record::Asked(asked) if asked.round == 0)));
    assert_eq!(void(&records), [(0, VoidCause::Judge), (1, VoidCause::Judge)]);
    let verdicts: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Judged(judged) => Some((judged.round, judged.uid.0, judged.judgement.mark)),
            _ => None,
        })
        .collect();
    let rounds = [2, 3, 4, 5, 6, 7].map(|round| [(round, 1, Mark::MAX), (round, 2, Mark::ZERO)]);
    assert_eq!(verdicts, rounds.concat());
    let judge_on_record = records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => context.judge.clone(),
        _ => None,
    });
    let identity = judge_on_record.expect("a judge on record");
    assert_eq!((identity.version, identity.digest), (3, Some(Digest([9; 32]))));

    let audited = audit_with(&bytes, &judge).expect("auditable");
    assert_eq!((audited.problems, audited.not_rederived, audited.verdicts), (vec![], vec![], 12));
    let without = audit(&bytes).expect("auditable");
    assert_eq!((without.problems, without.verdicts, without.matches), (vec![], 0, Some(true)));
    assert!(without.not_rederived.iter().any(|said| said.contains("the judge is not at hand")));
}
