//! Any server of the Open Inference Protocol, version 2, with a model of texts: Triton with its vLLM backend or TensorRT-LLM's
//! ensembles, KServe, or one like them.
//!
//! Names, datatypes and shapes of what it takes are its own (`ModelMetadata`, Triton's `ModelConfig`). Its model is asked
//! with `ModelStreamInfer` where it answers in any number of pieces, else with `ModelInfer`.

mod answer;
mod call;
mod numbers;
mod plan;
mod refusal;
mod server;
mod setting;
mod tensor;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream;
use weighhouse_seams::Clock;
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, TextAnswer, TextRequest};

use self::call::Call;
use self::server::{Known, Server};
use super::error::BackendError;
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};
use crate::remote::Upstream;

/// A model of texts behind a server.
#[derive(Debug)]
pub struct Oip {
    server: Arc<Server>,
    digest: Digest,
}

impl Oip {
    /// Connects when it is first needed. Must be called within a tokio runtime.
    pub fn new(upstream: Upstream, digest: Digest, clock: Arc<dyn Clock>) -> Self {
        Self { server: Arc::new(Server::new(upstream, clock)), digest }
    }
}

#[async_trait]
impl Generator for Oip {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let asking = Asking::Begin(self.server.clone(), Box::new(request));
        Box::pin(stream::try_unfold(asking, |asking| async {
            let mut asked = match asking {
                Asking::Begin(server, request) => match begin(server, *request).await? {
                    (Some(piece), asked) => return Ok(Some((piece, Asking::Begun(Box::new(asked))))),
                    (None, asked) => asked,
                },
                Asking::Begun(asked) => *asked,
            };
            let piece = asked.next().await?;
            Ok(piece.map(|piece| (piece, Asking::Begun(Box::new(asked)))))
        }))
    }

    fn answers_whole(&self, _: &TextRequest) -> bool {
        self.server.answers_whole()
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        let Upstream { url, model, .. } = &self.server.remote.upstream;
        match self.server.ask().await {
            Ok(_) => Ok(()),
            // Backends start slower than miners: only what waiting can't mend stops the start.
            Err(error @ (BackendError::Misconfigured(_) | BackendError::Malformed(_))) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%url, model, %error, "the backend can't be asked yet; it is asked again with the first request");
                Ok(())
            }
        }
    }

    async fn upstream(&self) -> Option<Result<String, EngineError>> {
        let Upstream { url, model, .. } = &self.server.remote.upstream;
        let known = self.server.ask().await;
        Some(known.map(|known| format!("{url}: {model:?} {known}")).map_err(EngineError::Backend))
    }

    async fn look(&self) -> Option<Result<(), EngineError>> {
        Some(self.server.look().await.map_err(EngineError::Backend))
    }
}

enum Asking {
    Begin(Arc<Server>, Box<TextRequest>),
    Begun(Box<Asked>),
}

/// A call, and the server of which it may show that it has changed.
struct Asked {
    server: Arc<Server>,
    known: Arc<Known>,
    call: Call,
    tokens: usize,
}

/// Asks, and a second time where the server's model has changed since it was looked at.
async fn begin(
    server: Arc<Server>,
    request: TextRequest,
) -> Result<(Option<TextAnswer>, Asked), BackendError> {
    let known = server.known().await?;
    let mut asked = Asked::new(server.clone(), known, request.clone());
    match asked.next().await {
        Ok(piece) => Ok((piece, asked)),
        Err(error) if refusal::is_of_tensors(&error) && !asked.call.answered() => {
            let known = server.known().await?;
            if known == asked.known {
                return Err(error);
            }
            let mut again = Asked::new(server, known, request);
            Ok((again.next().await?, again))
        }
        Err(error) => Err(error),
    }
}

impl Asked {
    fn new(server: Arc<Server>, known: Arc<Known>, request: TextRequest) -> Self {
        let call = Call::new(server.remote.client(), known.plan.clone(), request, known.echoes);
        Self { server, known, call, tokens: 0 }
    }

    async fn next(&mut self) -> Result<Option<TextAnswer>, BackendError> {
        let piece = self.call.next().await;
        match &piece {
            Ok(Some(piece)) => {
                self.tokens += piece.tokens.len();
                if piece.finish.is_some() && self.known.tells_ids && self.tokens == 0 {
                    self.server.forget().await;
                }
            }
            Err(error) if server::doubts(error) => self.server.doubt().await,
            Ok(None) | Err(_) => {}
        }
        piece
    }
}

#[cfg(test)]
mod tests;
