//! Text models that the miner runs itself: one thread owns a model's decoder, sequences join and leave its batch.
//!
//! A prompt is tokenised on the CPU pool, waits in a bounded queue until the batch has room, and from then on gets a
//! token each step. A caller that went away is noticed at its next token, and its sequence leaves. A step that fails or
//! panics ends the generations that ran; the batch begins anew, and a model that goes on failing is said to be away.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use async_trait::async_trait;
use futures::stream;
use tokio::sync::mpsc;
use weighhouse_models::language::{
    Decoder as Batch, DecoderEvent, DecoderLimits, ForwardError, Generation, LanguageModel, SequenceId,
    SubmitRefusal,
};
use weighhouse_models::sampling::Sampling;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, GUMBEL_V1, Prompt, TextAnswer, TextRequest};

use super::error::BackendError;
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};
use crate::metrics;

/// Failed steps in a row after which the model counts as away.
const FAILURES_MAX: u32 = 3;

/// A generation that waits for its turn, or runs.
struct DecoderJob {
    prompt: Vec<u32>,
    what: Generation,
    log_probs: bool,
    /// Has room for every piece, so that a slow reader holds up nobody.
    pieces: mpsc::Sender<Result<TextAnswer, EngineError>>,
}

/// A model behind its thread, which ends when this and the generations are gone.
#[derive(Clone, Debug)]
pub struct Decoder {
    model: LanguageModel,
    jobs: SyncSender<DecoderJob>,
    cpu: CpuPool,
    /// Steps in a row that failed.
    failures: Arc<AtomicU32>,
}

impl Decoder {
    /// `queue_max` generations wait at most.
    pub fn start(
        model: LanguageModel,
        limits: DecoderLimits,
        queue_max: usize,
        cpu: &CpuPool,
    ) -> std::io::Result<Self> {
        let weights = model.clone();
        Self::run(model, move || Batch::new(weights.clone(), limits), queue_max, cpu)
    }

    fn run<B: Steps>(
        model: LanguageModel,
        begin: impl Fn() -> B + Send + 'static,
        queue_max: usize,
        cpu: &CpuPool,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(queue_max);
        let failures = Arc::new(AtomicU32::new(0));
        let (batch, waiting, running) = (begin(), VecDeque::new(), HashMap::new());
        let worker =
            Worker { batch, begin: Box::new(begin), queue, waiting, running, failures: failures.clone() };
        // A thread of its own: a decoder is busy for minutes on end, which no shared pool should be.
        std::thread::Builder::new().name("decoder".into()).spawn(|| worker.run())?;
        Ok(Self { model, jobs, cpu: cpu.clone(), failures })
    }
}

/// Sequences that are continued together, as the model has them.
trait Steps: Send + 'static {
    fn is_idle(&self) -> bool;
    fn join(&mut self, prompt: &[u32], what: Generation) -> Result<SequenceId, SubmitRefusal>;
    fn leave(&mut self, sequence: SequenceId);
    fn step(&mut self) -> Result<Vec<DecoderEvent>, ForwardError>;
}

impl Steps for Batch {
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn join(&mut self, prompt: &[u32], what: Generation) -> Result<SequenceId, SubmitRefusal> {
        self.join(prompt, what)
    }

    fn leave(&mut self, sequence: SequenceId) {
        self.leave(sequence);
    }

    fn step(&mut self) -> Result<Vec<DecoderEvent>, ForwardError> {
        self.step()
    }
}

#[async_trait]
impl Generator for Decoder {
    fn digest(&self) -> Digest {
        self.model.digest()
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY, GUMBEL_V1]
    }

    async fn look(&self) -> Option<Result<(), EngineError>> {
        let failures = self.failures.load(Ordering::Relaxed);
        Some(match failures {
            ..FAILURES_MAX => Ok(()),
            u32::MAX => Err(ended()),
            _ => Err(BackendError::Failed(format!("{failures} times in a row, as the log tells")).into()),
        })
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let begin = DecoderCall::Begin(Box::new((self.clone(), request)));
        Box::pin(stream::try_unfold(begin, |call| async {
            let mut call = match call {
                DecoderCall::Begin(begin) => {
                    let (decoder, request) = *begin;
                    decoder.submit(request).await?
                }
                reading @ DecoderCall::Reading { .. } => reading,
            };
            // Never `Begin`: `submit` gives nothing but a call that is being read.
            let DecoderCall::Reading { pieces, prompt_tokens } = &mut call else { return Ok(None) };
            match pieces.recv().await {
                Some(piece) => {
                    let piece = TextAnswer { prompt_tokens: *prompt_tokens, ..piece? };
                    Ok(Some((piece, call)))
                }
                None => Ok(None),
            }
        }))
    }
}

enum DecoderCall {
    Begin(Box<(Decoder, TextRequest)>),
    Reading { pieces: mpsc::Receiver<Result<TextAnswer, EngineError>>, prompt_tokens: u32 },
}

