//! The dishonest and the unlucky: disguises that spoil a real engine's answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng as _;
use weighhouse_miner::engine::{Engine, EngineError};
use weighhouse_seams::{Clock, Entropy};
use weighhouse_types::scans::{CLASSES, ScansAnswer};
use weighhouse_types::{InferAnswer, InferRequest};

use crate::disguise::Disguise;

/// Knows the model's name and shapes, and never runs it: one class at random per scan, with full confidence.
#[derive(Debug)]
pub(crate) struct Lazy {
    pub(crate) entropy: Entropy,
}

/// Runs the model and returns NaN, or on every other request a shape that is not the one of the data asked for.
#[derive(Debug)]
pub(crate) struct Nan {
    pub(crate) asked: AtomicU64,
}

/// Runs the model, late.
#[derive(Debug)]
pub(crate) struct Slow {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) delay: Duration,
}

fn scans(request: &InferRequest) -> usize {
    let first = request.inputs.first().and_then(|input| input.shape().first().copied());
    first.and_then(|scans| usize::try_from(scans).ok()).unwrap_or(0)
}

fn answer(request: &InferRequest, rows: Vec<[f32; CLASSES]>) -> InferAnswer {
    ScansAnswer { rows }.to_infer(&request.model, &request.version, &request.id)
}

#[async_trait]
impl Disguise for Lazy {
    async fn infer(&self, _: &dyn Engine, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let mut guesses = vec![0_u8; scans(request)];
        self.entropy.clone().fill_bytes(&mut guesses);
        let mut rows = vec![[0.0; CLASSES]; guesses.len()];
        for (row, guess) in rows.iter_mut().zip(guesses) {
            row[usize::from(guess) % CLASSES] = 1.0;
        }
        Ok(answer(request, rows))
    }
}

#[async_trait]
impl Disguise for Nan {
    async fn infer(&self, _: &dyn Engine, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let scans = scans(request);
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            return Ok(answer(request, vec![[f32::NAN; CLASSES]; scans]));
        }
        Ok(answer(request, vec![[0.1; CLASSES]; scans + 1]))
    }
}

#[async_trait]
impl Disguise for Slow {
    async fn infer(&self, honest: &dyn Engine, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let answer = honest.infer(request).await;
        self.clock.sleep(self.delay).await;
        answer
    }
}
