//! The values that pass between a validator and a judge in another process.

use std::time::Duration;

use crate::{Digest, InferAnswer, InferRequest, Judgement};

/// Terms of a judge out of process, as a task file pins them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeTerms {
    /// SHA-256 of the task file itself, which is told with every call.
    pub task: Digest,
    /// SHA-256 over the judge's files.
    pub digest: Digest,
    pub version: u32,
    pub testifies: bool,
    pub together: bool,
    pub resolves: bool,
    pub exchanges: u32,
    /// For one call.
    pub deadline: Duration,
    /// Most challenges or attempts in one call, whatever the judge would take.
    pub batch_max: u32,
    /// Of one message, either way.
    pub message_bytes_max: usize,
}

/// A judge's account of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeDescription {
    /// For people.
    pub name: String,
    /// Raised by the judge's author when the same answer may get another mark.
    pub version: u32,
    /// SHA-256 over the judge's files: the word of whoever started it.
    pub digest: Digest,
    pub limits: JudgeLimits,
    /// Answers are to be testified on before they are judged.
    pub testifies: bool,
    /// The answers to a shared challenge are judged in one call.
    pub together: bool,
    /// The truth comes in a later epoch.
    pub resolves: bool,
    /// Questions that one challenge puts to a miner, one after the other.
    pub exchanges: u32,
    /// For people: libraries that the digest doesn't cover.
    pub runtime: String,
}

/// The size of one call to a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgeLimits {
    /// Seeds, or challenges to resolve.
    pub challenges_max: u32,
    pub attempts_max: u32,
    /// Attempts that are judged together; such a call can't be cut.
    pub together_max: u32,
    pub message_bytes_max: u64,
}

/// A seed to draw a question from; with the answers so far, where it is not the first of its challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawSeed {
    pub seed: [u8; 32],
    pub answers: Vec<InferAnswer>,
}

/// A question that a judge has drawn. Model, version and id of the request are still to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnChallenge {
    pub question: InferRequest,
    /// Known to the judge alone, and to the record.
    pub secret: Vec<u8>,
    pub items: u32,
}

/// A challenge of an earlier epoch whose truth is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterChallenge {
    pub challenge: DrawnChallenge,
    /// Chance that nobody knew when the challenge was drawn.
    pub seed: [u8; 32],
}

/// One miner's answers to a challenge, one for each exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeAttempt {
    pub challenge: DrawnChallenge,
    pub answers: Vec<InferAnswer>,
    /// The judge's testimony on the answers, or the truth that came later; may be empty.
    pub testimony: Vec<u8>,
}

/// Verdicts on all answers to one challenge, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JointVerdicts {
    pub verdicts: Vec<Judgement>,
    /// Positions of answers that are too alike to be each miner's own work: groups of at least two, ascending.
    pub alike: Vec<Vec<u32>>,
}
