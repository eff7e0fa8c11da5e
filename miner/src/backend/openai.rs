//! Any server with OpenAI's `/v1/completions`: vLLM, SGLang, llama.cpp.
//!
//! What the server can do is found out by small questions before it is used, and it is asked for nothing else: a refusal
//! of a field that the miner added is never the caller's fault. One connection per generation: dropping it is what tells the
//! server to stop.

mod abilities;
mod json;
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

use async_trait::async_trait;
use futures::stream;
use http::StatusCode;
use weighhouse_ask::completions::{CompletionError, CompletionEvents, CompletionServer};
use weighhouse_models::language::LanguageTokens;
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, Prompt, TextAnswer, TextRequest};

use self::abilities::{Abilities, TokenForm};
use self::question::{question, wants_lists};
use self::reading::Reading;
use self::refusal::Refusal;
use self::server::ProbedServer;
use self::spelling::Spelling;
use super::error::{BackendError, shortened};
use crate::engine::error::EngineError;
use crate::engine::generator::{Generator, PieceStream};

/// Bytes of a refusal that are read for our log.
const REFUSAL_BYTES_MAX: usize = 4 << 10;
/// Bytes of a list of models.
const MODELS_BYTES_MAX: usize = 1 << 20;
/// Bytes of a stream besides those of its tokens.
const STREAM_BYTES_BASE: usize = 64 << 10;
/// Bytes of a stream for each token: with 20 alternatives and their names about three thousand.
const STREAM_BYTES_PER_TOKEN: usize = 8 << 10;

/// Bytes of an answer. Bounded by what was asked for: a server that never ends its stream is cut by bytes, not only by
/// time.
fn bytes_max(request: &TextRequest) -> usize {
    let tokens = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
    STREAM_BYTES_PER_TOKEN.saturating_mul(tokens).saturating_add(STREAM_BYTES_BASE)
}

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
        self.behind.forget();
        let CompletionServer { url, model, .. } = &self.behind.server;
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

enum OpenAiCall {
    Begin(Arc<ProbedServer>, Box<TextRequest>),
    Reading(Arc<ProbedServer>, Box<Reading>),
    Done,
}

/// The first piece of an answer, and what reads the rest.
type Begun = Option<(TextAnswer, OpenAiCall)>;

async fn begin_answer(behind: &Arc<ProbedServer>, request: &TextRequest) -> Result<Begun, BackendError> {
    let begun = match begin_once(behind, request).await {
        // Words about the length of the prompt need no second opinion.
        Err(BackendError::Refused(why)) if !refusal::is_about_length(&why) => {
            let abilities = behind.abilities().await?;
            if !probe::refuses(&behind.server, request, &abilities).await? {
                return Err(BackendError::Refused(why));
            }
            // The same question with a prompt of our own is refused as well: the server changed what it takes.
            behind.forget();
            match begin_once(behind, request).await {
                Err(BackendError::Refused(why)) => Err(BackendError::Misconfigured(format!(
                    "it refuses what the miner adds to a prompt: {why}"
                ))),
                begun => begun,
            }
        }
        begun => begun,
    };
    if let Err(error) = &begun {
        note(behind, error).await;
    }
    begun
}

/// Takes what is known of a server for outdated where a failure shows that it may be.
async fn note(behind: &ProbedServer, error: &BackendError) {
    match error {
        BackendError::Unreachable(_) => behind.forget(),
        BackendError::Disconnected
        | BackendError::Malformed(_)
        | BackendError::Misconfigured(_)
        | BackendError::Unsuited(_) => behind.doubt().await,
        _ => {}
    }
}

async fn begin_once(behind: &Arc<ProbedServer>, request: &TextRequest) -> Result<Begun, BackendError> {
    let abilities = behind.abilities().await?;
    if matches!(request.prompt, Prompt::Ids(_)) && !abilities.prompt_ids {
        return Err(BackendError::Unsuited("it takes no prompts as token ids".into()));
    }
    if let Some(anchor) = llama_anchor(&abilities, request) {
        let answer = llama::complete(&behind.server, (&abilities, anchor), request).await?;
        return Ok(Some((answer, OpenAiCall::Done)));
    }
    let is_nameless = matches!(abilities.tokens, TokenForm::Words | TokenForm::Text);
    let is_spelled = is_nameless && wants_lists(request) && request.stop.is_empty();
    let tokenizer = behind.tokenizer.as_ref().filter(|_| is_spelled);
    let spelling = tokenizer.map(|tokenizer| Spelling::new(tokenizer.clone(), request));
    let mut reading = open(&behind.server, request, &abilities).await?.spelled(spelling);
    let first = reading.next().await?;
    Ok(first.map(|piece| (piece, OpenAiCall::Reading(behind.clone(), Box::new(reading)))))
}

/// The anchor for llama.cpp's own call, where an answer has to come by it.
fn llama_anchor(abilities: &Abilities, request: &TextRequest) -> Option<u32> {
    match abilities.tokens {
        TokenForm::Llama { anchor } if request.stop.is_empty() => {
            (wants_lists(request) || request.ignore_end).then_some(anchor)
        }
        _ => None,
    }
}

async fn open(
    server: &CompletionServer,
    request: &TextRequest,
    abilities: &Abilities,
) -> Result<Reading, BackendError> {
    let response = server.post(&question(&server.model, request, abilities)).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(Refusal::of_status(status, &response.refusal(REFUSAL_BYTES_MAX).await).into_error());
    }
    if let Some(compression) = response.compression() {
        let why = format!("it compresses its answers ({compression}) though asked not to; switch that off");
        return Err(BackendError::Misconfigured(why));
    }
    Ok(Reading::new(CompletionEvents::new(response, bytes_max(request)), request, abilities))
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

#[cfg(test)]
mod tests;
