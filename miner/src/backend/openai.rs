//! Any server with OpenAI's `/v1/completions`: vLLM, SGLang, llama.cpp.
//!
//! One connection per generation: dropping it is what tells the server to stop.

mod neutral;
mod question;
mod reply;

use std::sync::Arc;

use futures::stream;
use http::StatusCode;
use weighhouse_ask::completions::{CompletionError, CompletionEvents, CompletionServer};
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, TextAnswer, TextRequest};

use super::error::{BackendError, Stage, shortened};
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};
use question::question;
use reply::Reader;

/// Bytes of a refusal that are read for our log.
const REFUSAL_BYTES_MAX: usize = 4 << 10;
/// Bytes of a stream besides those of its tokens.
const STREAM_BYTES_BASE: usize = 64 << 10;
/// Bytes of a stream for each token: with 20 alternatives and their names about three thousand.
const STREAM_BYTES_PER_TOKEN: usize = 8 << 10;

/// A generator behind a server.
#[derive(Clone, Debug)]
pub struct OpenAi {
    server: Arc<CompletionServer>,
    digest: Digest,
}

impl OpenAi {
    /// `digest` stands for the server's model.
    pub fn new(server: CompletionServer, digest: Digest) -> Self {
        Self { server: Arc::new(server), digest }
    }
}

impl Generator for OpenAi {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let begin = OpenAiCall::Begin(self.server.clone(), Box::new(request));
        Box::pin(stream::try_unfold(begin, |call| async {
            let mut reading = match call {
                OpenAiCall::Begin(server, request) => open(&server, &request).await?,
                OpenAiCall::Reading(reading) => reading,
            };
            let piece = reading.next().await.map_err(EngineError::Backend)?;
            Ok(piece.map(|piece| (piece, OpenAiCall::Reading(reading))))
        }))
    }
}

enum OpenAiCall {
    Begin(Arc<CompletionServer>, Box<TextRequest>),
    Reading(Box<Reading>),
}

/// A completion that is being read.
struct Reading {
    events: CompletionEvents,
    reader: Reader,
    ended: bool,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<TextAnswer>, BackendError> {
        while !self.ended {
            let event = self.events.next().await?;
            if let Some(piece) = self.reader.read(&event)? {
                self.ended = piece.finish.is_some();
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

async fn open(server: &CompletionServer, request: &TextRequest) -> Result<Box<Reading>, BackendError> {
    let response = server.post(&question(&server.model, request)).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(refusal(status, &response.refusal(REFUSAL_BYTES_MAX).await));
    }
    let tokens = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
    // Bounded by what was asked for: a server that never ends its stream is cut by bytes, not only by time.
    let bytes_max = STREAM_BYTES_PER_TOKEN.saturating_mul(tokens).saturating_add(STREAM_BYTES_BASE);
    let events = CompletionEvents::new(response, bytes_max);
    Ok(Box::new(Reading { events, reader: Reader::new(request), ended: false }))
}

impl From<CompletionError> for BackendError {
    fn from(error: CompletionError) -> Self {
        match error {
            CompletionError::Unreachable(why) => Self::Unreachable(shortened(&why)),
            CompletionError::Misconfigured(why) => Self::Misconfigured(why),
            CompletionError::Disconnected => Self::Disconnected,
            CompletionError::Oversized(_) | CompletionError::OversizedEvent(_) => {
                Self::Malformed(error.to_string())
            }
        }
    }
}

/// A response that is no stream.
fn refusal(status: StatusCode, text: &str) -> BackendError {
    let why = shortened(&format!("{status}: {text}"));
    match status.as_u16() {
        // 422 is how FastAPI, under vLLM and SGLang, refuses a body that doesn't fit.
        400 | 413 | 422 => BackendError::Refused(why),
        429 => BackendError::Busy,
        408 | 504 => BackendError::Slow(Stage::First),
        502 | 503 => BackendError::Unreachable(why),
        500..=599 => BackendError::Failed(why),
        _ => BackendError::Misconfigured(why),
    }
}

#[cfg(test)]
mod tests;
