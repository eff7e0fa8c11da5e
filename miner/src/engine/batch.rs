//! Requests that arrive together run together.
//!
//! Nothing runs in the background. A caller that finds the model idle takes what waits (its own request included) to
//! the CPU pool, and everybody's result comes back through a channel of their own; a caller that gives up takes nobody
//! down with it: what it had taken and the pool had not begun goes back to the queue's front.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use weighhouse_seams::{CpuPool, PoolError};

use super::error::EngineError;
use super::limits::EngineLimits;

/// Times that a request is run whose pass panicked, perhaps by another's doing.
const ATTEMPTS_MAX: u32 = 3;

/// A model's arithmetic over several requests at once, apart from queues and names.
pub(super) trait BatchModel: Send + Sync + fmt::Debug + 'static {
    /// One request's items.
    type Input: Send + Sync + 'static;
    type Output: Send + 'static;

    fn items(input: &Self::Input) -> usize;

    /// An outcome for each input, in order: what is wrong with one request is no other's fault.
    fn run(&self, inputs: &[Arc<Self::Input>]) -> Vec<Result<Self::Output, EngineError>>;
}

struct Job<M: BatchModel> {
    input: Arc<M::Input>,
    done: oneshot::Sender<Result<M::Output, EngineError>>,
}

/// Requests that a caller has taken to the pool. Where it gives up before the pool begins, they go back to the queue.
struct Taken<'a, M: BatchModel> {
    queue: &'a Mutex<VecDeque<Job<M>>>,
    jobs: Arc<Mutex<Vec<Job<M>>>>,
}

impl<M: BatchModel> Taken<'_, M> {
    fn take(&self) -> Vec<Job<M>> {
        std::mem::take(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<M: BatchModel> Drop for Taken<'_, M> {
    fn drop(&mut self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.take().into_iter().rev().for_each(|job| queue.push_front(job));
    }
}

/// One model and the requests that wait for it.
pub(super) struct Batcher<M: BatchModel> {
    model: Arc<M>,
    limits: EngineLimits,
    cpu: CpuPool,
    queue: Mutex<VecDeque<Job<M>>>,
    /// Held by the caller that runs the next batch.
    turn: tokio::sync::Mutex<()>,
}

impl<M: BatchModel> fmt::Debug for Batcher<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher")
            .field("model", &self.model)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<M: BatchModel> Batcher<M> {
    pub(super) fn new(model: M, limits: EngineLimits, cpu: &CpuPool) -> Self {
        Self {
            model: Arc::new(model),
            limits,
            cpu: cpu.clone(),
            queue: Mutex::default(),
            turn: Default::default(),
        }
    }

    /// The outcome of one request, run together with whatever else waits.
    pub(super) async fn run(&self, input: M::Input) -> Result<M::Output, EngineError> {
        let input = Arc::new(input);
        if let Some(outcome) = self.run_alone(&input).await {
            return outcome;
        }
        for _ in 0..ATTEMPTS_MAX {
            let mut result = self.enqueue(input.clone())?;
            loop {
                // A finished result comes before the chance to run a batch for others.
                tokio::select! {
                    biased;
                    outcome = &mut result => match outcome {
                        Ok(outcome) => return outcome,
                        // Its pass panicked.
                        Err(_) => break,
                    },
                    // Dropped for a result, the wait for the turn loses nothing but its place in that queue.
                    _turn = self.turn.lock() => self.run_batch().await,
                }
            }
        }
        Err(EngineError::Failed("its pass panicked".into()))
    }

    /// The outcome where the model is idle and nobody waits: no channel is needed then.
    async fn run_alone(&self, input: &Arc<M::Input>) -> Option<Result<M::Output, EngineError>> {
        let _turn = self.turn.try_lock().ok()?;
        if !self.queue.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return None;
        }
        let (model, input) = (self.model.clone(), input.clone());
        match self.cpu.run(move || model.run(&[input]).pop()).await {
            Ok(outcome) => outcome,
            Err(PoolError::Full) => Some(Err(EngineError::Busy)),
            // It is tried again, with whoever waits by then.
            Err(PoolError::Panicked) => None,
        }
    }

    fn enqueue(
        &self,
        input: Arc<M::Input>,
    ) -> Result<oneshot::Receiver<Result<M::Output, EngineError>>, EngineError> {
        let (done, result) = oneshot::channel();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Callers that gave up hold no place.
        queue.retain(|job| !job.done.is_closed());
        if queue.len() >= self.limits.queue_max {
            return Err(EngineError::Busy);
        }
        queue.push_back(Job { input, done });
        Ok(result)
    }

    fn take_batch(&self) -> Vec<Job<M>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.retain(|job| !job.done.is_closed());
        let (mut batch, mut items) = (Vec::new(), 0);
        while let Some(job) = queue.front() {
            items += M::items(&job.input);
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
        let taken = Taken { queue: &self.queue, jobs: Arc::new(Mutex::new(batch)) };
        let jobs = taken.jobs.clone();
        let ran = self.cpu.run(move || {
            let batch = std::mem::take(&mut *jobs.lock().unwrap_or_else(PoisonError::into_inner));
            let inputs: Vec<_> = batch.iter().map(|job| job.input.clone()).collect();
            for (job, outcome) in batch.into_iter().zip(model.run(&inputs)) {
                // A caller that gave up no longer listens.
                let _ = job.done.send(outcome);
            }
        });
        // Jobs that the pool took lost their channel if it panicked; those it did not take are still here.
        if ran.await.is_err() {
            for job in taken.take() {
                let _ = job.done.send(Err(EngineError::Busy));
            }
        }
    }
}

#[cfg(test)]
impl<M: BatchModel> Batcher<M> {
    pub(super) fn waiting(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
