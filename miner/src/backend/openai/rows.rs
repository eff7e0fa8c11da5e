//! Log-probabilities and ids of tokens, in OpenAI's lists or llama.cpp's objects.

use std::collections::BTreeMap;

use serde::Deserialize;
use weighhouse_ask::completions::token_id;

use super::json::TextBytes;
use crate::backend::error::BackendError;

/// The likeliest tokens at one position, by their text.
type Likeliest = BTreeMap<TextBytes, Option<f32>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplyLogProbs {
    tokens: Option<Vec<TextBytes>>,
    token_logprobs: Option<Vec<Option<f32>>>,
    top_logprobs: Option<Vec<Option<Likeliest>>>,
    content: Option<Vec<TokenEntry>>,
}

/// A token as llama.cpp tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenEntry {
    id: Option<u32>,
    token: Option<TextBytes>,
    logprob: Option<f32>,
    top_logprobs: Option<Vec<TokenEntry>>,
}

/// One token as far as the server told.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Option<u32>,
    pub(super) name: TextBytes,
    pub(super) log_prob: f32,
    pub(super) top: Vec<Alternative>,
}

/// A token that could have come in a token's place, itself among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alternative {
    pub(super) id: Option<u32>,
    pub(super) log_prob: f32,
}

impl ReplyLogProbs {
    /// Tells whether tokens come as llama.cpp's objects.
    pub(super) fn is_llama(&self) -> bool {
        self.content.as_ref().is_some_and(|entries| entries.iter().any(|entry| entry.id.is_some()))
    }

    pub(super) fn rows(self) -> Result<Vec<Row>, BackendError> {
        match self.content {
            Some(entries) => entries.into_iter().map(TokenEntry::row).collect(),
            None => listed(
                self.tokens.unwrap_or_default(),
                self.token_logprobs.unwrap_or_default(),
                self.top_logprobs.unwrap_or_default(),
            ),
        }
    }
}

impl TokenEntry {
    pub(super) fn row(self) -> Result<Row, BackendError> {
        let others = self.top_logprobs.unwrap_or_default();
        let top = others.iter().filter_map(|other| alternative(other.id, other.logprob)).collect();
        Ok(Row { id: self.id, name: self.token.unwrap_or_default(), log_prob: chosen(self.logprob)?, top })
    }
}

impl Row {
    pub(super) fn has_top_ids(&self) -> bool {
        self.top.iter().all(|other| other.id.is_some())
    }

    /// The likeliest first, lower ids first among equals; servers add the chosen token where it is none of them.
    pub(super) fn best(&self, count: usize) -> Vec<(u32, f32)> {
        let mut row: Vec<_> = self.top.iter().filter_map(|other| Some((other.id?, other.log_prob))).collect();
        row.sort_by(|(a, left), (b, right)| right.total_cmp(left).then(a.cmp(b)));
        row.truncate(count);
        row
    }
}

/// A token without a log-probability can't be signed for.
fn chosen(log_prob: Option<f32>) -> Result<f32, BackendError> {
    let sound = log_prob.filter(|value| value.is_finite());
    sound.ok_or_else(|| BackendError::Malformed("a token without its log-probability".into()))
}

/// `None` of a token that can't come: servers print its minus infinity in many ways, null among them.
fn alternative(id: Option<u32>, log_prob: Option<f32>) -> Option<Alternative> {
    let log_prob = log_prob.filter(|value| value.is_finite() && *value > f32::MIN)?;
    Some(Alternative { id, log_prob })
}

fn listed(
    tokens: Vec<TextBytes>,
    values: Vec<Option<f32>>,
    tops: Vec<Option<Likeliest>>,
) -> Result<Vec<Row>, BackendError> {
    // text-generation-webui lists alternatives alone, which say nothing of what was chosen.
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    if tokens.len() != values.len() || (!tops.is_empty() && tops.len() != tokens.len()) {
        return Err(BackendError::Malformed("lists of log-probabilities that differ in length".into()));
    }
    let id = |name: &TextBytes| token_id(std::str::from_utf8(&name.0).ok()?);
    let mut tops = tops.into_iter();
    let row = |(name, value): (TextBytes, Option<f32>)| {
        let top = tops.next().flatten().unwrap_or_default();
        let top = top.iter().filter_map(|(name, value)| alternative(id(name), *value)).collect();
        Ok(Row { id: id(&name), log_prob: chosen(value)?, name, top })
    };
    tokens.into_iter().zip(values).map(row).collect()
}
