//! Reasons for which a model gives no answer.

use weighhouse_types::TensorError;
use weighhouse_types::scans::ScansError;
use weighhouse_types::text::TextError;

use crate::backend::error::BackendError;

/// A reason for no answer, or for the end of one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EngineError {
    #[error("no model {name:?} in version {version:?}")]
    NoModel { name: String, version: String },
    #[error(transparent)]
    Input(#[from] TensorError),
    #[error("output {name:?} is not one of the model's")]
    UnknownOutput { name: String },
    #[error(transparent)]
    Scans(#[from] ScansError),
    #[error(transparent)]
    Text(#[from] TextError),
    /// A model's own reason, which the caller can do something about.
    #[error("the model refuses this: {0}")]
    Refused(String),
    #[error("this model does not offer the sampler {wanted}")]
    Sampler { wanted: &'static str },
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("the model's queue is full")]
    Busy,
    #[error("the model did not run: {0}")]
    Failed(String),
}
