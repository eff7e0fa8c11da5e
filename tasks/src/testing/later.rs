//! A test-only kind whose truth comes two epochs after the question: the number asked about, doubled.

use std::time::Duration;

use weighhouse_types::{InferAnswer, InferRequest, Judgement};

use super::{bytes, number, numbers, request};
use crate::kind::{Kind, NoSection, Timing, Truth};
use crate::{Persona, References, TaskError, TaskFile, verdict};

/// Epochs from the question to its truth.
const EPOCHS: u64 = 2;

pub(super) struct Later;

impl Kind for Later {
    const NAME: &'static str = "later";
    const DEADLINE: Duration = Duration::from_secs(1);
    type Section = NoSection;
    type Question = u32;
    type Answer = u32;
    /// The number, and the chance that came with the truth: an audit has to find the same.
    type Word = (u32, [u8; 32]);

    fn new(_: &TaskFile, _: NoSection, _: &dyn References) -> Result<Self, TaskError> {
        Ok(Self)
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<u32>, TaskError> {
        Ok(numbers(seeds))
    }

    fn request(&self, question: &u32) -> InferRequest {
        request("later", *question)
    }

    fn timing(&self) -> Timing {
        Timing::Later { epochs_max: EPOCHS + 1 }
    }

    fn read(&self, _: &u32, answer: &InferAnswer) -> Result<u32, Judgement> {
        number(bytes(answer)).ok_or_else(|| verdict::malformed(0, "no number"))
    }

    fn resolve(
        &self,
        questions: &[(&u32, [u8; 32])],
        epochs: u64,
    ) -> Result<Vec<Option<Truth<Self::Word>>>, TaskError> {
        let truth =
            |(question, seed): &(&u32, [u8; 32])| Truth { word: (**question * 2, *seed), operator: None };
        Ok(questions.iter().map(|question| (epochs >= EPOCHS).then(|| truth(question))).collect())
    }

    fn judge(&self, _: &u32, (truth, _): &Self::Word, answer: &u32) -> Result<Judgement, TaskError> {
        Ok(match answer == truth {
            true => verdict::accepted(1.0, "it came so"),
            false => verdict::wrong(-1.0, "it came otherwise"),
        })
    }

    fn personas(&self) -> Vec<Persona> {
        super::personas::later()
    }
}
