//! What a chunk must and must not be, and why an answer ended.

use serde_json::Value;
use weighhouse_types::text::Finish;

use super::{Choice, Told};
use crate::backend::error::{BackendError, shortened};
use crate::backend::openai::json;
use crate::backend::openai::refusal::Refusal;
use crate::backend::openai::rows::Row;

/// How much likelier another token may be than the chosen one, for rounding in what a server prints.
const GREEDY_SLACK: f32 = 0.01;

impl Told {
    /// Tells whether the last token has the name of the one before it.
    pub(in crate::backend::openai) fn repeats_last(&self) -> bool {
        matches!(&self.names[..], [.., before, last] if before == last)
    }

    pub(super) fn finish(&mut self, choice: &Choice) -> Result<Option<Finish>, BackendError> {
        let reason = match &choice.finish_reason {
            Value::String(reason) => reason.trim().to_lowercase(),
            _ => return Ok(None),
        };
        let word = [&choice.stop_reason, &choice.matched_stop];
        match reason.as_str() {
            "" | "null" | "none" => Ok(None),
            "length" | "max_tokens" | "max_length" | "limit" => Ok(Some(Finish::Length)),
            // `eos_token` and `stop_sequence` are the words of Hugging Face's Text Generation Inference.
            "stop_sequence" | "stop_word" => {
                self.stop_word = true;
                Ok(Some(Finish::Stop))
            }
            "stop" if word.iter().any(|word| word.as_str().is_some_and(|word| !word.is_empty())) => {
                self.stop_word = true;
                Ok(Some(Finish::Stop))
            }
            // No stop words are sent to a server that doesn't say which one ended its answer.
            "stop" | "eos" | "eos_token" | "end" | "end_turn" => Ok(Some(Finish::End)),
            // vLLM's `abort`, OpenAI's `content_filter`:
            // the text is cut for a reason that validators don't know.
            other => Err(BackendError::Failed(format!("it ended for {:?}", shortened(other)))),
        }
    }
}

/// An error that came as words or as JSON.
pub(super) fn said(data: &[u8]) -> BackendError {
    let found = json::parse::<Value>(data).ok();
    let failure = found.as_ref().and_then(|value| {
        // llama.cpp puts the error's fields on an `error:` line without the word.
        Refusal::find(value).or_else(|| Refusal::find(&serde_json::json!({ "error": value })))
    });
    failure.unwrap_or_else(|| Refusal::of_words(&String::from_utf8_lossy(data))).into_error()
}

pub(super) fn check_shape(choice: &Choice, object: &Value) -> Result<(), BackendError> {
    let is_chat = !choice.delta.is_null()
        || !choice.message.is_null()
        || object.as_str().is_some_and(|object| object.starts_with("chat."));
    if choice.text.is_none() && is_chat {
        return Err(BackendError::Misconfigured(
            "it answers /v1/completions as a chat, whose tokens are other ones".into(),
        ));
    }
    match &choice.index {
        Value::Null => Ok(()),
        index if index.as_u64() == Some(0) || index == "0" => Ok(()),
        index => Err(BackendError::Malformed(format!("a choice of index {index}, though one was asked for"))),
    }
}

/// Under greedy the chosen token is the likeliest. Where it is not, the server has a penalty or a ban of its own on, and a
/// judge would find its tokens wrong.
pub(in crate::backend::openai) fn check_greedy(row: &Row) -> Result<(), BackendError> {
    let likeliest = row.top.iter().map(|other| other.log_prob).fold(row.log_prob, f32::max);
    if likeliest - row.log_prob <= GREEDY_SLACK {
        return Ok(());
    }
    let (name, above) = (row.name.to_text(), likeliest - row.log_prob);
    Err(BackendError::Misconfigured(format!(
        "it chose {:?} though another token is likelier by {above:.3}: a penalty or a ban of its own is on",
        shortened(&name)
    )))
}
