//! Engines that delegate to an honest one, and change what it is asked or what it says.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use weighhouse_miner::engine::{Engine, EngineError, ServedModel};
use weighhouse_types::{InferAnswer, InferRequest};

/// A way to answer that has an honest engine at hand.
#[async_trait]
pub(crate) trait Disguise: fmt::Debug + Send + Sync + 'static {
    async fn infer(&self, honest: &dyn Engine, request: &InferRequest) -> Result<InferAnswer, EngineError>;
}

/// An honest engine behind a disguise: callers see the honest model.
#[derive(Debug)]
pub(crate) struct Disguised<D> {
    honest: Arc<dyn Engine>,
    disguise: D,
}

impl<D: Disguise> Disguised<D> {
    pub(crate) fn engine(honest: Arc<dyn Engine>, disguise: D) -> Arc<dyn Engine> {
        Arc::new(Self { honest, disguise })
    }
}

#[async_trait]
impl<D: Disguise> Engine for Disguised<D> {
    fn model(&self) -> &ServedModel {
        self.honest.model()
    }

    fn items_max(&self) -> u32 {
        self.honest.items_max()
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        self.disguise.infer(&*self.honest, request).await
    }
}
