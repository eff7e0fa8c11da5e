//! The values in which a kind says what is asked next, when its truth comes, and what judges by it.

use weighhouse_types::{Digest, InferRequest, Judgement};

/// The request of a miner's next stage, or the verdict on answers after which nothing more is asked.
pub type NextRequest = Result<InferRequest, Judgement>;

/// The time at which the truth about a question is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// In the round that asks.
    AtOnce,
    /// In a later epoch. A challenge whose truth is still unknown `epochs_max` epochs after it was asked lapses: nobody is judged by it.
    Later { epochs_max: u64 },
}

/// The truth about a question that was asked in an earlier epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth<W> {
    pub word: W,
    /// The operator whose word it is; `None` where an auditor can work it out.
    pub operator: Option<String>,
}

/// The files of a judge that runs out of process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeFiles {
    pub digest: Digest,
    /// The operator whose word the digest is, where somebody else started the judge.
    pub operator: Option<String>,
}
