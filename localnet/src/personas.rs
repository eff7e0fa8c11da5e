//! The dishonest and the unlucky: engines that wrap a real one and spoil it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng as _;
use weighhouse_miner::engine::{Engine, EngineError, ServedModel};
use weighhouse_seams::{Clock, Entropy};
use weighhouse_types::{InferAnswer, InferRequest, Tensor};

const CLASSES: usize = 10;

/// Knows the model's name and shapes, and never runs it: one class at random per scan, with full confidence.
#[derive(Debug)]
pub(crate) struct Lazy {
    pub(crate) honest: Arc<dyn Engine>,
    pub(crate) entropy: Entropy,
}

/// Runs the model and returns NaN, or on every other request a shape that is not the one of the data asked for.
#[derive(Debug)]
pub(crate) struct Nan {
    pub(crate) honest: Arc<dyn Engine>,
    pub(crate) asked: AtomicU64,
}

/// Runs the model, late.
#[derive(Debug)]
pub(crate) struct Slow {
    pub(crate) honest: Arc<dyn Engine>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) delay: Duration,
}

fn items(request: &InferRequest) -> usize {
    let first = request.inputs.first().and_then(|input| input.shape().first().copied());
    first.and_then(|items| usize::try_from(items).ok()).unwrap_or(0)
}

fn answer(request: &InferRequest, rows: usize, values: &[f32]) -> Result<InferAnswer, EngineError> {
    let name = request.outputs.first().map_or("probabilities", String::as_str);
    let outputs = vec![Tensor::from_f32(name, vec![rows as u64, CLASSES as u64], values)?];
    Ok(InferAnswer {
        model: request.model.clone(),
        version: request.version.clone(),
        id: request.id.clone(),
        outputs,
    })
}

#[async_trait]
impl Engine for Lazy {
    fn models(&self) -> &[ServedModel] {
        self.honest.models()
    }

    fn items_max(&self) -> u32 {
        self.honest.items_max()
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let rows = items(request);
        let mut guesses = vec![0_u8; rows];
        self.entropy.clone().fill_bytes(&mut guesses);
        let mut values = vec![0.0; rows * CLASSES];
        for (row, guess) in guesses.iter().enumerate() {
            values[row * CLASSES + usize::from(*guess) % CLASSES] = 1.0;
        }
        answer(request, rows, &values)
    }
}

#[async_trait]
impl Engine for Nan {
    fn models(&self) -> &[ServedModel] {
        self.honest.models()
    }

    fn items_max(&self) -> u32 {
        self.honest.items_max()
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let rows = items(request);
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return answer(request, rows, &vec![f32::NAN; rows * CLASSES]);
        }
        answer(request, rows + 1, &vec![0.1; (rows + 1) * CLASSES])
    }
}

#[async_trait]
impl Engine for Slow {
    fn models(&self) -> &[ServedModel] {
        self.honest.models()
    }

    fn items_max(&self) -> u32 {
        self.honest.items_max()
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let answer = self.honest.infer(request).await;
        self.clock.sleep(self.delay).await;
        answer
    }
}
