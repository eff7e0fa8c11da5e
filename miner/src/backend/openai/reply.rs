//! The chunks of a completion: OpenAI's own form, and what vLLM and llama.cpp add to it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use weighhouse_ask::completions::token_id;
use weighhouse_types::text::{Finish, TextAnswer, TextRequest};

use crate::backend::error::{BackendError, shortened};

#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    text: String,
    logprobs: Option<ReplyLogProbs>,
    finish_reason: Option<String>,
    /// vLLM and SGLang: which stop word it was; null or a token for the end token.
    #[serde(default, alias = "matched_stop")]
    stop_reason: Value,
}

#[derive(Debug, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: u32,
}

/// OpenAI's lists, or llama.cpp's objects.
#[derive(Debug, Default, Deserialize)]
struct ReplyLogProbs {
    #[serde(default)]
    tokens: Vec<String>,
    #[serde(default)]
    token_logprobs: Vec<Option<f32>>,
    top_logprobs: Option<Vec<Option<BTreeMap<String, f32>>>>,
    content: Option<Vec<TokenEntry>>,
}

#[derive(Debug, Deserialize)]
struct TokenEntry {
    id: Option<u32>,
    logprob: f32,
    #[serde(default)]
    top_logprobs: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
struct Alternative {
    id: Option<u32>,
    logprob: f32,
}

/// Reads one completion's chunks.
#[derive(Debug)]
pub(super) struct Reader {
    has_stop_words: bool,
    log_probs: bool,
    top: usize,
    prompt_tokens: u32,
}

impl Reader {
    pub(super) fn new(request: &TextRequest) -> Self {
        Self {
            has_stop_words: !request.stop.is_empty(),
            log_probs: request.log_probs,
            top: usize::from(request.top_log_probs),
            prompt_tokens: 0,
        }
    }

    /// The piece in one event; `None` where there is nothing for the caller in it.
    pub(super) fn read(&mut self, event: &[u8]) -> Result<Option<TextAnswer>, BackendError> {
        if event == b"[DONE]" {
            // A proper stream said before why it ends.
            return Err(BackendError::Disconnected);
        }
        let malformed = |error: serde_json::Error| BackendError::Malformed(shortened(&error.to_string()));
        let Chunk { choices, usage, error } = serde_json::from_slice(event).map_err(malformed)?;
        if let Some(error) = error.filter(|error| !error.is_null()) {
            return Err(BackendError::Failed(shortened(&error.to_string())));
        }
        if let Some(usage) = usage {
            self.prompt_tokens = usage.prompt_tokens;
        }
        let Some(choice) = choices.into_iter().next() else { return Ok(None) };
        let finish = self.finish(&choice)?;
        let mut piece =
            TextAnswer { text: choice.text, finish, prompt_tokens: self.prompt_tokens, ..Default::default() };
        if let (Some(found), true) = (choice.logprobs, self.log_probs || self.top > 0) {
            self.add_log_probs(&mut piece, found)?;
        }
        let nothing = piece.text.is_empty() && piece.log_probs.is_empty() && piece.finish.is_none();
        Ok((!nothing).then_some(piece))
    }

    fn finish(&self, choice: &Choice) -> Result<Option<Finish>, BackendError> {
        let Some(reason) = choice.finish_reason.as_deref() else { return Ok(None) };
        match reason {
            "length" => Ok(Some(Finish::Length)),
            // `eos_token` and `stop_sequence` are the words of Hugging Face's Text Generation Inference.
            "eos_token" => Ok(Some(Finish::End)),
            "stop_sequence" => Ok(Some(Finish::Stop)),
            "stop" if self.has_stop_words && choice.stop_reason.is_string() => Ok(Some(Finish::Stop)),
            // Servers that don't tell a stop word from the end token leave only this.
            "stop" => Ok(Some(Finish::End)),
            // vLLM's `abort`, OpenAI's `content_filter`:
            // the text is cut for a reason that validators don't know.
            other => Err(BackendError::Failed(format!("it ended for {:?}", shortened(other)))),
        }
    }

    fn add_log_probs(&self, piece: &mut TextAnswer, found: ReplyLogProbs) -> Result<(), BackendError> {
        let rows = match found.content {
            Some(entries) => entries.into_iter().map(TopRow::from).collect(),
            None => listed(found.tokens, found.token_logprobs, found.top_logprobs.unwrap_or_default())?,
        };
        // A NaN would be journalled by the validator as an answer; better none at all.
        if rows.iter().any(|row| row.log_prob.is_nan()) {
            return Err(BackendError::Malformed("a log-probability that is no number".into()));
        }
        // A token whose id is unknown can't be named on our wire; the others then couldn't be placed either.
        if rows.iter().all(|row| row.id.is_some()) {
            piece.tokens = rows.iter().filter_map(|row| row.id).collect();
        }
        if self.top > 0 && rows.iter().all(|row| row.top.is_some()) {
            piece.top = rows.iter().map(|row| best(row.top.clone().unwrap_or_default(), self.top)).collect();
        }
        piece.log_probs = rows.into_iter().map(|row| row.log_prob).collect();
        Ok(())
    }
}

/// One token as far as the server told.
struct TopRow {
    id: Option<u32>,
    log_prob: f32,
    /// `None` where an alternative's id is unknown.
    top: Option<Vec<(u32, f32)>>,
}

impl From<TokenEntry> for TopRow {
    fn from(entry: TokenEntry) -> Self {
        let top = entry.top_logprobs.iter().map(|other| Some((other.id?, other.logprob))).collect();
        Self { id: entry.id, log_prob: entry.logprob, top }
    }
}

fn listed(
    tokens: Vec<String>,
    values: Vec<Option<f32>>,
    tops: Vec<Option<BTreeMap<String, f32>>>,
) -> Result<Vec<TopRow>, BackendError> {
    if tokens.len() != values.len() || (!tops.is_empty() && tops.len() != tokens.len()) {
        return Err(BackendError::Malformed("lists of log-probabilities that differ in length".into()));
    }
    let mut tops = tops.into_iter();
    let row = |(token, value): (String, Option<f32>)| {
        let log_prob =
            value.ok_or_else(|| BackendError::Malformed("a token without its log-probability".into()))?;
        let top = tops.next().flatten().unwrap_or_default();
        let top = top.iter().map(|(token, value)| Some((token_id(token)?, *value))).collect();
        Ok(TopRow { id: token_id(&token), log_prob, top })
    };
    tokens.into_iter().zip(values).map(row).collect()
}

/// The likeliest first, lower ids first among equals; servers add the chosen token where it is none of them.
fn best(mut row: Vec<(u32, f32)>, count: usize) -> Vec<(u32, f32)> {
    row.sort_by(|(a, left), (b, right)| right.total_cmp(left).then(a.cmp(b)));
    row.truncate(count);
    row
}
