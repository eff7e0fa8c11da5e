//! Requests that arrive together run together.
//!
//! Nothing runs in the background. A caller that finds the model idle takes what waits (its own request included) to
//! the CPU pool, and everybody's result comes back through a channel of their own; a caller that gives up takes nobody
//! down with it. The model always sees [`FORWARD_ROWS`] rows, padded with zeros.
//!
//! **Invariant.** An answer depends on the request and the weights alone, bit for bit on one machine, never on which
//! other requests were in the batch: a row's last bits depend on the size of the pass it is in, so there is one size.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use weighhouse_models::{Classifier, ModelError};
use weighhouse_seams::CpuPool;
use weighhouse_types::Digest;
use weighhouse_types::scans::{CLASSES, PIXELS};

use crate::engine::error::EngineError;
use crate::engine::limits::EngineLimits;

/// Rows of every forward pass.
pub(super) const FORWARD_ROWS: usize = 64;
/// Times that a request is queued again after the caller that was to run it gave up first.
const ATTEMPTS_MAX: u32 = 3;

pub(super) type QueuedRow = [f32; CLASSES];

/// A model's arithmetic, apart from queues and names.
pub(super) trait Forward: Send + Sync + fmt::Debug {
    fn digest(&self) -> Digest;
    /// One row of probabilities for each 64 pixels.
    fn forward(&self, pixels: &[f32]) -> Result<Vec<QueuedRow>, ModelError>;
}

impl Forward for Classifier {
    fn digest(&self) -> Digest {
        self.digest()
    }

    fn forward(&self, pixels: &[f32]) -> Result<Vec<QueuedRow>, ModelError> {
        self.forward(pixels)
    }
}

type BatchOutcome = Result<Vec<QueuedRow>, EngineError>;

pub(super) struct Job {
    pixels: Arc<Vec<f32>>,
    done: oneshot::Sender<BatchOutcome>,
}

/// One model and the requests that wait for it.
pub(super) struct Batcher {
    model: Arc<dyn Forward>,
    limits: EngineLimits,
    cpu: CpuPool,
    pub(super) queue: Mutex<VecDeque<Job>>,
    /// Held by the caller that runs the next batch.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Batcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("model", &self.model)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Batcher {
    pub(super) fn new(model: Arc<dyn Forward>, limits: EngineLimits, cpu: &CpuPool) -> Self {
        Self { model, limits, cpu: cpu.clone(), queue: Mutex::default(), turn: Default::default() }
    }

    /// Probabilities for the rows of one request, run together with whatever else waits.
    pub(super) async fn run(&self, pixels: Vec<f32>) -> BatchOutcome {
        let pixels = Arc::new(pixels);
        // The caller that runs the batch may give up midway; its requests then go back into the queue.
        for _ in 0..ATTEMPTS_MAX {
            let mut result = self.enqueue(pixels.clone())?;
            loop {
                // A finished result comes before the chance to run a batch for others.
                tokio::select! {
                    biased;
                    outcome = &mut result => match outcome {
                        Ok(outcome) => return outcome,
                        Err(_) => break,
                    },
                    // Dropped for a result, the wait for the turn loses nothing but its place in that queue.
                    _turn = self.turn.lock() => self.run_batch().await,
                }
            }
        }
        Err(EngineError::Failed("its batch was dropped".into()))
    }

    fn enqueue(&self, pixels: Arc<Vec<f32>>) -> Result<oneshot::Receiver<BatchOutcome>, EngineError> {
        let (done, result) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Callers that gave up hold no place.
        queue.retain(|job| !job.done.is_closed());
        if queue.len() >= self.limits.queue_max {
            return Err(EngineError::Busy);
        }
        queue.push_back(Job { pixels, done });
        Ok(result)
    }

    fn take_batch(&self) -> Vec<Job> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut items) = (Vec::new(), 0);
        while let Some(job) = queue.front() {
            items += job.pixels.len() / PIXELS;
            // A single request over the limit still runs, alone.
            if items > self.limits.batch_items_max && !batch.is_empty() {
                break;
            }
            batch.extend(queue.pop_front());
        }
        batch
    }

    async fn run_batch(&self) {
        let batch = self.take_batch();
        if batch.is_empty() {
            return;
        }
        let model = self.model.clone();
        let senders = Arc::new(Mutex::new(batch));
        let jobs = senders.clone();
        let ran = self.cpu.run(move || {
            let batch = std::mem::take(&mut *jobs.lock().unwrap_or_else(PoisonError::into_inner));
            let inputs: Vec<_> = batch.iter().map(|job| job.pixels.clone()).collect();
            for (job, outcome) in batch.into_iter().zip(forward_all(&*model, &inputs)) {
                // A caller that gave up no longer listens.
                let _ = job.done.send(outcome);
            }
        });
        // Jobs that the pool took lost their channel if it panicked; those it did not take are still here.
        if ran.await.is_err() {
            for job in std::mem::take(&mut *senders.lock().unwrap_or_else(PoisonError::into_inner)) {
                let _ = job.done.send(Err(EngineError::Busy));
            }
        }
    }
}

/// Runs all inputs in passes of one fixed size and cuts the rows back into one list per input.
fn forward_all(model: &dyn Forward, inputs: &[Arc<Vec<f32>>]) -> Vec<BatchOutcome> {
    let pixels: Vec<f32> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
    let mut rows = Vec::with_capacity(pixels.len() / PIXELS + FORWARD_ROWS);
    for chunk in pixels.chunks(FORWARD_ROWS * PIXELS) {
        let mut padded = chunk.to_vec();
        // Passes of one size: the model's bits depend on the batch's shape, and answers must not depend on who else
        // asks.
        padded.resize(FORWARD_ROWS * PIXELS, 0.0);
        match model.forward(&padded) {
            Ok(pass) if pass.len() == FORWARD_ROWS => rows.extend(&pass[..chunk.len() / PIXELS]),
            Ok(pass) => return failed(inputs, &format!("{} rows of {FORWARD_ROWS} came back", pass.len())),
            Err(error) => return failed(inputs, &error.to_string()),
        }
    }
    let mut rows = rows.into_iter();
    inputs.iter().map(|input| Ok(rows.by_ref().take(input.len() / PIXELS).collect())).collect()
}

fn failed(inputs: &[Arc<Vec<f32>>], why: &str) -> Vec<BatchOutcome> {
    vec![Err(EngineError::Failed(why.to_owned())); inputs.len()]
}
