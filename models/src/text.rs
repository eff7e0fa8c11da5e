//! Text to tokens and back, by the tokenizer that a model was published with.

mod stream;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub(crate) use stream::TextStream;
use tokenizers::{Tokenizer, TruncationParams};

use crate::folder::Folder;

/// Longest text that is looked at.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Keys of `tokenizer_config.json` that name a special token.
const SPECIAL: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Fewest tokens of a prompt that a completion is decoded behind.
const TAIL_TOKENS: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("a text of {bytes} bytes is over the limit of {TEXT_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("the tokenizer: {0}")]
    Tokenizer(String),
    #[error("the tokenizer has {tokenizer} tokens, the embedding {embedding}")]
    Mismatch { tokenizer: usize, embedding: usize },
    #[error("{token} is no token of the model")]
    NoToken { token: u32 },
}

#[derive(Clone)]
pub(crate) struct Text {
    tokenizer: Arc<Tokenizer>,
    /// Tokens that the model has.
    embedding: usize,
    /// Special tokens, which have no text; sorted.
    silent: Arc<[u32]>,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Text").field(&self.tokenizer.get_vocab_size(true)).finish()
    }
}

impl Text {
    /// A folder's tokenizer.
    pub(crate) fn of(folder: &Folder, embedding: usize) -> Result<Self, TextError> {
        Ok(Self::read(&folder.tokenizer, embedding)?.with_special(&folder.tokenizer_config))
    }

