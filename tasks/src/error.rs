//! Failures of a task: its file, its reference, or a journal that contradicts itself. Never a miner's fault.

use weighhouse_models::ModelError;
use weighhouse_types::{Digest, config};

use crate::generate::sequential::BudgetError;
use crate::generate::witness::WitnessError;

/// The version of the file that is read.
pub(crate) const FILE_VERSION: u32 = 1;
/// Longest file that is looked at.
pub(crate) const FILE_BYTES_MAX: usize = 64 << 10;
/// Longest name of a served model.
pub(crate) const MODEL_NAME_BYTES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    File(#[from] TaskFileError),
    #[error("the task names reference {named}, the weights are {given}")]
    WrongReference { named: Digest, given: Digest },
    #[error(
        "the task names reference {named}, the model is {given}: another model, or does one of the two folders lack \
         generation_config.json, whose end tokens the digest covers?"
    )]
    WrongLanguage { named: Digest, given: Digest },
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
    #[error("the task asks for judge_version = {asked}, this program has {known}")]
    JudgeVersion { asked: u32, known: String },
    #[error(
        "kind {kind:?} has no verdict on one answer alone: its `judge_together` has to give one, or it needs `judge`"
    )]
    NotAlone { kind: &'static str },
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

/// Why a task file is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskFileError {
    #[error("the task file has {bytes} bytes, over the limit of {FILE_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("the task file is not UTF-8")]
    NotText,
    #[error("the task file: {0}")]
    Toml(#[from] config::ConfigError),
    #[error("the task file has version {version}, this program reads {FILE_VERSION}")]
    Version { version: u32 },
    #[error("{key} = {value} is outside {allowed}")]
    Range { key: &'static str, value: f64, allowed: String },
    #[error("model = {name:?} is no model name: 1 to {MODEL_NAME_BYTES_MAX} of a-z, 0-9, '.', '_' and '-'")]
    ModelName { name: String },
    #[error("mode = \"{mode}\" needs a section [{mode}]")]
    SectionMissing { mode: &'static str },
    #[error("mode = \"{mode}\" does not read section [{section}]")]
    SectionUnread { mode: &'static str, section: &'static str },
    #[error("kind = \"{kind}\" needs reference = \"DIGEST\"")]
    ReferenceMissing { kind: &'static str },
    #[error("kind = \"{kind}\" has no reference, so it does not read {key}")]
    ReferenceUnread { kind: &'static str, key: &'static str },
    #[error("kind = {name:?} is none of {known}")]
    Kind { name: String, known: String },
    #[error("kind = \"{kind}\" pays conformance only: quality has no truth to be measured against")]
    NoQuality { kind: &'static str },
    #[error("kind = \"{kind}\" pays quality only: it has a truth, and no agreed model")]
    NoConformance { kind: &'static str },
    #[error("{key} {what}")]
    Value { key: &'static str, what: String },
    #[error(transparent)]
    Budget(#[from] BudgetError),
}
