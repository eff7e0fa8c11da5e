//! Questions that find out what a server can do.
//!
//! Each is a small completion of our own prompt, so that a refusal can only be for what stands beside the prompt.

mod ask;
mod fields;

use std::collections::HashSet;

use serde_json::{Value, json};
use weighhouse_ask::completions::CompletionServer;
use weighhouse_types::text::{Prompt, STOP_WORDS_MAX, TOP_LOG_PROBS_MAX, TextAnswer, TextRequest};

use self::ask::{Answer, PROMPTS, QUESTION_TIMEOUT, ask, sample};
use self::fields::settle;
use super::abilities::{Abilities, TokenForm, optional_fields};
use super::limits::bytes_max;
use super::llama::{self, LlamaAnswer};
use super::reply::Told;
use crate::backend::error::{BackendError, shortened};

/// Tokens of a sample: enough for a few characters.
const SAMPLE_TOKENS: u32 = 8;
/// Counts of alternatives and stop words that are tried, from what our wire takes down to what OpenAI's does.
const ALTERNATIVES: [u8; 3] = [TOP_LOG_PROBS_MAX, 5, 1];
const STOP_WORDS: [usize; 3] = [STOP_WORDS_MAX, 4, 1];

/// Finds out what a server can do.
///
/// # Errors
/// A server that can't be reached, or that gives no completion at all.
pub(super) async fn probe(server: &CompletionServer) -> Result<Abilities, BackendError> {
    let mut abilities = plain(server).await?;
    let mut seen = HashSet::new();
    let (first, second): (Vec<_>, Vec<_>) =
        optional_fields().into_iter().partition(|(name, _)| seen.insert(*name));
    settle(server, &mut abilities, first).await?;
    let second = second.into_iter().filter(|(name, _)| abilities.field(name).is_none()).collect();
    settle(server, &mut abilities, second).await?;
    let Some((answer, told)) = look(server, &mut abilities).await? else { return Ok(abilities) };
    // Asked for a stream, it gives a whole answer: nothing of it can be awaited before the rest.
    abilities.streams &= !told.is_whole;
    abilities.repeats = PROMPTS.iter().any(|prompt| answer.text.starts_with(prompt));
    abilities.counts = told.tokens > 0 && told.completion_tokens == Some(told.tokens);
    abilities.tokens = match (answer.tokens.is_empty(), answer.log_probs.is_empty()) {
        (false, _) => TokenForm::Ids,
        (true, false) => TokenForm::Words,
        (true, true) => TokenForm::Text,
    };
    abilities.model = told.model.clone();
    if told.is_llama
        && let Some(anchor) = anchor(&answer, &told)
        && has_own_call(server, &abilities).await
    {
        abilities.tokens = TokenForm::Llama { anchor };
        abilities.fields.retain(|(name, _)| *name != "ignore_eos");
    }
    abilities.stop_words = stop_words(server, &abilities, &answer.text).await?;
    let ids = if answer.tokens.is_empty() { vec![1] } else { answer.tokens.clone() };
    let as_ids = TextRequest { prompt: Prompt::Ids(ids), ..sample(1) };
    abilities.prompt_ids = ask(server, &as_ids, &abilities).await?.given().is_some();
    abilities.echo = answer.tokens.len() > 1 && server.score(&answer.tokens, QUESTION_TIMEOUT).await.is_ok();
    Ok(abilities)
}

/// The least that a server must be able to do: a plain completion, streamed or whole.
async fn plain(server: &CompletionServer) -> Result<Abilities, BackendError> {
    let mut abilities = Abilities {
        fields: Vec::new(),
        streams: true,
        model: None,
        tokens: TokenForm::Text,
        alternatives: 0,
        stop_words: 0,
        prompt_ids: false,
        counts: false,
        repeats: false,
        echo: false,
    };
    let Answer::Refused(refusal) = ask(server, &sample(1), &abilities).await? else { return Ok(abilities) };
    abilities.streams = false;
    match ask(server, &sample(1), &abilities).await? {
        Answer::Given(_) => Ok(abilities),
        Answer::Refused(_) => Err(BackendError::Misconfigured(format!(
            "it refuses a plain completion: {}",
            shortened(refusal.words())
        ))),
    }
}

