//! One question to the server: the log-probabilities of these tokens.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;

use super::Server;

/// Bytes of an answer for each token, besides a base.
const BYTES_PER_TOKEN: usize = 1 << 10;
const BYTES_BASE: usize = 64 << 10;
/// Characters of a refusal that are repeated.
const REFUSAL_CHARS: usize = 200;
/// How tokens are named by their ids.
const TOKEN_ID_PREFIX: &str = "token_id:";

#[derive(Debug, thiserror::Error)]
pub(super) enum EchoError {
    #[error("the reference's server can't be reached: {0}")]
    Unreachable(String),
    #[error("the reference's server didn't answer in time")]
    Slow,
    #[error("the reference's server says {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("the reference's server gives no log-probabilities of a prompt: {0}")]
    Unsuited(String),
}

/// Of one token: its own log-probability, and that of the likeliest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) chosen: f32,
    pub(super) best: f32,
}

/// One entry for each token but the first.
pub(super) async fn score(server: &Server, tokens: &[u32]) -> Result<Vec<Scored>, EchoError> {
    let asking = tokio::time::timeout(server.deadline, post(server, tokens));
    let (status, body) = asking.await.map_err(|_| EchoError::Slow)??;
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&body).chars().take(REFUSAL_CHARS).collect();
        return Err(EchoError::Refused { status, text });
    }
    read(&body, tokens)
}

async fn post(server: &Server, tokens: &[u32]) -> Result<(StatusCode, Bytes), EchoError> {
    let unreachable = |error: &dyn std::fmt::Display| EchoError::Unreachable(error.to_string());
    let host = server.url.host().unwrap_or_default().trim_matches(['[', ']']);
    let io = TcpStream::connect((host, server.url.port_u16().unwrap_or(80)));
    let io = io.await.map_err(|error| unreachable(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(io)).await.map_err(|error| unreachable(&error))?;
    let request = question(server, tokens).map_err(|error| unreachable(&error))?;
    let limit = BYTES_BASE + BYTES_PER_TOKEN.saturating_mul(tokens.len());
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), limit).collect().await;
        Ok((status, body.map_err(|error| EchoError::Unsuited(error.to_string()))?.to_bytes()))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        said = &mut exchange => said,
        // The connection may end before the body's buffered rest is read.
        _ = connection => exchange.await,
    }
}

fn question(server: &Server, tokens: &[u32]) -> Result<Request<Full<Bytes>>, http::Error> {
    let base = server.url.path().trim_end_matches('/');
    let base = if base.is_empty() { "/v1" } else { base };
    let host = server.url.authority().map_or("", |authority| authority.as_str());
    let mut post = Request::post(format!("{base}/completions"))
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(key) = &server.key {
        post = post.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let question = json!({
        "model": server.model,
        "prompt": tokens,
        "echo": true,
        "logprobs": 1,
        // Some servers generate one at least; it is passed over.
        "max_tokens": 1,
        "temperature": 0,
        "return_tokens_as_token_ids": true,
    });
    post.body(Full::new(Bytes::from(question.to_string())))
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    logprobs: Option<LogProbs>,
}

#[derive(Deserialize)]
struct LogProbs {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<f32>>,
    top_logprobs: Vec<Option<BTreeMap<String, f32>>>,
}

fn read(body: &[u8], tokens: &[u32]) -> Result<Vec<Scored>, EchoError> {
    let unsuited = |why: &str| EchoError::Unsuited(why.to_owned());
    let answer: Answer =
        serde_json::from_slice(body).map_err(|error| EchoError::Unsuited(error.to_string()))?;
    let found = answer.choices.into_iter().next().and_then(|choice| choice.logprobs);
    let found = found.ok_or_else(|| unsuited("there are none in its answer"))?;
    let count = tokens.len();
    let shortest = found.tokens.len().min(found.token_logprobs.len()).min(found.top_logprobs.len());
    if shortest < count {
        return Err(EchoError::Unsuited(format!("{shortest} entries for {count} tokens")));
    }
    let named =
        found.tokens.iter().zip(tokens).all(|(name, token)| {
            name.strip_prefix(TOKEN_ID_PREFIX).is_none_or(|id| id.parse() == Ok(*token))
        });
    if !named {
        return Err(unsuited("it speaks of other tokens than were sent"));
    }
    let rows = found.token_logprobs.into_iter().zip(found.top_logprobs).take(count).skip(1);
    rows.map(|(chosen, top)| {
        let chosen = chosen.ok_or_else(|| unsuited("a token has none"))?;
        let best = top.unwrap_or_default().into_values().fold(chosen, f32::max);
        match chosen.is_nan() || best.is_nan() || best > f32::EPSILON.sqrt() {
            true => Err(unsuited("a number is no log-probability")),
            false => Ok(Scored { chosen, best }),
        }
    })
    .collect()
}
