//! Any server with OpenAI's `/v1/completions`: vLLM, SGLang, llama.cpp.
//!
//! One HTTP/1.1 connection per generation: dropping it is what tells the server to stop. `https` is not spoken: such a
//! server stands beside the miner, or behind a tunnel of the operator's.

mod reply;
mod sse;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use weighhouse_types::Digest;
use weighhouse_types::text::{GREEDY, Prompt, TextAnswer, TextRequest};

use super::{BackendError, shortened};
use crate::engine::{EngineError, Generator, PieceStream};
use reply::Reader;
use sse::Events;

/// Bytes of a refusal that are read for our log.
const REFUSAL_BYTES_MAX: usize = 4 << 10;
/// Bytes of a stream besides those of its tokens.
const STREAM_BYTES_BASE: usize = 64 << 10;
/// Bytes of a stream for each token: with 20 alternatives and their names about three thousand.
const STREAM_BYTES_PER_TOKEN: usize = 8 << 10;
/// Bytes of headers.
const HEADER_BYTES_MAX: usize = 16 << 10;

/// Where the server is and what it calls its model.
#[derive(Clone)]
pub struct Settings {
    /// `http://HOST:PORT`, with or without the `/v1` behind it.
    pub url: http::Uri,
    pub model: String,
    pub digest: Digest,
    /// Sent as a bearer token.
    pub key: Option<String>,
    pub connect_timeout: Duration,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).field("model", &self.model).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub struct OpenAi(Arc<Settings>);

impl OpenAi {
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }
}

impl Generator for OpenAi {
    fn digest(&self) -> Digest {
        self.0.digest
    }

    fn samplers(&self) -> Vec<&'static str> {
        vec![GREEDY]
    }

    fn generate(&self, request: TextRequest) -> PieceStream {
        let begin = Call::Begin(self.0.clone(), Box::new(request));
        Box::pin(stream::try_unfold(begin, |call| async {
            let mut reading = match call {
                Call::Begin(settings, request) => open(&settings, &request).await?,
                Call::Reading(reading) => reading,
            };
            let piece = reading.next().await.map_err(EngineError::Backend)?;
            Ok(piece.map(|piece| (piece, Call::Reading(reading))))
        }))
    }
}

enum Call {
    Begin(Arc<Settings>, Box<TextRequest>),
    Reading(Box<Reading>),
}

/// A response that is being read.
struct Reading {
    body: Incoming,
    events: Events,
    reader: Reader,
    ended: bool,
    /// Drives the connection; ends with this value.
    _connection: JoinSet<()>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<TextAnswer>, BackendError> {
        while !self.ended {
            if let Some(event) = self.events.next() {
                let piece = self.reader.read(&event)?;
                self.ended = piece.as_ref().is_some_and(|piece| piece.finish.is_some());
                match piece {
                    Some(piece) => return Ok(Some(piece)),
                    None => continue,
                }
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    self.events.push(&data).map_err(|error| BackendError::Malformed(error.to_string()))?;
                }
                Some(Err(_)) | None => return Err(BackendError::Disconnected),
            }
        }
        Ok(None)
    }
}

async fn open(settings: &Settings, request: &TextRequest) -> Result<Box<Reading>, BackendError> {
    let unreachable =
        |error: &dyn std::fmt::Display| BackendError::Unreachable(shortened(&error.to_string()));
    let host = settings.url.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = settings.url.port_u16().unwrap_or(80);
    let dialling = tokio::time::timeout(settings.connect_timeout, TcpStream::connect((host, port)));
    let io = match dialling.await {
        Ok(dialled) => dialled.map_err(|error| unreachable(&error))?,
        Err(_) => return Err(unreachable(&"no connection in time")),
    };
    io.set_nodelay(true).map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEADER_BYTES_MAX.max(64 << 10))
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| unreachable(&error))?;
    let mut driving = JoinSet::new();
    driving.spawn(async move {
        // How it ends, the body says.
        let _ = connection.await;
    });
    let sent = sender.send_request(post(settings, request)?).await;
    let response = sent.map_err(|_| BackendError::Disconnected)?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        let read = Limited::new(body, REFUSAL_BYTES_MAX).collect().await;
        let text = read.map(|read| read.to_bytes()).unwrap_or_default();
        return Err(refusal(head.status, &String::from_utf8_lossy(&text)));
    }
    let tokens = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
    let bytes_max = STREAM_BYTES_PER_TOKEN.saturating_mul(tokens).saturating_add(STREAM_BYTES_BASE);
    Ok(Box::new(Reading {
        body,
        events: Events::new(bytes_max),
        reader: Reader::new(request),
        ended: false,
        _connection: driving,
    }))
}

fn post(settings: &Settings, request: &TextRequest) -> Result<Request<Full<Bytes>>, BackendError> {
    let misconfigured = |error: &dyn std::fmt::Display| BackendError::Misconfigured(error.to_string());
    let base = settings.url.path().trim_end_matches('/');
    let base = if base.is_empty() { "/v1" } else { base };
    let host = settings.url.authority().map_or("", |authority| authority.as_str());
    let mut post = Request::post(format!("{base}/completions"))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "text/event-stream");
    if let Some(key) = &settings.key {
        post = post.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let body =
        serde_json::to_vec(&question(&settings.model, request)).map_err(|error| misconfigured(&error))?;
    post.body(Full::new(Bytes::from(body))).map_err(|error| misconfigured(&error))
}

fn question(model: &str, request: &TextRequest) -> serde_json::Value {
    let prompt = match &request.prompt {
        Prompt::Text(text) => json!(text),
        Prompt::Ids(ids) => json!(ids),
    };
    let mut question = json!({
        "model": model,
        "prompt": prompt,
        "max_tokens": request.max_tokens,
        "temperature": 0,
        "stream": true,
        // vLLM counts the prompt's tokens in every chunk then; others pass over it.
        "stream_options": { "include_usage": true, "continuous_usage_stats": true },
    });
    let mut set = |name: &str, value| {
        question.as_object_mut().map(|object| object.insert(name.to_owned(), value));
    };
    if !request.stop.is_empty() {
        set("stop", json!(request.stop));
    }
    if request.ignore_end {
        set("ignore_eos", json!(true));
    }
    if request.log_probs || request.top_log_probs > 0 {
        set("logprobs", json!(request.top_log_probs));
        // vLLM names tokens by their ids then, which is the only way to learn them.
        set("return_tokens_as_token_ids", json!(true));
    }
    question
}

/// A response that is no stream.
fn refusal(status: StatusCode, text: &str) -> BackendError {
    let why = shortened(&format!("{status}: {}", text.trim()));
    match status.as_u16() {
        400 | 413 | 422 => BackendError::Refused(why),
        429 => BackendError::Busy,
        408 | 504 => BackendError::Slow(super::Stage::First),
        502 | 503 => BackendError::Unreachable(why),
        500..=599 => BackendError::Failed(why),
        _ => BackendError::Misconfigured(why),
    }
}

#[cfg(test)]
mod tests;
