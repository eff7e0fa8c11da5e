//! The engine over a classifier of digits: scans in, a distribution over the classes for each out.

mod passes;

use std::sync::Arc;

use async_trait::async_trait;
use weighhouse_models::Classifier;
use weighhouse_proto::ModelKind;
use weighhouse_seams::CpuPool;
use weighhouse_types::scans::{CLASSES, INPUT, OUTPUT, PIXELS, ScansAnswer, ScansRequest};
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest};

use self::passes::{Forward, Passes};
use super::batch::Batcher;
use super::error::EngineError;
use super::limits::EngineLimits;
use super::served::{Engine, ModelName, ServedModel, TensorSpec};

/// Serves a classifier of digits.
#[derive(Debug)]
pub struct ClassifierEngine {
    served: ServedModel,
    batcher: Batcher<Passes>,
    limits: EngineLimits,
}

impl ClassifierEngine {
    /// Serves a classifier under a name.
    pub fn new(name: ModelName, model: Classifier, limits: EngineLimits, cpu: &CpuPool) -> Self {
        Self::over(name, Arc::new(model), limits, cpu)
    }

    fn over(name: ModelName, model: Arc<dyn Forward>, limits: EngineLimits, cpu: &CpuPool) -> Self {
        Self {
            served: describe(name, model.digest()),
            batcher: Batcher::new(Passes(model), limits, cpu),
            limits,
        }
    }
}

#[async_trait]
impl Engine for ClassifierEngine {
    fn model(&self) -> &ServedModel {
        &self.served
    }

    fn items_max(&self) -> u32 {
        self.limits.items_max
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let scans_max = usize::try_from(self.limits.items_max).unwrap_or(usize::MAX);
        let asked = ScansRequest::from_infer(request, scans_max)?;
        let rows = self.batcher.run(asked.pixels).await?;
        let ModelName { name, version } = &self.served.name;
        Ok(ScansAnswer { rows }.to_infer(name, version, &request.id))
    }
}

fn describe(name: ModelName, digest: Digest) -> ServedModel {
    let spec = |name: &str, width: usize| TensorSpec {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: vec![None, Some(width as u64)],
    };
    ServedModel {
        name,
        digest,
        kind: Some(ModelKind::Classifier),
        inputs: vec![spec(INPUT, PIXELS)],
        outputs: vec![spec(OUTPUT, CLASSES)],
        samplers: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
