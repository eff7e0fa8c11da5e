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

/// A reference whose calls of these numbers fail.
#[derive(Debug)]
struct Hiccups {
    witness: TeacherForced<weighhouse_models::language::LanguageModel>,
    asked: AtomicU32,
    fails: fn(u32, &[Claim<'_>]) -> Option<WitnessError>,
}

impl Witness for Hiccups {
    fn digest(&self) -> Digest {
        self.witness.digest()
    }

    fn testify(&self, claims: &[Claim<'_>]) -> Result<Vec<Testimony>, WitnessError> {
        match (self.fails)(self.asked.fetch_add(1, Ordering::Relaxed), claims) {
            Some(error) => Err(error),
            None => self.witness.testify(claims),
        }
    }

    fn continuation(&self, prompt: &str, tokens: &[u32]) -> Result<String, WitnessError> {
        self.witness.continuation(prompt, tokens)
    }

    fn first_end(&self, claim: &Claim<'_>) -> Option<u32> {
        self.witness.first_end(claim)
    }
}

fn away() -> WitnessError {
    WitnessError::Away("connection refused".to_owned())
}

/// Runs an epoch of ten rounds and two honest miners by a reference that fails so; the file and its records.
async fn epoch_with(
    dir: &Path,
    fails: fn(u32, &[Claim<'_>]) -> Option<WitnessError>,
) -> (Vec<u8>, Vec<Record>) {
    let world = World::of_text(&[Behaviour::Honest, Behaviour::Honest]).await;
    let file = text_task(language_model().digest());
    let witness = Hiccups { witness: TeacherForced(language_model()), asked: AtomicU32::new(0), fails };
    let mut parts = world.parts(dir);
    parts.rounds.per_epoch = 10;
    parts.rounds.deadline = std::time::Duration::from_secs(30);
    parts.task =
        Arc::new(Task::load(file.as_bytes(), &(Arc::new(witness) as Arc<dyn Witness>)).expect("a task"));
    let mut validator = Validator::open(parts).await.expect("opened");
    for _ in 0..14 {
        validator.step().await.expect("a reference's trouble ends no step");
        world.ledger.produce_block().await.expect("a block");
    }
    drop(validator);
    epoch(dir)
}

/// Verdicts by round, of an epoch that is audited and published.
fn judged(bytes: &[u8], records: &[Record]) -> [usize; 10] {
    let audited = audit(bytes).expect("auditable");
    assert_eq!((audited.problems, audited.not_shown), (vec![], vec![]));
    let mut rounds = [0; 10];
    for record in records {
        if let Record::Judged(judged) = record {
            assert!(judged.judgement.mark > Mark::ZERO, "{judged:?}");
            rounds[judged.round as usize] += 1;
        }
    }
    rounds
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
async fn answers_wait_for_a_reference_that_is_away_and_all_are_judged() {
    let dir = tempfile::tempdir().expect("a folder");
    let (bytes, records) = epoch_with(dir.path(), |call, _| (1..4).contains(&call).then(away)).await;
    assert_eq!(void(&records), []);
    assert_eq!(judged(&bytes, &records), [2; 10]);
    let asked = records.iter().filter(|record| matches!(record, Record::Asked(_))).count();
    assert_eq!(asked, 20, "nobody is asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_stays_away_makes_the_rest_of_the_epoch_void_and_is_charged_to_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    let (bytes, records) = epoch_with(dir.path(), |call, _| (call >= 2).then(away)).await;
    let void = void(&records);
    let rounds = judged(&bytes, &records);
    assert!(rounds[0] == 2 && rounds[9] == 0, "{rounds:?}");
    let is_void = |round: usize| void.contains(&(round as u32, VoidCause::Reference));
    assert!((0..10).all(|round| is_void(round) == (rounds[round] == 0)), "{rounds:?} {void:?}");
    let closed = records.iter().find_map(|record| match record {
        Record::EpochClosed(closed) => Some(closed.counts),
        _ => None,
    });
    assert_eq!(closed.expect("a closing record").void_rounds, void.len() as u32);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_reference_can_not_speak_of_voids_no_other_answer() {
    // By the prompt, since a call's number says nothing once answers are asked about singly.
    fn is_hit(claims: &[Claim<'_>]) -> bool {
        let sum = |claim: &Claim<'_>| claim.prompt.bytes().map(u32::from).sum::<u32>();
        claims.iter().any(|claim| sum(claim).is_multiple_of(3))
    }
    let of_question = |_, claims: &[Claim<'_>]| {
        is_hit(claims).then_some(WitnessError::Context { prompt: 9, completion: 9, context: 12 })
    };
    let of_answer = |_, claims: &[Claim<'_>]| is_hit(claims).then(|| WitnessError::Refused("400".to_owned()));
    for fails in [of_question as fn(u32, &[Claim<'_>]) -> Option<WitnessError>, of_answer] {
        let dir = tempfile::tempdir().expect("a folder");
        let (bytes, records) = epoch_with(dir.path(), fails).await;
        let rounds = judged(&bytes, &records);
        let partly: Vec<_> = (0..10).filter(|round| rounds[*round] == 1).collect();
        assert!(!partly.is_empty() && rounds.contains(&2), "{rounds:?}");
        for round in partly {
            assert!(void(&records).contains(&(round as u32, VoidCause::Reference)), "{rounds:?}");
        }
    }
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
        let question = || request("later", 7);
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
async fn a_judge_that_is_away_slow_or_wrong_for_a_while_costs_time_and_no_miner() {
    let world = World::of_kind("later", &[Behaviour::Plays("honest"), Behaviour::Plays("wrong")]).await;
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
    // Away before anybody was asked, the first round was asked later, and then its verdicts failed twice.
    assert_eq!(void(&records), []);
    let mut verdicts: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Judged(judged) => Some((judged.round, judged.uid.0, judged.judgement.mark)),
            _ => None,
        })
        .collect();
    verdicts.sort();
    let rounds = [0, 1, 2, 3, 4, 5, 6, 7].map(|round| [(round, 1, Mark::MAX), (round, 2, Mark::ZERO)]);
    assert_eq!(verdicts, rounds.concat());
    let judge_on_record = records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => context.judge.clone(),
        _ => None,
    });
    let identity = judge_on_record.expect("a judge on record");
    assert_eq!((identity.version, identity.digest), (3, Some(Digest([9; 32]))));

    let audited = audit_with(&bytes, &judge).expect("auditable");
    assert_eq!((audited.problems, audited.not_rederived, audited.verdicts), (vec![], vec![], 16));
    let without = audit(&bytes).expect("auditable");
    assert_eq!((without.problems, without.verdicts, without.matches), (vec![], 0, Some(true)));
    assert!(without.not_rederived.iter().any(|said| said.contains("the judge is not at hand")));
}
