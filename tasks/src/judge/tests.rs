use std::sync::Arc;

use weighhouse_types::{
    Beacon, Block, Digest, DrawSeed, DrawnChallenge, Hotkey, InferAnswer, InferRequest, JointVerdicts,
    JudgeAttempt, JudgeTerms, Judgement, LaterChallenge, Mark, Outcome, Reason, Tensor,
};

use super::question::TENSORS_MAX;
use super::*;
use crate::{OnRecord, Task, with_judge};

const FILE: &str = "version = 1\nkind = \"judge\"\njudge_version = 3\nmode = \"quality\"\nscope = \"shared\"\nmodel = \"doubling\"\n\
    items = 2\n[judge]\ndigest = \"sha256:0909090909090909090909090909090909090909090909090909090909090909\"\n";

const BEACON: Beacon = Beacon { block: Block(9), value: Digest([9; 32]) };

/// A judge in this process: twice the first byte of the seed is right, and a seed of zeros breaks it.
struct Doubling;

fn tensor(value: f32) -> Tensor {
    Tensor::from_f32("y", vec![1], &[value]).expect("a tensor")
}

impl JudgeClient for Doubling {
    fn operator(&self) -> Option<String> {
        Some("https://judge.example:443".to_owned())
    }

    fn draw(&self, items: u32, seeds: Vec<DrawSeed>) -> Result<Vec<DrawnChallenge>, TaskError> {
        let draw = |seed: DrawSeed| {
            let [first, ..] = seed.seed;
            if first == 0 {
                return Err(TaskError::Judge("the judge is away".to_owned()));
            }
            assert!(seed.answers.iter().all(|answer| answer.model.is_empty()), "nor while it asks");
            let first = first + seed.answers.len() as u8;
            let (model, version, id) = (String::new(), String::new(), String::new());
            let inputs = vec![tensor(f32::from(first))];
            let question = InferRequest { model, version, id, inputs, outputs: vec!["y".to_owned()] };
            Ok(DrawnChallenge { question, secret: vec![2 * first], items })
        };
        seeds.into_iter().map(draw).collect()
    }

