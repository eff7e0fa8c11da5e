//! Several engines behind one name: a request goes to the one that serves its model.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use weighhouse_types::{InferAnswer, InferRequest};

use super::{AnswerStream, Engine, EngineError, ServedModel};

/// Serves what its engines serve.
#[derive(Debug)]
pub struct Router {
    engines: Vec<Arc<dyn Engine>>,
    models: Vec<ServedModel>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model {0:?} is served twice")]
pub struct RouterError(String);

impl Router {
    pub fn new(engines: Vec<Arc<dyn Engine>>) -> Result<Self, RouterError> {
        let models: Vec<_> = engines.iter().flat_map(|engine| engine.models().iter().cloned()).collect();
        let mut names = HashSet::new();
        match models.iter().find(|model| !names.insert(&model.name)) {
            Some(twice) => Err(RouterError(twice.name.clone())),
            None => Ok(Self { engines, models }),
        }
    }

    fn engine(&self, request: &InferRequest) -> Result<&Arc<dyn Engine>, EngineError> {
        let serves = |engine: &&Arc<dyn Engine>| engine.find(&request.model, &request.version).is_some();
        self.engines.iter().find(serves).ok_or_else(|| EngineError::no_model(request))
    }
}

#[async_trait]
impl Engine for Router {
    fn models(&self) -> &[ServedModel] {
        &self.models
    }

    fn items_max(&self) -> u32 {
        self.engines.iter().map(|engine| engine.items_max()).max().unwrap_or(0)
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        for engine in &self.engines {
            engine.prepare().await?;
        }
        Ok(())
    }

    async fn metadata(&self, name: &str, version: &str) -> Option<ServedModel> {
        let engine = self.engines.iter().find(|engine| engine.find(name, version).is_some())?;
        engine.metadata(name, version).await
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        self.engine(request)?.infer(request).await
    }

    async fn stream(&self, request: &InferRequest) -> Result<AnswerStream, EngineError> {
        self.engine(request)?.stream(request).await
    }
}
