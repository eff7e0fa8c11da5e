//! The engine over classifiers: requests that arrive together run together.
//!
//! Nothing runs in the background. Whoever finds the model idle takes what waits (its own request included) to the
//! CPU pool, and everybody's result comes back through a channel of their own; a caller that gives up takes nobody
//! down with it. The model always sees [`FORWARD_ROWS`] rows, padded with zeros.
//!
//! **Invariant.** An answer depends on the request and the weights alone, bit for bit on one machine, never on which
//! other requests were in the batch: a row's last bits depend on the size of the pass it is in, so there is one size.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::oneshot;
use weighhouse_models::{Classifier, ModelError};
use weighhouse_proto::ModelKind;
use weighhouse_seams::CpuPool;
use weighhouse_types::scans::{CLASSES, INPUT, OUTPUT, PIXELS, ScansAnswer, ScansRequest};
use weighhouse_types::{Datatype, Digest, InferAnswer, InferRequest};

use super::{Engine, EngineError, ServedModel, TensorSpec};
use crate::config::{Limits, ModelConfig, ModelSource};

/// Rows of every forward pass.
const FORWARD_ROWS: usize = 64;
/// How often a request is queued again after the caller that was to run it gave up first.
const ATTEMPTS_MAX: u32 = 3;

type Row = [f32; CLASSES];

/// A model's arithmetic, apart from queues and names.
pub(super) trait Forward: Send + Sync + fmt::Debug {
    fn digest(&self) -> Digest;
    /// One row of probabilities for each 64 pixels.
    fn forward(&self, pixels: &[f32]) -> Result<Vec<Row>, ModelError>;
}

impl Forward for Classifier {
    fn digest(&self) -> Digest {
        self.digest()
    }

    fn forward(&self, pixels: &[f32]) -> Result<Vec<Row>, ModelError> {
        self.forward(pixels)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Items in one request.
    pub items_max: u32,
    /// Requests waiting for one model.
    pub queue_max: usize,
    /// Items that one model runs at once.
    pub batch_items_max: usize,
}

impl From<&Limits> for EngineLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            items_max: limits.items_max,
            queue_max: limits.queue_max,
            batch_items_max: limits.batch_items_max as usize,
        }
    }
}

/// Serves classifiers of digits.
#[derive(Debug)]
pub struct ClassifierEngine {
    served: Vec<ServedModel>,
    /// In the order of `served`.
    batchers: Vec<Batcher>,
    limits: EngineLimits,
}

impl ClassifierEngine {
    /// An engine over named models: name, version, weights.
    pub fn new(models: Vec<(String, String, Classifier)>, limits: EngineLimits, cpu: &CpuPool) -> Self {
        let models =
            models.into_iter().map(|(name, version, model)| (name, version, Arc::new(model) as Arc<_>));
        Self::over(models.collect(), limits, cpu)
    }

    fn over(models: Vec<(String, String, Arc<dyn Forward>)>, limits: EngineLimits, cpu: &CpuPool) -> Self {
        let mut served = Vec::with_capacity(models.len());
        let mut batchers = Vec::with_capacity(models.len());
        for (name, version, model) in models {
            served.push(describe(name, version, model.digest()));
            batchers.push(Batcher {
                model,
                limits,
                cpu: cpu.clone(),
                queue: Mutex::default(),
                turn: Default::default(),
            });
        }
        Self { served, batchers, limits }
    }
}

#[async_trait]
impl Engine for ClassifierEngine {
    fn models(&self) -> &[ServedModel] {
        &self.served
    }

    fn items_max(&self) -> u32 {
        self.limits.items_max
    }

    async fn infer(&self, request: &InferRequest) -> Result<InferAnswer, EngineError> {
        let index =
            self.served.iter().position(|model| model.is(&request.model, &request.version)).ok_or_else(
                || EngineError::NoModel { name: request.model.clone(), version: request.version.clone() },
            )?;
        let scans_max = usize::try_from(self.limits.items_max).unwrap_or(usize::MAX);
        let asked = ScansRequest::from_infer(request, scans_max)?;
        let rows = self.batchers[index].run(asked.pixels).await?;
        let model = &self.served[index];
        Ok(ScansAnswer { rows }.to_infer(&model.name, &model.version, &request.id))
    }
}

