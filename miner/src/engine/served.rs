//! A served model: its description for callers, and the trait that answers for it.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use futures::stream::{self, Stream};
use weighhouse_proto::ModelKind;
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest};

use super::error::EngineError;

/// The name and version that callers ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    pub name: String,
    pub version: String,
}

/// A model as callers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedModel {
    pub name: ModelName,
    /// Of the weights file; every answer's signature covers it.
    pub digest: Digest,
    /// Shown by `Describe` and read by nothing here; `None` of a model that passes requests through.
    pub kind: Option<ModelKind>,
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    /// Samplers that a text model offers; empty for others.
    pub samplers: Vec<String>,
}

/// A tensor that a model takes or gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub datatype: Datatype,
    /// `None` stands for a dimension of any size.
    pub shape: Vec<Option<u64>>,
}

impl ModelName {
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into() }
    }

    /// Tells whether a request for this name and version means this model: an empty version is the server's choice.
    pub fn is(&self, name: &str, version: &str) -> bool {
        self.name == name && (version.is_empty() || self.version == version)
    }
}

/// Answers as they come; dropping it ends the work behind it.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<InferAnswer, EngineError>> + Send>>;

/// A model that answers.
#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug {
    /// The model as callers see it; the same for as long as the engine lives.
    fn model(&self) -> &ServedModel;

    /// The most items in the first dimension of one request's input.
    fn items_max(&self) -> u32;

    /// Asks the server behind the engine, if any, what it serves; once, before serving. A server that isn't there yet is
    /// no error: it is asked again.
    async fn prepare(&self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Asks the server behind the engine whether it would answer now: what it serves, in words. `None` where no server
    /// stands behind.
    async fn upstream(&self) -> Option<Result<String, EngineError>> {
        None
    }

    /// As [`Self::upstream`], at the least cost and often: whether the server answers at all.
    async fn look(&self) -> Option<Result<(), EngineError>> {
        self.upstream().await.map(|told| told.map(drop))
    }

    /// The model with its inputs and outputs as they are now: those behind another server can change.
    async fn metadata(&self) -> ServedModel {
        self.model().clone()
    }

    /// Answers a request that names this model.
    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError>;

    /// Answers piece by piece. A fault of the request itself is told at once; what goes wrong later ends the stream. A
    /// model that knows no pieces gives its whole answer.
    async fn stream(&self, request: &InferRequest) -> Result<AnswerStream, EngineError> {
        let answer = self.infer(request).await?;
        Ok(Box::pin(stream::once(async { Ok(answer) })))
    }
}
