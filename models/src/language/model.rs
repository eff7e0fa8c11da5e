//! A loaded language model: its identity, its tokens, and teacher-forced passes over packed sequences.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use burn_tensor::FloatDType;
use weighhouse_types::Digest;

use super::config::Shape;
use super::error::{ForwardError, LanguageError};
use super::kernels::{self, ForcedSequence, Passes, TensorNetwork};
use super::tokens::LanguageTokens;
use crate::device::Place;
use crate::folder::{Folder, LoadLimits};
use crate::precision::Precision;
use crate::text::TextError;

/// Numbers of logits that one forward pass computes at once: more are computed in turns, to bound memory.
const LOGIT_NUMBERS_MAX: usize = 32 << 20;

/// A loaded language model. Any number of threads may share one; clones share the weights.
#[derive(Clone)]
pub struct LanguageModel {
    tokens: LanguageTokens,
    passes: Arc<dyn Passes>,
}

impl fmt::Debug for LanguageModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanguageModel").field("digest", &self.digest()).field("shape", self.shape()).finish()
    }
}

impl LanguageModel {
    /// Loads a folder as Hugging Face publishes it.
    ///
    /// # Errors
    /// A file missing, cut or over its limit; another family; a tensor too many, too few or of another shape.
    pub fn load(folder: &Path, limits: &LoadLimits) -> Result<Self, LanguageError> {
        Self::build(Folder::open(folder, limits)?)
    }

    /// Loads a folder like [`LanguageModel::load`], computed on a device of choice.
    ///
    /// # Errors
    /// As [`LanguageModel::load`].
    pub fn load_on(place: &Place, folder: &Path, limits: &LoadLimits) -> Result<Self, LanguageError> {
        Self::build_on(place, None, Folder::open(folder, limits)?)
    }

    /// Loads a folder as a cheaper deployment of the model computes it: the weights are rounded, and in half
    /// precision and bfloat16 so is each step.
    ///
    /// # Errors
    /// As [`LanguageModel::load`].
    pub fn load_rounded(
        folder: &Path,
        limits: &LoadLimits,
        precision: Precision,
    ) -> Result<Self, LanguageError> {
        Self::build_rounded(Folder::open(folder, limits)?, precision)
    }

    /// A model whose files are held, such as one that was just trained.
    ///
    /// # Errors
    /// As [`LanguageModel::load`].
    pub fn from_files(
        config: Vec<u8>,
        tokenizer: Vec<u8>,
        weights: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Self, LanguageError> {
        Self::build(Folder::in_memory(config, tokenizer, weights)?)
    }

    pub(crate) fn build(folder: Folder) -> Result<Self, LanguageError> {
        Self::build_on(&Place::cpu(), None, folder)
    }

    /// Rounded weights, and each step of a pass rounded as well where machines compute in that precision: in half
    /// precision and bfloat16, never in integers.
    pub(crate) fn build_rounded(folder: Folder, precision: Precision) -> Result<Self, LanguageError> {
        let folder = folder.rounded(precision);
        match precision {
            Precision::Half => Self::build_on(&Place::burn_cpu(), Some(FloatDType::F16), folder),
            Precision::Bfloat16 => Self::build_on(&Place::burn_cpu(), Some(FloatDType::BF16), folder),
            Precision::Int8 | Precision::Int4 => Self::build(folder),
        }
    }

    pub(crate) fn build_on(
        place: &Place,
        arithmetic: Option<FloatDType>,
        mut folder: Folder,
    ) -> Result<Self, LanguageError> {
        let tokens = LanguageTokens::of(&folder)?;
        let network = TensorNetwork::load(&mut folder, tokens.shape(), &place.burn())?;
        let network = TensorNetwork { arithmetic, ..network };
        // Last: a tensor that nothing has taken by now is refused.
        folder.finish()?;
        let passes = kernels::of(network, place).ok_or(LanguageError::Backend)?;
        Ok(Self { tokens, passes })
    }

    /// The folder but for its weights.
    pub fn tokens(&self) -> &LanguageTokens {
        &self.tokens
    }

    /// As [`LanguageTokens::digest`].
    pub fn digest(&self) -> Digest {
        self.tokens.digest()
    }

    /// As [`LanguageTokens::under`].
    pub fn under(&self, digest: Digest) -> Option<Self> {
        Some(Self { tokens: self.tokens.under(digest)?, ..self.clone() })
    }

    /// As [`LanguageTokens::end_tokens`].
    pub fn end_tokens(&self) -> &[u32] {
        self.tokens.end_tokens()
    }

    /// The same model with its weights rounded to what a cheaper deployment would hold, for measuring and for the
    /// personas that serve it. Its digest stays that of the weights it claims to serve.
    ///
    /// # Errors
    /// [`ForwardError::Backend`] if the device does not hand the weights back.
    pub fn at(&self, precision: Precision) -> Result<Self, ForwardError> {
        let passes = self.passes.rounded(precision).ok_or(ForwardError::Backend)?;
        Ok(Self { passes, ..self.clone() })
    }

    pub(crate) fn batch(&self) -> Box<dyn kernels::Batch> {
        self.passes.batch()
    }

    pub fn shape(&self) -> &Shape {
        self.tokens.shape()
    }

    pub fn vocabulary(&self) -> usize {
        self.shape().vocabulary
    }

    /// Most tokens of a prompt and its completion together.
    pub fn context(&self) -> usize {
        self.shape().context
    }

    /// As [`LanguageTokens::encode`].
    ///
    /// # Errors
    /// As there.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.tokens.encode(text)
    }