/// Reads a few tokens with as many alternatives as the server gives, and notes how many those are.
async fn look(
    server: &CompletionServer,
    abilities: &mut Abilities,
) -> Result<Option<(TextAnswer, Told)>, BackendError> {
    let mut seen = None;
    for count in ALTERNATIVES.into_iter().chain([0]) {
        abilities.alternatives = count;
        for prompt in PROMPTS {
            let mut request =
                TextRequest { log_probs: count > 0, top_log_probs: count, ..sample(SAMPLE_TOKENS) };
            request.prompt = Prompt::Text(prompt.to_owned());
            let Some((answer, told)) = ask(server, &request, abilities).await?.given() else { break };
            let is_empty = answer.text.is_empty();
            seen = Some((answer, told));
            if !is_empty {
                break;
            }
        }
        if seen.is_some() {
            break;
        }
    }
    if let Some((answer, _)) = &seen
        && answer.log_probs.is_empty()
    {
        abilities.alternatives = 0;
    }
    Ok(seen)
}

/// A token of the sample that is text by itself.
fn anchor(answer: &TextAnswer, told: &Told) -> Option<u32> {
    let is_text = |name: &str| !name.is_empty() && !name.contains(char::REPLACEMENT_CHARACTER);
    let mut pairs = answer.tokens.iter().zip(&told.names);
    pairs.find(|(_, name)| is_text(&name.to_text())).map(|(id, _)| *id)
}

/// Tells whether llama.cpp's own call is there and names all tokens.
async fn has_own_call(server: &CompletionServer, abilities: &Abilities) -> bool {
    let request = TextRequest { log_probs: true, ..sample(SAMPLE_TOKENS) };
    let mut asked: Value =
        abilities.fields.iter().cloned().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in [
        ("model", json!(server.model)),
        ("prompt", json!(PROMPTS[0])),
        ("n_predict", json!(SAMPLE_TOKENS)),
        ("temperature", json!(0)),
        ("n_probs", json!(1)),
        ("return_tokens", json!(true)),
        ("stream", json!(false)),
    ] {
        asked[name] = value;
    }
    let asking = llama::ask(server, &asked, bytes_max(&request));
    let body = tokio::time::timeout(QUESTION_TIMEOUT, asking).await;
    let Ok(Ok(body)) = body else { return false };
    serde_json::from_slice::<LlamaAnswer>(&body).is_ok_and(|answer| answer.names_its_tokens())
}

/// Stop words that the server takes, if it says which one ended its answer; 0 if it doesn't.
async fn stop_words(
    server: &CompletionServer,
    abilities: &Abilities,
    text: &str,
) -> Result<usize, BackendError> {
    let Some(end) = text.chars().rev().find(|c| !c.is_whitespace()) else { return Ok(0) };
    for count in STOP_WORDS {
        let fillers = (1..count).map(|at| format!("<<stop {at}>>"));
        let stop = fillers.chain([end.to_string()]).collect();
        let trial = Abilities { stop_words: count, ..abilities.clone() };
        let request = TextRequest { stop, ..sample(SAMPLE_TOKENS) };
        if let Some((_, told)) = ask(server, &request, &trial).await?.given() {
            return Ok(if told.stop_word { count } else { 0 });
        }
    }
    Ok(0)
}

/// Tells whether the server refuses a request as such, whatever its prompt.
pub(super) async fn refuses(
    server: &CompletionServer,
    request: &TextRequest,
    abilities: &Abilities,
) -> Result<bool, BackendError> {
    let control = TextRequest { prompt: sample(1).prompt, max_tokens: 1, ..request.clone() };
    Ok(ask(server, &control, abilities).await?.given().is_none())
}
