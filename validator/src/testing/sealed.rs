//! A test-only kind of two exchanges: miners commit to a guess, reveal it, and are judged against one another.

use weighhouse_models::draw::below;
use weighhouse_tasks::kind::{Kind, NoSection, per_seed};
use weighhouse_tasks::{References, TaskError, TaskFile};
use weighhouse_types::{
    Digest, InferAnswer, InferRequest, JointVerdicts, Judgement, Mark, Outcome, Reason, RegistrationId,
};

use super::own;

/// Nobody knows what is to be guessed: the guess nearest to all guesses' mean earns most.
pub(crate) struct Sealed;

fn malformed(why: &str) -> Judgement {
    Judgement { mark: Mark::ZERO, reasons: vec![Reason::told(Outcome::Malformed, why)] }
}

impl Kind for Sealed {
    const NAME: &'static str = "sealed";
    type Section = NoSection;
    type Question = u32;
    type Answer = u32;
    type Word = ();

    fn new(_: &TaskFile, _: NoSection, _: &dyn References) -> Result<Self, TaskError> {
        Ok(Self)
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<u32>, TaskError> {
        Ok(per_seed(seeds, |rng| below(u32::MAX, rng)))
    }

    fn request(&self, question: &u32) -> InferRequest {
        own::request("commit", *question)
    }

    fn stages(&self) -> u8 {
        2
    }

    fn follow_up(
        &self,
        asked: &[(&u32, &[InferAnswer])],
    ) -> Result<Vec<Result<InferRequest, Judgement>>, TaskError> {
        let reveal = |(question, earlier): &(&u32, &[InferAnswer])| match own::bytes(&earlier[0]) {
            Some(commit) if commit.len() == 32 => Ok(own::request("reveal", **question)),
            _ => Err(malformed("no commitment of 32 bytes")),
        };
        Ok(asked.iter().map(reveal).collect())
    }

    fn read(&self, _: &u32, _: &InferAnswer) -> Result<u32, Judgement> {
        Err(malformed("revealed without a commitment"))
    }

    fn read_stages(&self, _: &u32, earlier: &[InferAnswer], answer: &InferAnswer) -> Result<u32, Judgement> {
        let revealed = own::bytes(answer).unwrap_or_default();
        let is_kept = own::bytes(&earlier[0]).as_deref() == Some(Digest::of(&revealed).as_bytes());
        let guess = revealed.first_chunk().filter(|_| is_kept).map(|guess| u32::from_le_bytes(*guess));
        guess.ok_or_else(|| malformed("not what was committed to"))
    }

    fn judge(&self, _: &u32, (): &(), _: &u32) -> Result<Judgement, TaskError> {
        Err(TaskError::Judge("one guess alone says nothing".to_owned()))
    }

    fn judge_together(
        &self,
        _: &u32,
        answers: &[(RegistrationId, &(), &u32)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        let mean = answers.iter().map(|(.., guess)| i64::from(**guess)).sum::<i64>() / answers.len() as i64;
        let verdict = |(.., guess): &(_, _, &u32)| Judgement {
            mark: Mark::from_billionths(1_000_000_000 - (i64::from(**guess) - mean).abs()).expect("in range"),
            reasons: vec![Reason::told(Outcome::Accepted, "guessed")],
        };
        let verdicts = answers.iter().map(verdict).collect();
        Ok(Some(JointVerdicts { verdicts, alike: Vec::new() }))
    }
}
