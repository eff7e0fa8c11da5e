//! Any server with OpenAI's `/v1/completions`: vLLM, SGLang, llama.cpp.
//!
//! What the server can do is found out by small questions before it is used, and it is asked for nothing else: a refusal
//! of a field that the miner added is never the caller's fault. One connection per generation: dropping it is what tells the
//! server to stop.

mod abilities;
mod answer;
mod ending;
mod json;
mod limits;
mod llama;
mod neutral;
mod probe;
mod question;
mod reading;
mod refusal;
mod reply;
mod rows;
mod server;
mod spelling;
mod stop_words;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use tokio::time::timeout;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_models::language::LanguageTokens;
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, TextRequest};

use self::abilities::Abilities;
use self::answer::{OpenAiCall, begin_answer, llama_anchor, note};
use self::server::ProbedServer;
use super::error::BackendError;
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};

/// Wait at the start for a word of the server: one that hangs is no reason to serve later.
const FIRST_LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// A generator behind a server.
#[derive(Clone, Debug)]
pub struct OpenAi {
    behind: Arc<ProbedServer>,
    digest: Digest,
}

impl OpenAi {
    /// `digest` stands for the server's model.
    pub fn new(server: CompletionServer, digest: Digest) -> Self {
        Self { behind: Arc::new(ProbedServer::new(server, None)), digest }
    }

    /// The same, with the tokenizer of the server's model: it finds ids where the server tells words.
    pub fn with_tokenizer(server: CompletionServer, digest: Digest, tokenizer: LanguageTokens) -> Self {
        Self { behind: Arc::new(ProbedServer::new(server, Some(tokenizer))), digest }
    }

    fn obstacle(&self, abilities: &Abilities) -> Option<&'static str> {
        abilities.obstacle(self.behind.tokenizer.is_some())
    }
}

#[async_trait]
impl Generator for OpenAi {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn answers_whole(&self, request: &TextRequest) -> bool {
        self.behind
            .known()
            .is_some_and(|abilities| !abilities.streams || llama_anchor(&abilities, request).is_some())
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let begin = OpenAiCall::Begin(self.behind.clone(), Box::new(request));
        Box::pin(stream::try_unfold(begin, |call| async {
            let next = match call {
                OpenAiCall::Begin(behind, request) => begin_answer(&behind, &request).await,
                OpenAiCall::Reading(behind, mut reading) => match reading.next().await {
                    Ok(piece) => Ok(piece.map(|piece| (piece, OpenAiCall::Reading(behind, reading)))),
                    Err(error) => {
                        note(&behind, &error).await;
                        Err(error)
                    }
                },
                OpenAiCall::Done => Ok(None),
            };
            next.map_err(EngineError::Backend)
        }))
    }

    async fn prepare(&self) -> Result<(), EngineError> {
        self.behind.forget().await;
        let CompletionServer { url, model, .. } = &self.behind.server;
        if timeout(FIRST_LOOK_TIMEOUT, self.behind.look()).await.is_err() {
            // Whoever watches the server tells that it hangs.
            tracing::debug!(%url, model, "the backend answers nothing yet");
            return Ok(());
        }
        match self.behind.learn().await {
            Ok(abilities) => {
                if let Some(obstacle) = self.obstacle(&abilities) {
                    tracing::warn!(%url, model, "{obstacle}");
                }
            }
            // Whoever watches the server tells that it is away.
            Err(BackendError::Unreachable(why)) => {
                tracing::debug!(%url, model, why, "the backend isn't there yet")
            }
            // Other models of this miner can be served meanwhile, and a server that is set up anew is asked again.
            Err(error) => {
                tracing::warn!(%url, model, %error, "the backend didn't say what it can do; it is asked again");
            }
        }
        Ok(())
    }

    async fn upstream(&self) -> Option<Result<String, EngineError>> {
        let url = &self.behind.server.url;
        let told = self.behind.learn().await;
        let told = told.map(|abilities| match self.obstacle(&abilities) {
            Some(obstacle) => format!("{url} {abilities}; {obstacle}"),
            None => format!("{url} {abilities}"),
        });
        Some(told.map_err(EngineError::Backend))
    }

    async fn look(&self) -> Option<Result<(), EngineError>> {
        Some(self.behind.look().await.map_err(EngineError::Backend))
    }
}

#[cfg(test)]
mod tests;