    fn testify(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Vec<u8>>, TaskError> {
        Ok(attempts.iter().map(|attempt| attempt.challenge.secret.clone()).collect())
    }

    fn resolve(&self, asked: Vec<LaterChallenge>, epochs: u64) -> Result<Vec<Option<Vec<u8>>>, TaskError> {
        Ok(asked.iter().map(|asked| (epochs > 1).then(|| asked.challenge.secret.clone())).collect())
    }

    fn judge(&self, attempts: Vec<JudgeAttempt>) -> Result<Vec<Judgement>, TaskError> {
        let verdict = |attempt: JudgeAttempt| {
            assert!(attempt.answers[0].model.is_empty(), "a judge never learns who answered");
            let right = tensor(f32::from(attempt.challenge.secret[0]));
            let is_right = attempt.answers.iter().all(|answer| answer.outputs.first() == Some(&right));
            let (mark, outcome) =
                if is_right { (Mark::MAX, Outcome::Accepted) } else { (Mark::ZERO, Outcome::Wrong) };
            let text = format!("testimony {:?}", attempt.testimony);
            Judgement { mark, reasons: vec![Reason::told(outcome, &text)] }
        };
        Ok(attempts.into_iter().map(verdict).collect())
    }

    fn judge_together(&self, attempts: Vec<JudgeAttempt>) -> Result<JointVerdicts, TaskError> {
        Ok(JointVerdicts { verdicts: self.judge(attempts)?, alike: vec![vec![0, 1]] })
    }
}

struct AtHand;

impl References for AtHand {
    fn judge(&self, terms: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        assert_eq!((terms.digest, terms.version), (Digest([9; 32]), 3));
        Ok(Some(Arc::new(Doubling)))
    }
}

fn answer(outputs: Vec<Tensor>) -> InferAnswer {
    InferAnswer { model: "m".into(), version: "1".into(), id: "7".into(), outputs }
}

fn refused(from: &str, to: &str) -> String {
    Task::load(FILE.replacen(from, to, 1).as_bytes(), &OnRecord).expect_err("refused").to_string()
}

#[test]
fn a_question_is_drawn_asked_and_judged_outside() {
    let task = Task::load(FILE.as_bytes(), &AtHand).expect("a task");
    let challenges = task.challenges(&[[3; 32], [4; 32]]).expect("drawn");
    let request = task.request(&challenges[1], "id".to_owned());
    assert_eq!((request.model.as_str(), request.inputs[0].clone()), ("doubling", tensor(4.0)));
    assert_ne!(challenges[0].digest(), challenges[1].digest());
    let references = task.references(&challenges).expect("words");
    for (value, mark) in [(6.0, Mark::MAX), (5.0, Mark::ZERO)] {
        let told =
            task.judge(&challenges[0], &references[0], &Ok(answer(vec![tensor(value)]))).expect("judged");
        assert_eq!(told.mark, mark, "{told:?}");
    }
}

#[test]
fn a_testimony_is_recorded_and_comes_back_with_the_answer() {
    let file = format!("{FILE}testifies = true\n");
    let task = Task::load(file.as_bytes(), &AtHand).expect("a task");
    let challenge = task.challenge(&[3; 32]).expect("drawn");
    let read = task.read(&challenge, &Ok(answer(vec![tensor(6.0)]))).expect("read");
    let said = task.testify(&[(&challenge, &read)]).expect("said").expect("asked about answers");
    let recorded = crate::Reference::from_bytes(&said[0].to_bytes()).expect("as journalled");
    let told = task.judge_read(&challenge, &recorded, &read).expect("judged");
    assert_eq!(told.reasons[0].to_string(), Reason::told(Outcome::Accepted, "testimony [6]").to_string());
}

#[test]
fn answers_to_one_question_are_judged_together() {
    let task = Task::load(format!("{FILE}together = true\n").as_bytes(), &AtHand).expect("a task");
    let challenge = task.challenge(&[3; 32]).expect("drawn");
    let word = task.references(std::slice::from_ref(&challenge)).expect("words").remove(0);
    let read = |value| task.read(&challenge, &Ok(answer(vec![tensor(value)]))).expect("read");
    let (right, wrong) = (read(6.0), read(5.0));
    let who = |first| RegistrationId { hotkey: Hotkey([first; 32]), registered_at: Block(1) };
    let joint = task.judge_together(&challenge, &[], &[(who(1), &word, &right), (who(2), &word, &wrong)]);
    let joint = joint.expect("judged").expect("together");
    let marks: Vec<_> = joint.verdicts.iter().map(|verdict| verdict.mark).collect();
    assert_eq!((marks, joint.alike), (vec![Mark::MAX, Mark::ZERO], vec![vec![0, 1]]));
}

#[test]
fn the_next_question_follows_from_the_answers_and_all_of_them_are_judged() {
    let file = format!("{FILE}exchanges = 2\nanswer_bytes_max = 1000\n");
    let task = Task::load(file.as_bytes(), &AtHand).expect("a task");
    let challenge = task.challenge(&[3; 32]).expect("drawn");
    let heavy = Tensor::from_f32("y", vec![250], &[0.0; 250]).expect("a tensor");
    let (said, too_much) = ([answer(vec![tensor(6.0)])], [answer(vec![heavy])]);
    let next = task.follow_up(&[(&challenge, &said), (&challenge, &too_much)]).expect("asked on");
    assert_eq!(next[0].as_ref().expect("a question").inputs[0], tensor(4.0));
    assert_eq!(next[1].as_ref().expect_err("too heavy").reasons[0].outcome(), Outcome::Malformed);
    let word = task.references(std::slice::from_ref(&challenge)).expect("words").remove(0);
    for (last, mark) in [(6.0, Mark::MAX), (5.0, Mark::ZERO)] {
        let read = task.read_opened(&challenge, &said, &answer(vec![tensor(last)])).expect("read");
        assert_eq!(task.judge_read(&challenge, &word, &read).expect("judged").mark, mark);
    }
}

#[test]
fn a_truth_that_comes_later_is_the_word_by_which_answers_are_judged() {
    let task = Task::load(format!("{FILE}resolves_within = 3\n").as_bytes(), &AtHand).expect("a task");
    assert_eq!(task.timing(), Timing::Later { epochs_max: 3 });
    let challenge = task.challenge(&[3; 32]).expect("drawn");
    assert!(task.resolve(&[&challenge], 1, &BEACON).expect("asked")[0].is_none(), "nobody knows yet");
    let truth = task.resolve(&[&challenge], 2, &BEACON).expect("asked").remove(0).expect("known");
    assert_eq!(truth.operator.as_deref(), Some("https://judge.example:443"));
    let read = task.read(&challenge, &Ok(answer(vec![tensor(6.0)]))).expect("read");
    let told = task.judge_read(&challenge, &truth.word, &read).expect("judged");
    assert_eq!(told.reasons[0].to_string(), Reason::told(Outcome::Accepted, "testimony [6]").to_string());
}

#[test]
fn an_answer_that_is_too_heavy_never_reaches_the_judge() {
    let file = format!("{FILE}answer_bytes_max = 1000\n");
    let task = Task::load(file.as_bytes(), &AtHand).expect("a task");
    let challenge = task.challenge(&[3; 32]).expect("drawn");
    let heavy = Tensor::from_f32("y", vec![250], &[0.0; 250]).expect("a tensor");
    for outputs in [vec![heavy], vec![tensor(6.0); TENSORS_MAX + 1]] {
        let judgement = task.read(&challenge, &Ok(answer(outputs))).expect_err("too heavy");
        assert_eq!(judgement.reasons[0].outcome(), Outcome::Malformed);
        assert!(judgement.reasons[0].to_string().contains("over the limit"), "{judgement:?}");
    }
}

#[test]
fn a_judge_that_is_away_is_an_error_and_no_verdict() {
    let task = Task::load(FILE.as_bytes(), &AtHand).expect("a task");
    assert!(matches!(task.challenges(&[[3; 32], [0; 32]]), Err(TaskError::Judge(_))));
    let absent = Task::load(FILE.as_bytes(), &OnRecord).expect("a task");
    assert_eq!(absent.challenge(&[3; 32]).expect_err("nobody draws"), TaskError::NoJudge);
}

#[test]
fn the_record_names_the_files_and_whose_word_they_are() {
    let task = Task::load(FILE.as_bytes(), &AtHand).expect("a task");
    let identity = task.judge_identity();
    assert_eq!(
        (identity.kind.as_str(), identity.version, identity.digest),
        ("judge", 3, Some(Digest([9; 32])))
    );
    assert_eq!(task.judge_operator().as_deref(), Some("https://judge.example:443"));
}

#[test]
fn values_that_cannot_work_are_refused_by_their_key() {
    assert!(refused("sha256:09", "sha256:9").contains("judge.digest is no SHA-256"));
    assert!(refused("[judge]", "[judge]\ndeadline = \"0s\"").contains("judge.deadline"));
    assert!(refused("[judge]", "[judge]\nbatch_max = 0").contains("judge.batch_max"));
    assert!(refused("[judge]", "[judge]\nmessage_bytes_max = 0").contains("judge.message_bytes_max"));
    // Together, as many answers as there may be in one call have to fit.
    let together = refused(
        "[judge]",
        "[judge]\ntogether = true\nanswer_bytes_max = 65536\nmessage_bytes_max = 33554430",
    );
    assert!(together.contains("judge.answer_bytes_max must be 1 to 65535"), "{together}");
    let file = FILE.replace("shared", "private") + "together = true\n";
    let private = Task::load(file.as_bytes(), &OnRecord).expect_err("refused").to_string();
    assert!(private.contains("judge.together needs scope"), "{private}");
    assert!(refused("[judge]", "[judge]\nexchanges = 9").contains("judge.exchanges"));
    assert!(refused("[judge]", "[judge]\nresolves_within = 0").contains("judge.resolves_within"));
    let both = refused("[judge]", "[judge]\nresolves_within = 3\ntestifies = true");
    assert!(both.contains("judge.testifies"), "{both}");
    assert!(refused("[judge]", "[judge]\nfiles = 3").contains("files"));
    assert!(
        refused("items = 2", &format!("items = 2\nreference = \"{}\"", "00".repeat(32)))
            .contains("reference")
    );
    assert!(refused("[judge]", "[quality]\nfloor_margin = 0.1\n[judge]").contains("does not read [quality]"));
    assert!(refused("\"quality\"", "\"conformance\"").contains("pays quality only"));
}

#[test]
fn another_digest_is_pinned_in_its_section_alone() {
    let file = format!("# digest = none\n{FILE}");
    let pinned = with_judge(&file, Digest([5; 32])).expect("pinned");
    assert_eq!(pinned, file.replace(&"09".repeat(32), &"05".repeat(32)));
    assert_eq!(with_judge(crate::DIGITS_QUALITY, Digest([5; 32])), None);
}
