//! What answers: a set of served models behind one trait.
//!
//! An engine sees requests that were authenticated and admitted, and tensors whose bytes agree with their shapes; it
//! decides everything else about them. The caller's identity never reaches it.

mod classifier;
mod embed;
mod load;
mod router;
mod text;

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use futures::stream::{self, Stream};
use weighhouse_proto::ModelKind;
use weighhouse_types::scans::ScansError;
use weighhouse_types::text::TextError;
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest, TensorError};

use crate::backend::BackendError;

pub use classifier::{ClassifierEngine, EngineLimits, LoadError, load_models};
pub use embed::EmbedEngine;
pub use load::{Surroundings, load};
pub use router::{Router, RouterError};
pub use text::{Generator, Paces, PieceStream, TextEngine, TextModel};

/// A model as callers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedModel {
    pub name: String,
    pub version: String,
    /// Of the weights file; every answer's signature covers it.
    pub digest: Digest,
    pub kind: ModelKind,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    /// How a text model can choose tokens; empty for others.
    pub samplers: Vec<String>,
}

/// Answers as they come; dropping it ends the work behind it.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<InferAnswer, EngineError>> + Send>>;

/// A tensor that a model takes or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub datatype: Datatype,
    /// `None` stands for a dimension of any size.
    pub shape: Vec<Option<u64>>,
}

#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug {
    /// What is served; the same for as long as the engine lives.
    fn models(&self) -> &[ServedModel];

    /// The most items in the first dimension of one request's input.
    fn items_max(&self) -> u32;

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError>;

    /// The answer piece by piece. What is wrong with the request itself is said at once; what goes wrong later ends
    /// the stream. A model that knows no pieces gives its whole answer.
    async fn stream(&self, request: &InferRequest) -> Result<AnswerStream, EngineError> {
        let answer = self.infer(request).await?;
        Ok(Box::pin(stream::once(async { Ok(answer) })))
    }

    /// The served model of this name and version.
    fn find(&self, name: &str, version: &str) -> Option<&ServedModel> {
        self.models().iter().find(|model| model.is(name, version))
    }
}

impl ServedModel {
    /// Whether a request for this name and version means this model: an empty version is the server's choice.
    pub fn is(&self, name: &str, version: &str) -> bool {
        self.name == name && (version.is_empty() || self.version == version)
    }
}

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

impl EngineError {
    fn no_model(request: &InferRequest) -> Self {
        Self::NoModel { name: request.model.clone(), version: request.version.clone() }
    }
}
