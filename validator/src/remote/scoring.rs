//! One completion's scores from the reference's server, and whose fault it is where there are none.
//!
//! A server may refuse tokens for its own sake (its context, its key) or for the tokens' (an id that its model has no
//! token for, which it could not have chosen itself). It is the tokens' where as many plain ones are taken and the tokenizer
//! has no such token either; the answer then counts up to the first that is refused. A server that breaks at these tokens and not at plain ones is not away: this
//! answer alone can't be spoken of.

use std::time::Duration;

use http::StatusCode;
use weighhouse_ask::completions::{CompletionError, CompletionServer, ScoreError, TokenScore};
use weighhouse_tasks::witness::WitnessError;

use super::TokenizedClaim;

/// Scores of a prompt and of so many tokens of its completion.
pub(super) struct Scored {
    pub(super) scores: Vec<TokenScore>,
    pub(super) known: usize,
}

/// Scores prompt and completion; `has` tells the tokenizer's tokens.
pub(super) async fn score(
    server: &CompletionServer,
    deadline: Duration,
    claim: &TokenizedClaim,
    has: impl Fn(u32) -> bool,
) -> Result<Scored, WitnessError> {
    let TokenizedClaim { tokens, prompt } = claim;
    let prompt = *prompt;
    let whole = tokens.len() - prompt;
    match server.score(tokens, deadline).await {
        Ok(scores) => Ok(Scored { scores, known: whole }),
        Err(error) if whole > 0 && (is_of_tokens(&error) || is_broken(&error)) => {
            let plain: Vec<u32> = tokens[..prompt].iter().copied().chain(vec![tokens[0]; whole]).collect();
            if let Err(error) = server.score(&plain, deadline).await {
                return Err(sorted(&error, plain.len()));
            }
            if !is_of_tokens(&error) {
                return once_more(server, deadline, tokens, prompt).await;
            }
            let scored = up_to_refused(server, deadline, tokens, prompt).await?;
            match tokens.get(prompt + scored.known) {
                // The model may say it, whatever the server has against it.
                Some(token) if has(*token) => Err(WitnessError::Answer(error.to_string())),
                _ => Ok(scored),
            }
        }
        Err(error) => Err(sorted(&error, tokens.len())),
    }
}

/// Scores tokens at which the server broke while it took as many plain ones.
async fn once_more(
    server: &CompletionServer,
    deadline: Duration,
    tokens: &[u32],
    prompt: usize,
) -> Result<Scored, WitnessError> {
    match server.score(tokens, deadline).await {
        Ok(scores) => Ok(Scored { scores, known: tokens.len() - prompt }),
        Err(error) if is_of_tokens(&error) || is_broken(&error) => {
            Err(WitnessError::Answer(error.to_string()))
        }
        Err(error) => Err(sorted(&error, tokens.len())),
    }
}

/// Failures of a server that is not merely busy.
fn is_broken(error: &ScoreError) -> bool {
    let broken = [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_IMPLEMENTED, StatusCode::BAD_GATEWAY];
    match error {
        ScoreError::Refused { status, .. } => broken.contains(status),
        ScoreError::Call(error) => *error == CompletionError::Disconnected,
        ScoreError::Slow | ScoreError::Unsuited(_) => false,
    }
}

/// Scores the longest beginning that the server takes, by halving; the whole, where it takes that by now.
async fn up_to_refused(
    server: &CompletionServer,
    deadline: Duration,
    tokens: &[u32],
    prompt: usize,
) -> Result<Scored, WitnessError> {
    let mut taken = None;
    // The first length that is refused, as far as is known; at first, that of the whole is asked again.
    let (mut low, mut refused, mut next) = (prompt, tokens.len() + 1, tokens.len());
    while low + 1 < refused {
        match server.score(&tokens[..next], deadline).await {
            Ok(scores) => {
                low = next;
                taken = Some(Scored { scores, known: next - prompt });
            }
            Err(error) if is_of_tokens(&error) => refused = next,
            Err(error) => return Err(sorted(&error, next)),
        }
        next = low + (refused - low) / 2;
    }
    if let Some(scored) = taken {
        return Ok(scored);
    }
    let scores = server.score(&tokens[..prompt], deadline).await;
    Ok(Scored { scores: scores.map_err(|error| sorted(&error, prompt))?, known: 0 })
}

/// Statuses by which servers refuse a request for what stands in it.
fn is_of_tokens(error: &ScoreError) -> bool {
    let of_tokens =
        [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
    matches!(error, ScoreError::Refused { status, .. } if of_tokens.contains(status))
}

/// The operator is told what to do about it.
fn sorted(error: &ScoreError, tokens: usize) -> WitnessError {
    match error {
        ScoreError::Slow
        | ScoreError::Call(CompletionError::Unreachable(_) | CompletionError::Disconnected) => {
            WitnessError::Away(error.to_string())
        }
        ScoreError::Refused { status, .. }
            if status.is_server_error()
                || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
                    .contains(status) =>
        {
            WitnessError::Away(error.to_string())
        }
        ScoreError::Refused { status, .. } => {
            let fix = match *status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "check task.server.key_file".to_owned(),
                StatusCode::NOT_FOUND => "check task.server.url and task.server.model".to_owned(),
                _ => format!("it must take {tokens} tokens and one more: check its context"),
            };
            WitnessError::Refused(format!("{error}; {fix}"))
        }
        ScoreError::Call(_) | ScoreError::Unsuited(_) => WitnessError::Refused(error.to_string()),
    }
}
