//! The trait that judges implement, and the values that they are handed and give back.

use rand_chacha::ChaCha20Rng;
use weighhouse_proto::v1;
use weighhouse_types::{InferAnswer, Mark, Tensor};

/// Draws a task's challenges and judges the answers. Both methods are functions of their arguments alone, with the same
/// result on every machine: calls are repeated after a fault, shared with other processes, and made again by auditors.
pub trait Judge: Send + Sync + 'static {
    /// For people.
    const NAME: &'static str;
    /// Raised when the same answer may get another mark; a task file then says `judge_version = 2`.
    const VERSION: u32 = 1;

    /// Draws a challenge of `items` questions. All chance comes from `rng`.
    fn draw(&self, rng: &mut ChaCha20Rng, items: u32) -> Challenge;

    /// Marks one answer, whose form is unproven.
    fn judge(&self, challenge: &Challenge, answer: &InferAnswer) -> Verdict;
}

/// A question to a miner, and what only the judge is to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Sent as they are.
    pub inputs: Vec<Tensor>,
    /// Names of the tensors that are wanted back; every one where there are none.
    pub outputs: Vec<String>,
    /// Recorded, and comes back with the answers.
    pub secret: Vec<u8>,
}

/// Worth of an answer: 0 for guessing, 1 for the best.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict(pub(crate) v1::Verdict);

impl Verdict {
    /// An answer that counts. The mark is clamped to [-1, 1]; one that is no number is 0.
    pub fn accepted(mark: f64, text: impl Into<String>) -> Self {
        Self::new(Mark::from_f64(mark).unwrap_or_default(), v1::Outcome::Accepted, text)
    }

    /// An answer of the right form that is wrong. Its mark is at most 0.
    pub fn wrong(mark: f64, text: impl Into<String>) -> Self {
        let mark = Mark::from_f64(mark).unwrap_or_default().min(Mark::ZERO);
        Self::new(mark, v1::Outcome::Wrong, text)
    }

    /// No answer to the question: a wrong shape, a number that is none.
    pub fn malformed(text: impl Into<String>) -> Self {
        Self::new(Mark::ZERO, v1::Outcome::Malformed, text)
    }

    fn new(mark: Mark, outcome: v1::Outcome, text: impl Into<String>) -> Self {
        let mark_billionths = i32::from(mark);
        Self(v1::Verdict { mark_billionths, outcome: outcome.into(), text: text.into() })
    }
}
