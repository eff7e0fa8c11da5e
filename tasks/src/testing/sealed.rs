//! A test-only kind of two exchanges: miners commit to a guess, reveal it, and are judged against one another.

use std::time::Duration;

use weighhouse_types::{Digest, InferAnswer, InferRequest, JointVerdicts, Judgement, RegistrationId};

use super::{bytes, number, numbers, request};
use crate::kind::{Kind, NextRequest, NoSection};
use crate::verdict::{accepted, malformed};
use crate::{Persona, References, Scope, TaskError, TaskFile};

/// Nobody knows what is to be guessed: the nearer a guess is to the mean of all, the more it is worth.
pub(super) struct Sealed;

impl Kind for Sealed {
    const NAME: &'static str = "sealed";
    const SCOPES: &'static [Scope] = &[Scope::Shared];
    const DEADLINE: Duration = Duration::from_secs(1);
    type Section = NoSection;
    type Question = u32;
    type Answer = u32;
    type Word = ();

    fn new(_: &TaskFile, _: NoSection, _: &dyn References) -> Result<Self, TaskError> {
        Ok(Self)
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<u32>, TaskError> {
        Ok(numbers(seeds))
    }

    fn request(&self, question: &u32) -> InferRequest {
        request("commit", *question)
    }

    fn stages(&self) -> u8 {
        2
    }

    fn follow_up(&self, asked: &[(&u32, &[InferAnswer])]) -> Result<Vec<NextRequest>, TaskError> {
        let reveal = |(question, answers): &(&u32, &[InferAnswer])| match bytes(&answers[0]).len() {
            32 => Ok(request("reveal", **question)),
            _ => Err(malformed(0, "no commitment of 32 bytes")),
        };
        Ok(asked.iter().map(reveal).collect())
    }

    fn read(&self, _: &u32, _: &InferAnswer) -> Result<u32, Judgement> {
        Err(malformed(0, "revealed without a commitment"))
    }

    fn read_stages(&self, _: &u32, earlier: &[InferAnswer], last: &InferAnswer) -> Result<u32, Judgement> {
        let seal = earlier.first().map_or(&[][..], bytes);
        let is_kept = |guess: &u32| seal == Digest::of(&guess.to_le_bytes()).as_bytes();
        number(bytes(last)).filter(is_kept).ok_or_else(|| malformed(0, "not what was committed to"))
    }

    fn judge_together(
        &self,
        _: &u32,
        _: &[RegistrationId],
        answers: &[(RegistrationId, &(), &u32)],
    ) -> Result<Option<JointVerdicts>, TaskError> {
        Ok(Some(by_the_mean(answers)))
    }

    fn personas(&self) -> Vec<Persona> {
        super::personas::sealed()
    }
}

/// The nearer a guess is to the mean of all, the more it is worth.
pub(super) fn by_the_mean(answers: &[(RegistrationId, &(), &u32)]) -> JointVerdicts {
    let mean = answers.iter().map(|(.., guess)| **guess).sum::<u32>() / answers.len() as u32;
    let worth = |guess: u32| 1.0 - 0.05 * f64::from(guess.abs_diff(mean));
    let told = |(.., guess): &(_, _, &u32)| accepted(worth(**guess), "it was near");
    JointVerdicts { verdicts: answers.iter().map(told).collect(), alike: Vec::new() }
}
