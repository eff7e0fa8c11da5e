//! One generation at the server: how it begins, and whose fault it is where it doesn't.

use std::sync::Arc;

use http::StatusCode;
use weighhouse_ask::completions::{CompletionError, CompletionEvents, CompletionResponse, CompletionServer};
use weighhouse_types::text::{Prompt, TextAnswer, TextRequest};

use super::abilities::{Abilities, TokenForm};
use super::ending;
use super::limits::{REFUSAL_BYTES_MAX, bytes_max};
use super::llama;
use super::probe::refuses;
use super::question::question;
use super::reading::Reading;
use super::refusal::{Refusal, is_about_length};
use super::server::ProbedServer;
use super::spelling::{Spelling, off_reactor};
use crate::backend::error::{BackendError, shortened};

/// A generation, as far as it has come.
pub(super) enum OpenAiCall {
    Begin(Arc<ProbedServer>, Box<TextRequest>),
    Reading(Arc<ProbedServer>, Box<Reading>),
    Done,
}

/// The first piece of an answer, and what reads the rest.
pub(super) type Begun = Option<(TextAnswer, OpenAiCall)>;

/// Asks, and waits for the first piece. A refusal that isn't for the prompt is answered by finding out what changed.
pub(super) async fn begin_answer(
    behind: &Arc<ProbedServer>,
    request: &TextRequest,
) -> Result<Begun, BackendError> {
    let begun = match begin_once(behind, request).await {
        // Words about the length of the prompt need no second opinion.
        Err(BackendError::Refused(why)) if !is_about_length(&why) => {
            let abilities = behind.abilities().await?;
            if !refuses(&behind.server, request, &abilities).await? {
                return Err(BackendError::Refused(why));
            }
            // The same question with a prompt of our own is refused as well: the server changed what it takes.
            let refused = |why: String| {
                let why = format!("it refuses what the miner adds to a prompt: {why}");
                Err(BackendError::Misconfigured(why))
            };
            if !behind.forget_refused().await {
                return refused(why);
            }
            match begin_once(behind, request).await {
                Err(BackendError::Refused(why)) => refused(why),
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

/// Takes what is known of a server for outdated where a failure shows that it may be. Being away shows nothing, as whoever
/// watches the server has it asked anew when it is back; nor does a wish that it never could fulfil.
pub(super) async fn note(behind: &ProbedServer, error: &BackendError) {
    match error {
        BackendError::Disconnected | BackendError::Malformed(_) | BackendError::Misconfigured(_) => {
            behind.doubt().await;
        }
        _ => {}
    }
}

async fn begin_once(behind: &Arc<ProbedServer>, request: &TextRequest) -> Result<Begun, BackendError> {
    let abilities = behind.abilities().await?;
    if abilities.repeats {
        let why = "it answers with the prompt before its continuation; switch its echo off";
        return Err(BackendError::Misconfigured(why.into()));
    }
    if matches!(request.prompt, Prompt::Ids(_)) && !abilities.prompt_ids {
        return Err(BackendError::Unsuited("it takes no prompts as token ids".into()));
    }
    if let Some(anchor) = llama_anchor(&abilities, request) {
        let mut answer = llama::complete(&behind.server, (&abilities, anchor), request).await?;
        if let Some(tokenizer) = behind.tokenizer.clone().filter(|_| !request.ignore_end) {
            let prompt = request.prompt.clone();
            answer = off_reactor(move || ending::cut(answer, &tokenizer, &prompt)).await?;
        }
        return Ok(Some((answer, OpenAiCall::Done)));
    }
    let is_nameless = matches!(abilities.tokens, TokenForm::Words | TokenForm::Text);
    let is_spelled = is_nameless && request.wants_lists() && request.stop.is_empty();
    let tokenizer = behind.tokenizer.as_ref().filter(|_| is_spelled);
    let spelling = tokenizer.map(|tokenizer| Spelling::new(tokenizer.clone(), request));
    let mut reading = open(&behind.server, request, &abilities).await?.spelled(spelling);
    let first = reading.next().await?;
    Ok(first.map(|piece| (piece, OpenAiCall::Reading(behind.clone(), Box::new(reading)))))
}

/// The anchor for llama.cpp's own call, where an answer has to come by it.
pub(super) fn llama_anchor(abilities: &Abilities, request: &TextRequest) -> Option<u32> {
    match abilities.tokens {
        TokenForm::Llama { anchor } if request.stop.is_empty() => {
            (request.wants_lists() || request.ignore_end).then_some(anchor)
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
    Ok(Reading::new(events(response, bytes_max(request))?, request, abilities))
}

/// The events of an answer, if they can be read.
pub(super) fn events(
    response: CompletionResponse,
    bytes_max: usize,
) -> Result<CompletionEvents, BackendError> {
    if let Some(compression) = response.compression() {
        let why = format!("it compresses its answers ({compression}) though asked not to; switch that off");
        return Err(BackendError::Misconfigured(why));
    }
    Ok(CompletionEvents::new(response, bytes_max))
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
