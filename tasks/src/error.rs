//! What can go wrong with a task: its file, its reference, or a journal that contradicts itself. Never a miner's fault.

use weighhouse_models::ModelError;
use weighhouse_types::Digest;

use crate::file::TaskFileError;
use crate::generate::witness::WitnessError;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    File(#[from] TaskFileError),
    #[error("the task names reference {named}, the weights are {given}")]
    WrongReference { named: Digest, given: Digest },
    /// Why there is no reference, or what it failed with.
    #[error("the reference: {0}")]
    Reference(String),
    #[error("the reference model: {0}")]
    Model(#[from] ModelError),
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// A persona can't read what it is asked.
    #[error("the request: {0}")]
    Request(String),
    #[error("a reference for challenge {reference} can't judge answers to challenge {challenge}")]
    Mismatch { challenge: Digest, reference: Digest },
    /// A judge out of process that is away, slow or wrong.
    #[error("{0}")]
    Judge(String),
    #[error("the task asks for judge version {asked}, this program has {known}")]
    JudgeVersion { asked: u32, known: String },
    #[error("{actual} results for {expected} questions")]
    Count { expected: usize, actual: usize },
    #[error("a reference with {actual} rows can't judge a challenge of {expected} items")]
    Rows { expected: usize, actual: usize },
    #[error("a testimony on {actual} tokens can't judge a completion of {expected}")]
    Tokens { expected: usize, actual: usize },
    #[error("the reference was not asked about this answer")]
    NoTestimony,
    #[error("the reference is not at hand")]
    NoReference,
    #[error("the judge is not at hand")]
    NoJudge,
}
