//! Text models that the miner runs itself: one thread owns a model's decoder, sequences join and leave its batch.
//!
//! A prompt is tokenised on the CPU pool, waits in a bounded queue until the batch has room, and from then on gets a
//! token each step. A caller that went away is noticed at its next token, and its sequence leaves. A step that fails or
//! panics ends the generations that ran; the batch begins anew, and a model that goes on failing is said to be away.

mod worker;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use async_trait::async_trait;
use futures::stream;
use tokio::sync::mpsc;
use weighhouse_models::language::{Decoder as Batch, DecoderLimits, Generation, LanguageModel};
use weighhouse_models::sampling::Sampling;
use weighhouse_seams::{CpuPool, PoolError};
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, GUMBEL_V1, Prompt, TextAnswer, TextRequest};

use self::worker::{DecoderJob, Failures, Steps, Worker};
use super::error::BackendError;
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};

/// Failed steps in a row after which the model counts as away.
const FAILURES_MAX: u32 = 3;

/// A model behind its thread, which ends when this and the generations are gone.
#[derive(Clone, Debug)]
pub struct Decoder {
    model: LanguageModel,
    jobs: SyncSender<DecoderJob>,
    cpu: CpuPool,
    /// Steps in a row that failed.
    failures: Arc<Failures>,
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
        let failures = Arc::new(Failures::default());
        let worker = Worker::new(begin, queue, failures.clone());
        // A thread of its own: a decoder is busy for minutes on end, which no shared pool should be.
        std::thread::Builder::new().name("decoder".into()).spawn(|| worker.run())?;
        Ok(Self { model, jobs, cpu: cpu.clone(), failures })
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
        let failures = self.failures.in_a_row();
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

#[cfg(test)]
mod tests;
