//! What a server can do, as it showed when it was asked.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Value, json};
use weighhouse_types::text::TOP_LOG_PROBS_MAX;

use super::neutral;

/// Fields of a request that not every server takes, with the values that they are sent with. As in [`neutral`], a name
/// that comes twice has a second value.
pub(super) fn optional_fields() -> Vec<(&'static str, Value)> {
    let own = [
        // vLLM counts the prompt's tokens in every chunk then; others pass over it.
        ("stream_options", json!({ "include_usage": true, "continuous_usage_stats": true })),
        ("stream_options", json!({ "include_usage": true })),
        // vLLM names tokens by their ids then, which is the only way to learn them.
        ("return_tokens_as_token_ids", json!(true)),
        ("ignore_eos", json!(true)),
    ];
    own.into_iter().chain(neutral::parameters()).collect()
}

/// How a server tells which tokens it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenForm {
    Ids,
    /// By ids, of which streams leave some out: llama.cpp's own call has all of them. `anchor` is a token that is text by
    /// itself.
    Llama {
        anchor: u32,
    },
    /// By their words, with log-probabilities.
    Words,
    /// Not at all: its answers are text.
    Text,
    /// It wasn't found out.
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Abilities {
    /// Optional fields that it takes, as they are sent.
    pub(super) fields: Vec<(&'static str, Value)>,
    pub(super) streams: bool,
    /// Its name for its model, as answers carry it.
    pub(super) model: Option<String>,
    pub(super) tokens: TokenForm,
    /// Alternatives of a token that it gives at most; 0: no log-probabilities at all.
    pub(super) alternatives: u8,
    /// Stop words that it takes at most; 0 where it doesn't say which one ended its answer: they are applied here then.
    pub(super) stop_words: usize,
    /// Prompts may be ids.
    pub(super) prompt_ids: bool,
    /// Its count of generated tokens is that of the tokens it named.
    pub(super) counts: bool,
    /// Its answers begin with the prompt.
    pub(super) repeats: bool,
    /// It gives log-probabilities of a prompt, as a validator's reference must.
    pub(super) echo: bool,
}

impl Abilities {
    /// What most servers can do.
    pub(super) fn assumed() -> Self {
        let mut seen = HashSet::new();
        let fields = optional_fields().into_iter().filter(|(name, _)| seen.insert(*name)).collect();
        Self {
            fields,
            streams: true,
            model: None,
            tokens: TokenForm::Unknown,
            alternatives: TOP_LOG_PROBS_MAX,
            stop_words: 0,
            prompt_ids: true,
            counts: false,
            repeats: false,
            echo: false,
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn is_llama(&self) -> bool {
        matches!(self.tokens, TokenForm::Llama { .. })
    }

    /// Names that it refuses.
    fn refused(&self) -> Vec<&'static str> {
        let mut seen = HashSet::new();
        let names = optional_fields().into_iter().map(|(name, _)| name);
        let is_refused =
            |name: &str| self.field(name).is_none() && !(name == "ignore_eos" && self.is_llama());
        names.filter(|name| seen.insert(*name) && is_refused(name)).collect()
    }

    /// What its answers can't earn; `None` where nothing is known to be in the way. `has_tokenizer` tells that ids can be
    /// found from text.
    pub(super) fn obstacle(&self, has_tokenizer: bool) -> Option<&'static str> {
        match (self.tokens, has_tokenizer) {
            (TokenForm::Ids | TokenForm::Llama { .. } | TokenForm::Unknown, _) | (TokenForm::Words, true) => {
                None
            }
            (TokenForm::Words, false) => Some(
                "it can't earn on tasks that need token ids: it names tokens by their words; name the model's folder as \
                 `path`, whose tokenizer finds their ids",
            ),
            (TokenForm::Text, false) => Some(
                "it can't earn on tasks that need token ids: its answers are text alone; front a server that tells ids \
                 (vLLM, llama.cpp), or name the model's folder as `path` for tasks without log-probabilities",
            ),
            (TokenForm::Text, true) => Some(
                "it can't earn on tasks that need log-probabilities: its answers are text alone, of which the tokenizer \
                 finds no more than the ids; front a server that tells them (vLLM, llama.cpp)",
            ),
        }
    }
}

/// One line for a log.
impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(model) = &self.model {
            write!(f, "calls its model {model:?}, ")?;
        }
        f.write_str(match self.tokens {
            TokenForm::Ids => "tells token ids",
            TokenForm::Llama { .. } => {
                "tells token ids, all of them only by /completion without a stream, so answers with ids come whole; its \
                 ignore_eos bans the end token, so it isn't sent and the miner goes on after an end itself"
            }
            TokenForm::Words => "names tokens by their words",
            TokenForm::Text => "tells no tokens",
            TokenForm::Unknown => "didn't say which tokens it chose",
        })?;
        match self.alternatives {
            0 => f.write_str(", no log-probabilities")?,
            count => write!(f, ", up to {count} alternatives")?,
        }
        match self.stop_words {
            0 => f.write_str(", doesn't say which stop word ended an answer (the miner applies them)")?,
            count => write!(f, ", takes {count} stop words")?,
        }
        let can = |f: &mut fmt::Formatter<'_>, can: bool, what: &str| {
            if can { Ok(()) } else { write!(f, ", {what}") }
        };
        can(f, self.streams, "doesn't stream")?;
        can(f, self.prompt_ids, "takes no prompts as ids")?;
        can(f, !self.repeats, "answers with the prompt before its continuation, which the miner can't give")?;
        can(f, self.counts, "doesn't count its tokens")?;
        can(f, self.echo, "doesn't score prompts (can't be a validator's reference)")?;
        let refused = self.refused();
        if refused.is_empty() { Ok(()) } else { write!(f, ", refuses {}", refused.join(" ")) }
    }
}
