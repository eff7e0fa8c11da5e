//! Where a model ends a text, by the files that it is published with; and its identity, which covers that.
//!
//! Every server ends at the tokens that `generation_config.json` names, or at those of `config.json` where that file is
//! missing; where it names none, the tokenizer's end token is what they share. vLLM and SGLang end at that one as well,
//! SGLang at those of `config.json` beside the others, and llama.cpp at tokens that it knows by their names: an answer may
//! end there.

use std::sync::Arc;

use serde::Deserialize;
use weighhouse_types::{Digest, Hasher};

use super::config::EndTokens;
use super::error::LanguageError;
use crate::folder::Folder;
use crate::text::{Text, named};

/// End tokens that llama.cpp knows by name, whatever a model's files say.
const KNOWN: [&str; 33] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|calls|>",
    "<|flush|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
    "<|fim_pad|>",
    "<fim-pad>",
    "<fim_pad>",
    "<PAD>",
    "[PAD]",
    "<|fim_repo|>",
    "<|repo_name|>",
    "<fim-repo>",
    "<REPO>",
    "<reponame>",
    "<|file_sep|>",
];

/// Where a model ends a text, and its digests.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// The newest first. Version 1 covers the weights, `config.json` and `tokenizer.json`; where there is a
    /// `generation_config.json`, version 2 covers the end tokens too.
    digests: Arc<[Digest]>,
    /// The one by which the model is called.
    holds: usize,
    tokens: Arc<[u32]>,
    other: Arc<[u32]>,
}

impl Ending {
    /// `of_config` are the end tokens of `config.json`.
    pub(crate) fn read(folder: &Folder, of_config: &[u32], text: &Text) -> Result<Self, LanguageError> {
        let tokenizers = named(&folder.tokenizer_config, "eos_token").and_then(|token| text.id(&token));
        let (mut digests, mut tokens) = (vec![folder.digest], of_config.to_vec());
        if let Some(json) = &folder.generation {
            let generation: Generation =
                serde_json::from_slice(json).map_err(|error| LanguageError::Generation(error.to_string()))?;
            // vLLM reads this file in place of `config.json`, and is left with the tokenizer's where it names none.
            let unnamed = tokenizers.map_or(tokens, |id| vec![id]);
            tokens = generation.eos_token_id.map_or(unnamed, EndTokens::ids);
            let second = Hasher::new("weighhouse/model/v2").part(folder.digest.as_bytes());
            digests.insert(0, second.part(&covered(&tokens)).finish());
        }
        let known = KNOWN.iter().filter_map(|name| text.id(name));
        let other: Vec<u32> = of_config.iter().copied().chain(tokenizers).chain(known).collect();
        Ok(Self { digests: digests.into(), holds: 0, tokens: tokens.into(), other: other.into() })
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digests[self.holds]
    }

    pub(crate) fn digests(&self) -> &[Digest] {
        &self.digests
    }

    /// Tokens at which every server ends.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens at which some servers end besides.
    pub(crate) fn other(&self) -> &[u32] {
        &self.other
    }

    /// The same by another digest of its own.
    pub(crate) fn under(&self, digest: Digest) -> Option<Self> {
        let holds = self.digests.iter().position(|own| *own == digest)?;
        Some(Self { holds, ..self.clone() })
    }
}

/// The end tokens as a digest covers them: their order changes nothing.
fn covered(end_tokens: &[u32]) -> Vec<u8> {
    let mut sorted = end_tokens.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[derive(Debug, Deserialize)]
struct Generation {
    eos_token_id: Option<EndTokens>,
}

#[cfg(test)]
mod tests;
