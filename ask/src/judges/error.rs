//! The ways in which a judge can fail. None is a miner's fault.

use std::time::Duration;

use weighhouse_proto::JudgeMessageError;
use weighhouse_types::{Digest, TensorError};

/// Why an address is no judge's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeAddressError {
    #[error("{text:?} is no judge's address: 127.0.0.1:PORT, unix:/PATH or https://HOST:PORT")]
    Form { text: String },
    #[error("a judge on another host is spoken to over TLS: write https://{text}")]
    Plain { text: String },
}

/// Why a judge gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JudgeError {
    #[error("there is no address of a judge")]
    NoAddress,
    #[error("the judge at {address} can't be reached: {why}; start it there, or name another address")]
    Unreachable { address: String, why: String },
    #[error(
        "the judge at {address} didn't answer within {deadline:?}; name more addresses to share the work, or raise [judge] \
         deadline in the task file"
    )]
    Slow { address: String, deadline: Duration },
    /// What to do about it depends on whether the task can still change.
    #[error("the judge at {address} runs files of digest {actual}; the task file pins {pinned}")]
    OtherJudge { address: String, pinned: Digest, actual: Digest },
    #[error("the judge at {address} says {key} = {actual}; the task file's [judge] says {expected}")]
    OtherTerms { address: String, key: &'static str, expected: String, actual: String },
    #[error("the judge at {address} failed: {why}")]
    Failed { address: String, why: String },
    #[error("the judge at {address} is wrong: {source}")]
    Wrong { address: String, source: JudgeMessageError },
    #[error("the judge at {address} is wrong: {actual} results for {expected} questions")]
    Count { address: String, expected: usize, actual: usize },
    #[error(
        "{attempts} answers to be judged together, and judge and task file ([judge] batch_max) take {limit}"
    )]
    TooManyTogether { attempts: usize, limit: u32 },
    #[error("a message to the judge: {0}")]
    Message(#[from] TensorError),
}

impl JudgeError {
    /// Tells whether another judge, or the same one later, may do better.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::NoAddress | Self::TooManyTogether { .. } | Self::Message(_))
    }
}