    /// As [`LanguageTokens::continuation`].
    pub fn continuation(&self, prompt: &[u32], tokens: &[u32]) -> String {
        self.tokens.continuation(prompt, tokens)
    }

    /// Tokens of sequences that one forward pass takes together; a longer one goes alone.
    pub fn pack_tokens(&self) -> usize {
        self.passes.pack_tokens()
    }

    /// For each sequence the logits that predict its tokens from `from` on, `[tokens - from, vocabulary]` row-major.
    ///
    /// Sequences are packed: the cost is that of their tokens, whatever their lengths.
    ///
    /// # Errors
    /// The first sequence that is empty, too long, or has a token outside the vocabulary.
    pub fn forced(&self, sequences: &[ForcedSequence<'_>]) -> Result<Vec<Vec<f32>>, ForwardError> {
        for sequence in sequences {
            self.check(sequence.tokens)?;
            let (from, tokens) = (sequence.from, sequence.tokens.len());
            if from == 0 || from > tokens {
                return Err(ForwardError::Range { from, tokens });
            }
        }
        let rows_max = (LOGIT_NUMBERS_MAX / self.vocabulary()).max(1);
        let mut logits = Vec::with_capacity(sequences.len());
        let mut rest = sequences;
        while !rest.is_empty() {
            let mut tokens = 0;
            let fits = |sequence: &&ForcedSequence<'_>| {
                tokens += sequence.tokens.len();
                tokens <= self.pack_tokens()
            };
            // A sequence longer than a pack goes alone.
            let count = rest.iter().take_while(fits).count().max(1);
            let (pack, later) = rest.split_at(count);
            logits.extend(self.passes.forced(pack, rows_max).ok_or(ForwardError::Backend)?);
            rest = later;
        }
        Ok(logits)
    }

    /// Checks that these tokens can be the model's input.
    ///
    /// # Errors
    /// No token, more than the context, or a number outside the vocabulary.
    pub fn check(&self, tokens: &[u32]) -> Result<(), ForwardError> {
        let (context, vocabulary) = (self.context(), self.vocabulary());
        if tokens.is_empty() {
            return Err(ForwardError::Empty);
        }
        if tokens.len() > context {
            return Err(ForwardError::TooLong { tokens: tokens.len(), context });
        }
        match tokens.iter().find(|token| **token as usize >= vocabulary) {
            Some(token) => Err(ForwardError::NoToken { token: *token, vocabulary }),
            None => Ok(()),
        }
    }
}
