//! A miner of the user's own whose failures are noted: what callers are told of them is a status.

use std::sync::Arc;

use async_trait::async_trait;
use weighhouse_miner::engine::{AnswerStream, Engine, EngineError, ServedModel};
use weighhouse_types::{InferAnswer, InferRequest};

use super::Troubles;

/// An engine that takes note of why it gave no answer.
#[derive(Debug)]
pub(crate) struct HeardMiner {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) persona: String,
    pub(crate) troubles: Arc<Troubles>,
}

#[async_trait]
impl Engine for HeardMiner {
    fn model(&self) -> &ServedModel {
        self.engine.model()
    }

    fn items_max(&self) -> u32 {
        self.engine.items_max()
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        self.engine.prepare().await
    }

    async fn upstream(&self) -> Option<Result<String, EngineError>> {
        self.engine.upstream().await
    }

    async fn look(&self) -> Option<Result<(), EngineError>> {
        self.engine.look().await
    }

    async fn metadata(&self) -> ServedModel {
        self.engine.metadata().await
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let answer = self.engine.infer(request).await;
        answer.inspect_err(|error| self.troubles.miner_failed(&self.persona, &error.to_string()))
    }

    async fn stream(&self, request: &InferRequest) -> Result<AnswerStream, EngineError> {
        let answer = self.engine.stream(request).await;
        answer.inspect_err(|error| self.troubles.miner_failed(&self.persona, &error.to_string()))
    }
}
