//! One small completion, asked for to see what comes.

use std::time::Duration;

use http::StatusCode;
use weighhouse_ask::completions::{CompletionError, CompletionServer};
use weighhouse_types::text::{TextAnswer, TextRequest};

use crate::backend::error::{BackendError, Stage};
use crate::backend::openai::abilities::Abilities;
use crate::backend::openai::answer::events;
use crate::backend::openai::limits::{REFUSAL_BYTES_MAX, bytes_max};
use crate::backend::openai::question::question;
use crate::backend::openai::reading::Reading;
use crate::backend::openai::refusal::Refusal;
use crate::backend::openai::reply::Told;

/// Wait for the answer to one question: a server's first completion with log-probabilities may compile for half a minute.
pub(super) const QUESTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Texts to continue; a model may end at once after one of them.
pub(super) const PROMPTS: [&str; 2] = ["The quick brown fox jumps over the", "1, 2, 3, 4, 5,"];

/// A small answer, or the refusal of it.
pub(super) enum Answer {
    Given(Box<(TextAnswer, Told)>),
    Refused(Refusal),
}

impl Answer {
    pub(super) fn given(self) -> Option<(TextAnswer, Told)> {
        match self {
            Self::Given(given) => Some(*given),
            Self::Refused(_) => None,
        }
    }
}

/// A request of our own that every server can answer.
pub(super) fn sample(max_tokens: u32) -> TextRequest {
    TextRequest::greedy(PROMPTS[0], max_tokens)
}

pub(super) async fn ask(
    server: &CompletionServer,
    request: &TextRequest,
    abilities: &Abilities,
) -> Result<Answer, BackendError> {
    let asking = ask_unhurried(server, request, abilities);
    tokio::time::timeout(QUESTION_TIMEOUT, asking).await.unwrap_or(Err(BackendError::Slow(Stage::First)))
}

async fn ask_unhurried(
    server: &CompletionServer,
    request: &TextRequest,
    abilities: &Abilities,
) -> Result<Answer, BackendError> {
    let response = match server.post(&question(&server.model, request, abilities)).await {
        // Some servers hang up on what they can't read. One that went away can't be reached by the next question.
        Err(CompletionError::Disconnected) => return Ok(Answer::Refused(Refusal::of_words("it hung up"))),
        response => response?,
    };
    let status = response.status();
    if status != StatusCode::OK {
        let refusal = Refusal::of_status(status, &response.refusal(REFUSAL_BYTES_MAX).await);
        return if refusal.blames_the_request() {
            Ok(Answer::Refused(refusal))
        } else {
            Err(refusal.into_error())
        };
    }
    // An end is welcome here, even where the request asks to go on after it.
    let read = TextRequest { ignore_end: false, ..request.clone() };
    let mut reading = Reading::new(events(response, bytes_max(&read))?, &read, abilities);
    let mut answer = TextAnswer::default();
    loop {
        match reading.next().await {
            Ok(Some(piece)) => answer.append(piece),
            Ok(None) => return Ok(Answer::Given(Box::new((answer, reading.into_told())))),
            Err(error) if may_refuse(&error) => {
                return Ok(Answer::Refused(Refusal::of_words(&error.to_string())));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Tells whether a failure may be for what was asked: within a stream, servers refuse with whatever they have at hand.
fn may_refuse(error: &BackendError) -> bool {
    use BackendError::{Disconnected, Failed, Malformed, Refused};
    matches!(error, Refused(_) | Failed(_) | Malformed(_) | Disconnected)
}
