//! A language model's folder but for its weights: tokenizer, shape and identity.

use std::path::Path;
use std::sync::Arc;

use weighhouse_types::Digest;

use super::config::Shape;
use super::ending::Ending;
use super::error::LanguageError;
use crate::folder::{Folder, LoadLimits};
use crate::text::{Text, TextError};

/// A model's tokens, bounds and identity, for a process that has the weights run elsewhere. The weights are read for the digest, and
/// their headers checked, but not held.
#[derive(Clone, Debug)]
pub struct LanguageTokens {
    ending: Ending,
    warning: Option<Arc<str>>,
    shape: Arc<Shape>,
    pub(super) text: Text,
}

impl LanguageTokens {
    /// Reads a folder as Hugging Face publishes it.
    ///
    /// # Errors
    /// As [`LanguageModel::load`](super::LanguageModel::load), save that tensors are not compared with the configuration.
    pub fn read(folder: &Path, limits: &LoadLimits) -> Result<Self, LanguageError> {
        Self::of(&Folder::open(folder, limits)?)
    }

    pub(super) fn of(folder: &Folder) -> Result<Self, LanguageError> {
        let shape = Shape::parse(&folder.config)?;
        let text = Text::of(folder, shape.vocabulary)?;
        let ending = Ending::read(folder, &shape.end_tokens, &text)?;
        let warning = text.disagreement(&folder.tokenizer_config).map(Arc::from);
        Ok(Self { ending, warning, shape: Arc::new(shape), text })
    }

    /// The model's identity. It covers `config.json`, `tokenizer.json`, the weights' files, and the end tokens of
    /// `generation_config.json` where there is one.
    pub fn digest(&self) -> Digest {
        self.ending.digest()
    }

    /// The digests that its files have, the newest first: two where there is a `generation_config.json`.
    pub fn digests(&self) -> &[Digest] {
        self.ending.digests()
    }

    /// The same model called by this digest, if it is one of its own.
    pub fn under(&self, digest: Digest) -> Option<Self> {
        Some(Self { ending: self.ending.under(digest)?, ..self.clone() })
    }

    /// What an operator should know of the folder.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Tokens that end a text.
    pub fn end_tokens(&self) -> &[u32] {
        self.ending.tokens()
    }

    /// Tokens at which some servers end a text besides.
    pub fn other_end_tokens(&self) -> &[u32] {
        self.ending.other()
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Tells whether the tokenizer has a token: an embedding may be larger.
    pub fn has(&self, token: u32) -> bool {
        self.text.has(token)
    }

    /// # Errors
    /// A text over [`TEXT_BYTES_MAX`](crate::text::TEXT_BYTES_MAX), or one that the tokenizer refuses.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.text.encode(text)
    }

    /// The text by which these tokens continue a prompt, without special tokens; bytes that are no UTF-8 become U+FFFD.
    pub fn continuation(&self, prompt: &[u32], tokens: &[u32]) -> String {
        self.text.continuation(prompt, tokens)
    }

    /// The tokenizer's spellings of a text that continues a prompt: by itself, as one that goes on, and as part of the whole
    /// text where the prompt's is known. They are one where no token crosses an end of it; what a model wrote is likely one
    /// of them.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn spellings(
        &self,
        prompt: &[u32],
        prompt_text: Option<&str>,
        text: &str,
    ) -> Result<Vec<Vec<u32>>, TextError> {
        let mut found = vec![self.text.encode_bare(text)?];
        // A tokenizer may take spaces at an end together, and those before a word apart.
        let mut longer = self.text.encode_bare(&format!("{text}a"))?;
        longer.pop();
        found.push(longer);
        if let Some(before) = prompt_text {
            let whole = self.text.encode(&format!("{before}{text}"))?;
            found.extend(whole.strip_prefix(prompt).map(<[u32]>::to_vec));
        }
        found.retain(|tokens| self.text.continuation(prompt, tokens) == text);
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