impl Decoder {
    async fn submit(self, request: TextRequest) -> Result<DecoderCall, EngineError> {
        let TextRequest { max_tokens, temperature, top_k, top_p, seed, .. } = request;
        let sampling = Sampling::new(temperature, top_k, top_p, seed)
            .map_err(|error| EngineError::Refused(error.to_string()))?;
        let prompt = match request.prompt {
            Prompt::Ids(ids) => ids,
            Prompt::Text(text) => {
                let model = self.model.clone();
                // Tokenising a long prompt takes milliseconds, too long for the reactor.
                let encoded = self.cpu.run(move || model.encode(&text)).await.map_err(pool_failure)?;
                encoded.map_err(|error| EngineError::Refused(error.to_string()))?
            }
        };
        let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
        let what = Generation {
            max_tokens,
            sampling,
            stop: request.stop,
            top_log_probs: request.top_log_probs,
            ignore_end: request.ignore_end,
        };
        // One more for the error that may end the generation.
        let room = usize::try_from(max_tokens).unwrap_or(usize::MAX).saturating_add(1);
        let (sender, pieces) = mpsc::channel(room.min(tokio::sync::Semaphore::MAX_PERMITS));
        let job = DecoderJob { prompt, what, log_probs: request.log_probs, pieces: sender };
        match self.jobs.try_send(job) {
            Ok(()) => Ok(DecoderCall::Reading { pieces, prompt_tokens }),
            Err(TrySendError::Full(_)) => Err(EngineError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

fn ended() -> EngineError {
    BackendError::Failed("the decoder's thread ended".into()).into()
}

fn pool_failure(error: PoolError) -> EngineError {
    match error {
        PoolError::Full => EngineError::Busy,
        PoolError::Panicked => EngineError::Failed(error.to_string()),
    }
}

/// The thread's side.
struct Worker<B> {
    batch: B,
    begin: Box<dyn Fn() -> B + Send>,
    queue: Receiver<DecoderJob>,
    /// At most the one that found no room in the batch.
    waiting: VecDeque<DecoderJob>,
    running: HashMap<SequenceId, Reader>,
    failures: Arc<AtomicU32>,
}

/// Says when it is dropped that the model is away for good.
struct Ended(Arc<AtomicU32>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(u32::MAX, Ordering::Relaxed);
    }
}

struct Reader {
    log_probs: bool,
    pieces: mpsc::Sender<Result<TextAnswer, EngineError>>,
}

impl<B: Steps> Worker<B> {
    fn run(mut self) {
        // However the thread ends, nobody answers behind it.
        let _ended = Ended(self.failures.clone());
        loop {
            // What a panic leaves behind is dropped with the batch.
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return,
                Ok(Err(error)) => self.restart(&error.to_string()),
                Err(_) => self.restart("a panic"),
            }
        }
    }

    /// One prompt's pass, and one more token for all that run; false at the end of all.
    fn turn(&mut self) -> Result<bool, ForwardError> {
        if !self.admit()? {
            return Ok(false);
        }
        for event in self.batch.step()? {
            // Not with any token: the first one comes of the prompt's pass, and those after it may all fail.
            if event.finish.is_some() {
                self.failures.store(0, Ordering::Relaxed);
            }
            self.tell(event);
        }
        Ok(true)
    }

    /// A pass that failed leaves the cache in an unknown state: no sequence in it can be trusted to go on.
    fn restart(&mut self, error: &str) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        tracing::error!(
            error,
            failures,
            running = self.running.len(),
            "the model's pass failed; it begins anew"
        );
        metrics::decoder_restart();
        for reader in std::mem::take(&mut self.running).into_values() {
            let failed = EngineError::from(BackendError::Failed(error.to_owned()));
            let _ = reader.pieces.try_send(Err(failed));
        }
        self.batch = (self.begin)();
    }

    /// Lets one generation in, so that those that run wait for one prompt at most; false at the end of all.
    fn admit(&mut self) -> Result<bool, ForwardError> {
        let idle = self.batch.is_idle();
        let job = match self.waiting.pop_front() {
            Some(job) => Ok(job),
            // Blocks only when nothing runs; otherwise those that run would wait for a newcomer.
            None if idle => self.queue.recv().map_err(|_| TryRecvError::Disconnected),
            None => self.queue.try_recv(),
        };
        match job {
            Ok(job) => self.join(job)?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(!idle),
        }
        Ok(true)
    }

    fn join(&mut self, job: DecoderJob) -> Result<(), ForwardError> {
        // Its caller gave up while it waited; a prompt pass for nobody would hold up all others.
        if job.pieces.is_closed() {
            return Ok(());
        }
        match self.batch.join(&job.prompt, job.what.clone()) {
            Ok(id) => {
                let DecoderJob { log_probs, pieces, .. } = job;
                self.running.insert(id, Reader { log_probs, pieces });
            }
            // Whoever runs now leaves sooner or later; an idle batch has room for all that fits at all.
            Err(SubmitRefusal::Busy { .. }) if !self.batch.is_idle() => self.waiting.push_back(job),
            Err(SubmitRefusal::Prompt(error @ ForwardError::Backend)) => {
                let failed = BackendError::Failed(error.to_string());
                let _ = job.pieces.try_send(Err(failed.into()));
                return Err(error);
            }
            Err(refused) => {
                let _ = job.pieces.try_send(Err(EngineError::Refused(refused.to_string())));
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: DecoderEvent) {
        let DecoderEvent { sequence, token, text, log_prob, top, finish } = event;
        let Some(reader) = self.running.get(&sequence) else { return };
        let piece = TextAnswer {
            text,
            tokens: vec![token],
            log_probs: if reader.log_probs { vec![log_prob] } else { Vec::new() },
            top: if top.is_empty() { Vec::new() } else { vec![top] },
            finish: finish.and_then(|finish| finish.name().parse().ok()),
            // Set on the reading side, which counted the prompt.
            prompt_tokens: 0,
        };
        // Never for want of room, which was made for every token: an error means that the reader went away.
        let gone = reader.pieces.try_send(Ok(piece)).is_err();
        // The reader went away midway: its place in the batch is free at once.
        if gone && finish.is_none() {
            self.batch.leave(sequence);
        }
        if gone || finish.is_some() {
            self.running.remove(&sequence);
        }
    }
}

#[cfg(test)]
mod tests;