    /// An embedding may be larger than the vocabulary (rounded up to a multiple). Tokens that were added to the tokenizer
    /// alone, for padding say, may lie past it: no model says them, and a prompt with one is refused.
    pub(crate) fn read(json: &[u8], embedding: usize) -> Result<Self, TextError> {
        let mut tokenizer =
            Tokenizer::from_bytes(json).map_err(|error| TextError::Tokenizer(error.to_string()))?;
        let added = tokenizer.get_added_tokens_decoder();
        let own = tokenizer.get_vocab(false).into_values().filter(|token| !added.contains_key(token));
        let greatest = own.max().map_or(0, |token| token as usize + 1);
        if greatest > embedding {
            return Err(TextError::Mismatch { tokenizer: greatest, embedding });
        }
        // A published file may cut or pad as its training did; a prompt is served whole or refused.
        tokenizer.with_truncation(None).map_err(|error| TextError::Tokenizer(error.to_string()))?;
        tokenizer.with_padding(None);
        let special = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id);
        let silent = special.collect::<BTreeSet<_>>().into_iter().collect();
        Ok(Self { tokenizer: Arc::new(tokenizer), embedding, silent })
    }

    /// A token by what it is written as.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// With the special tokens that `tokenizer_config.json` names besides.
    pub(crate) fn with_special(mut self, tokenizer_config: &serde_json::Value) -> Self {
        let one = SPECIAL.iter().filter_map(|key| named(tokenizer_config, key));
        let more = ["additional_special_tokens", "extra_special_tokens"]
            .into_iter()
            .flat_map(|key| values(tokenizer_config, key));
        // transformers makes these special when it loads them, whatever `tokenizer.json` says.
        let added = values(tokenizer_config, "added_tokens_decoder").filter(|token| token["special"] == true);
        let more = one.chain(more.chain(added).filter_map(content)).filter_map(|token| self.id(&token));
        self.silent = more.chain(self.silent.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
        self
    }

    /// What is wrong if `tokenizer_config.json` and `tokenizer.json` disagree on the token that begins or ends a prompt.
    pub(crate) fn disagreement(&self, tokenizer_config: &serde_json::Value) -> Option<String> {
        let read = self.encode("a").ok()?;
        let places =
            [("add_bos_token", "bos_token", read.first()), ("add_eos_token", "eos_token", read.last())];
        let differs = |(key, token, found): (&'static str, &str, Option<&u32>)| {
            let adds = tokenizer_config.get(key)?.as_bool()?;
            let id = self.id(&named(tokenizer_config, token)?)?;
            (adds != (found == Some(&id))).then_some((key, adds))
        };
        let (key, adds) = places.into_iter().find_map(differs)?;
        Some(format!(
            "tokenizer_config.json says {key} = {adds}, tokenizer.json does otherwise: servers that go by the former read \
             prompts as other tokens; save both anew with transformers (save_pretrained)"
        ))
    }

    /// Texts are cut after this many tokens, special ones included.
    pub(crate) fn cut(self, tokens_max: usize) -> Result<Self, TextError> {
        let mut tokenizer = Arc::unwrap_or_clone(self.tokenizer);
        let cut = TruncationParams { max_length: tokens_max, ..Default::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|error| TextError::Tokenizer(error.to_string()))?;
        Ok(Self { tokenizer: Arc::new(tokenizer), ..self })
    }

    /// With the special tokens that the tokenizer puts around a text.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encoded(text, true)
    }

    /// Without them.
    pub(crate) fn encode_bare(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encoded(text, false)
    }

    fn encoded(&self, text: &str, with_special: bool) -> Result<Vec<u32>, TextError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TextError::TooLong { bytes: text.len() });
        }
        let encoding = self
            .tokenizer
            .encode_fast(text, with_special)
            .map_err(|error| TextError::Tokenizer(error.to_string()))?;
        match encoding.get_ids().iter().find(|token| **token as usize >= self.embedding) {
            Some(token) => Err(TextError::NoToken { token: *token }),
            None => Ok(encoding.get_ids().to_vec()),
        }
    }

    /// The tokenizer has it.
    pub(crate) fn has(&self, token: u32) -> bool {
        self.tokenizer.id_to_token(token).is_some()
    }

    /// It has no text.
    fn is_silent(&self, token: u32) -> bool {
        self.silent.binary_search(&token).is_ok()
    }

    /// A text of its own, without special tokens. Bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn decode(&self, tokens: &[u32]) -> String {
        let spoken: Vec<u32> = tokens.iter().copied().filter(|token| !self.is_silent(*token)).collect();
        // Some decoders panic where no token is left.
        if spoken.iter().all(|token| self.tokenizer.id_to_token(*token).is_none()) {
            return String::new();
        }
        self.tokenizer.decode(&spoken, true).unwrap_or_default()
    }

    /// The text by which these tokens continue a prompt, without special tokens. Bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn continuation(&self, prompt: &[u32], tokens: &[u32]) -> String {
        let mut stream = TextStream::new(self.clone(), prompt);
        let mut text: String = tokens.iter().map(|token| stream.push(*token)).collect();
        text.push_str(&stream.finish());
        text
    }

    /// The last tokens of a prompt, as many as show what its text ends with.
    fn tail<'a>(&self, prompt: &'a [u32]) -> &'a [u32] {
        let mut count = TAIL_TOKENS;
        while count < prompt.len() {
            let tail = &prompt[prompt.len() - count..];
            let text = self.decode(tail);
            // Special tokens alone have no text, and a tail may begin within a character.
            if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) {
                return tail;
            }
            count *= 2;
        }
        prompt
    }
}

/// A special token that `tokenizer_config.json` names: as a text, or an object with one.
pub(crate) fn named(tokenizer_config: &serde_json::Value, key: &str) -> Option<String> {
    content(tokenizer_config.get(key)?)
}

/// What stands in a list or an object.
fn values<'a>(
    json: &'a serde_json::Value,
    key: &str,
) -> impl Iterator<Item = &'a serde_json::Value> + use<'a> {
    let found = json.get(key);
    let listed = found.and_then(serde_json::Value::as_array).into_iter().flatten();
    listed.chain(found.and_then(serde_json::Value::as_object).into_iter().flat_map(serde_json::Map::values))
}

fn content(token: &serde_json::Value) -> Option<String> {
    Some(token.get("content").unwrap_or(token).as_str()?.to_owned())
}

#[cfg(test)]
mod tests;
