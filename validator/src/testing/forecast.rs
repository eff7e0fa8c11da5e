//! A test-only kind whose truth comes two epochs after the question: the number asked about, doubled.

use weighhouse_models::draw::below;
use weighhouse_tasks::kind::{Kind, NoSection, Timing, Truth, per_seed};
use weighhouse_tasks::{References, TaskError, TaskFile};
use weighhouse_types::{InferAnswer, InferRequest, Judgement, Mark, Outcome, Reason};

use super::own;

/// Epochs from the question to its truth.
const EPOCHS: u64 = 2;

pub(crate) struct Forecast;

impl Kind for Forecast {
    const NAME: &'static str = "forecast";
    type Section = NoSection;
    type Question = u32;
    type Answer = u32;
    type Word = u32;

    fn new(_: &TaskFile, _: NoSection, _: &dyn References) -> Result<Self, TaskError> {
        Ok(Self)
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<u32>, TaskError> {
        Ok(per_seed(seeds, |rng| below(1_000, rng)))
    }

    fn request(&self, question: &u32) -> InferRequest {
        own::request("forecast", *question)
    }

    fn timing(&self) -> Timing {
        Timing::Later { epochs_max: EPOCHS + 1 }
    }

    fn refer(&self, _: &[&u32]) -> Result<Vec<u32>, TaskError> {
        Ok(Vec::new())
    }

    fn read(&self, _: &u32, answer: &InferAnswer) -> Result<u32, Judgement> {
        let number = own::bytes(answer).and_then(|bytes| bytes.first_chunk().copied());
        let reasons = vec![Reason::Malformed { item: 0, what: "no number".to_owned() }];
        number.map(u32::from_le_bytes).ok_or(Judgement { mark: Mark::ZERO, reasons })
    }

    fn resolve(&self, questions: &[&u32], epochs: u64) -> Result<Vec<Option<Truth<u32>>>, TaskError> {
        let truth = |question: &&u32| Truth { word: **question * 2, operator: None };
        Ok(questions.iter().map(|question| (epochs >= EPOCHS).then(|| truth(question))).collect())
    }

    fn judge(&self, _: &u32, truth: &u32, answer: &u32) -> Result<Judgement, TaskError> {
        let (mark, outcome) = match answer == truth {
            true => (Mark::MAX, Outcome::Accepted),
            false => (Mark::MIN, Outcome::Wrong),
        };
        Ok(Judgement { mark, reasons: vec![Reason::told(outcome, "forecast")] })
    }
}