/// Why a configured model can't be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{path}: {error}; check `weights` in the configuration")]
    Read { path: String, error: std::io::Error },
    #[error("model {name:?}: {error}")]
    Model { name: String, error: ModelError },
    #[error("{path}: {error}; check `key_file` in the configuration")]
    Key { path: String, error: std::io::Error },
    #[error(transparent)]
    Router(#[from] super::RouterError),
    #[error("model {name:?}: {error}")]
    Language { name: String, error: Box<weighhouse_models::language::LanguageError> },
    #[error("model {name:?}: {error}")]
    Embedder { name: String, error: Box<weighhouse_models::encoder::EncoderError> },
    #[error("model {name:?}: no thread could be started: {error}")]
    Thread { name: String, error: std::io::Error },
    #[error("model {name:?}: {error}")]
    Device { name: String, error: weighhouse_models::device::DeviceError },
    #[error("model {name:?}: {why}")]
    Folder { name: String, why: String },
}

/// The weights of the configured classifiers. `read` gives a file's bytes.
pub fn load_models(
    models: &[ModelConfig],
    read: impl Fn(&std::path::Path) -> std::io::Result<Vec<u8>>,
) -> Result<Vec<(String, String, Classifier)>, LoadError> {
    let load = |model: &ModelConfig| {
        let classifier = match &model.source {
            ModelSource::Builtin(builtin) => Classifier::load(builtin.bytes()),
            ModelSource::Weights(path) => Classifier::load(
                &read(path).map_err(|error| LoadError::Read { path: path.display().to_string(), error })?,
            ),
            ModelSource::Language(_) | ModelSource::Embedder(_) | ModelSource::Remote(_) => return Ok(None),
        };
        let classifier = classifier.map_err(|error| LoadError::Model { name: model.name.clone(), error })?;
        Ok(Some((model.name.clone(), model.version.clone(), classifier)))
    };
    models.iter().filter_map(|model| load(model).transpose()).collect()
}

fn describe(name: String, version: String, digest: Digest) -> ServedModel {
    let spec = |name: &str, width: usize| TensorSpec {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: vec![None, Some(width as u64)],
    };
    ServedModel {
        name,
        version,
        digest,
        kind: ModelKind::Classifier,
        inputs: vec![spec(INPUT, PIXELS)],
        outputs: vec![spec(OUTPUT, CLASSES)],
        samplers: Vec::new(),
    }
}

type Outcome = Result<Vec<Row>, EngineError>;

struct Job {
    pixels: Arc<Vec<f32>>,
    done: oneshot::Sender<Outcome>,
}

/// One model and the requests that wait for it.
struct Batcher {
    model: Arc<dyn Forward>,
    limits: EngineLimits,
    cpu: CpuPool,
    queue: Mutex<VecDeque<Job>>,
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
    async fn run(&self, pixels: Vec<f32>) -> Outcome {
        let pixels = Arc::new(pixels);
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
                    _turn = self.turn.lock() => self.run_batch().await,
                }
            }
        }
        Err(EngineError::Failed("its batch was dropped".into()))
    }

    fn enqueue(&self, pixels: Arc<Vec<f32>>) -> Result<oneshot::Receiver<Outcome>, EngineError> {
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
fn forward_all(model: &dyn Forward, inputs: &[Arc<Vec<f32>>]) -> Vec<Outcome> {
    let pixels: Vec<f32> = inputs.iter().flat_map(|input| input.iter().copied()).collect();
    let mut rows = Vec::with_capacity(pixels.len() / PIXELS + FORWARD_ROWS);
    for chunk in pixels.chunks(FORWARD_ROWS * PIXELS) {
        let mut padded = chunk.to_vec();
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

fn failed(inputs: &[Arc<Vec<f32>>], why: &str) -> Vec<Outcome> {
    vec![Err(EngineError::Failed(why.to_owned())); inputs.len()]
}

#[cfg(test)]
mod tests;
