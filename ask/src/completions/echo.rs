//! Log-probabilities of a given text: the server echoes a prompt with its scores and generates nothing of use.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::CompletionError;
use super::server::CompletionServer;
use super::token::token_id;

/// Bytes of an answer for each token, besides a base.
const BYTES_PER_TOKEN: usize = 1 << 10;
const BYTES_BASE: usize = 64 << 10;
/// Bytes of a refusal that are repeated.
const REFUSAL_BYTES_MAX: usize = 200;

/// Reasons why a server gave no scores.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    #[error(transparent)]
    Call(#[from] CompletionError),
    #[error("the server didn't answer in time")]
    Slow,
    #[error("the server says {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("the server gives no log-probabilities of a prompt: {0}")]
    Unsuited(String),
}

/// One token's own log-probability, and that of the likeliest in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenScore {
    pub chosen: f32,
    pub best: f32,
}

impl CompletionServer {
    /// Scores each token but the first, which nothing predicts. `deadline` is for all of it.
    ///
    /// # Errors
    /// A server that fails, is late, or doesn't echo prompts with log-probabilities.
    pub async fn score(&self, tokens: &[u32], deadline: Duration) -> Result<Vec<TokenScore>, ScoreError> {
        let asking = async {
            let response = self.post(&self.echo_question(tokens)).await?;
            let status = response.status();
            if status != StatusCode::OK {
                let text = response.refusal(REFUSAL_BYTES_MAX).await.chars().map(printable).collect();
                return Err(ScoreError::Refused { status, text });
            }
            let bytes_max = BYTES_BASE + BYTES_PER_TOKEN.saturating_mul(tokens.len());
            let body = response.collect(bytes_max).await.map_err(|error| match error {
                CompletionError::Disconnected => ScoreError::Call(error),
                _ => ScoreError::Unsuited(error.to_string()),
            });
            read(&body?, tokens)
        };
        tokio::time::timeout(deadline, asking).await.unwrap_or(Err(ScoreError::Slow))
    }

    fn echo_question(&self, tokens: &[u32]) -> serde_json::Value {
        json!({
            "model": self.model,
            "prompt": tokens,
            "echo": true,
            "logprobs": 1,
            // Some servers generate one at least; it is passed over.
            "max_tokens": 1,
            "temperature": 0,
            "return_tokens_as_token_ids": true,
        })
    }
}

#[derive(Deserialize)]
struct EchoAnswer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    logprobs: Option<EchoedLogProbs>,
}

#[derive(Deserialize)]
struct EchoedLogProbs {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<f32>>,
    top_logprobs: Vec<Option<BTreeMap<String, f32>>>,
}

/// The server's words go to a terminal's log, where a control character would act.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The error in an answer's place, with the status that it names.
fn refusal(body: &[u8]) -> Option<ScoreError> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let places = [&value["error"], &value["detail"], &value];
    let found = places.into_iter().find(|place| place.is_string() || place["message"].is_string())?;
    let words = found.as_str().or_else(|| found["message"].as_str())?;
    let code = found["code"].as_u64().and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    Some(ScoreError::Refused {
        status: code.filter(|code| !code.is_success()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        text: words.chars().take(REFUSAL_BYTES_MAX).map(printable).collect(),
    })
}

fn read(body: &[u8], tokens: &[u32]) -> Result<Vec<TokenScore>, ScoreError> {
    let unsuited = |why: &str| ScoreError::Unsuited(why.to_owned());
    let answer: EchoAnswer = serde_json::from_slice(body)
        .map_err(|error| refusal(body).unwrap_or_else(|| ScoreError::Unsuited(error.to_string())))?;
    let found = answer.choices.into_iter().next().and_then(|choice| choice.logprobs);
    let found = found.ok_or_else(|| unsuited("there are none in its answer"))?;
    let count = tokens.len();
    let shortest = found.tokens.len().min(found.token_logprobs.len()).min(found.top_logprobs.len());
    if shortest < count {
        return Err(ScoreError::Unsuited(format!("{shortest} entries for {count} tokens")));
    }
    // Some servers name a token by its text, which tells nothing; an id must be the one that was sent.
    let is_other = |(name, token): (&String, &u32)| token_id(name).is_some_and(|id| id != *token);
    if found.tokens.iter().zip(tokens).any(is_other) {
        return Err(unsuited("it speaks of other tokens than were sent"));
    }
    let rows = found.token_logprobs.into_iter().zip(found.top_logprobs).take(count).skip(1);
    rows.map(|(chosen, top)| {
        let chosen = chosen.ok_or_else(|| unsuited("a token has none"))?;
        // vLLM lists the chosen token among the top ones, other servers only where it is one of them.
        let best = top.unwrap_or_default().into_values().fold(chosen, f32::max);
        // A log-probability is at most 0; the margin is for servers whose softmax rounds slightly above it.
        if chosen.is_nan() || best.is_nan() || best > f32::EPSILON.sqrt() {
            return Err(unsuited("a number is no log-probability"));
        }
        Ok(TokenScore { chosen, best })
    })
    .collect()
}
