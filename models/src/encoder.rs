//! Embeddings of texts by a BERT-style encoder (J. Devlin and others, 2018) with pooling, as `sentence-transformers`
//! publishes them.

mod config;
mod network;
mod pool;
mod slices;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ndarray::Array2;
use weighhouse_types::Digest;

pub use config::{EncoderConfigError, Pooling};

use crate::device::{Computes, Place};
use crate::folder::{Folder, FolderError, LoadLimits};
use crate::language::{ForwardError, TextError};
use crate::precision::Precision;
use crate::text::Text;
use config::EncoderShape;
use network::TensorNetwork;
use pool::pool;
use slices::SliceNetwork;

/// Tokens of one packed forward pass.
const PACK_TOKENS: usize = 2_048;

/// Why an encoder can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Config(#[from] EncoderConfigError),
    #[error("tokenizer.json: {0}")]
    Tokenizer(#[from] TextError),
    #[error("the device doesn't hand the weights back")]
    Backend,
}

/// A failure to embed texts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Forward(#[from] ForwardError),
}

/// A loaded encoder. Any number of threads may share one; clones share the weights.
#[derive(Clone)]
pub struct Embedder {
    digest: Digest,
    shape: Arc<EncoderShape>,
    text: Text,
    network: Network,
}

/// The layers, as the device computes them.
#[derive(Clone)]
enum Network {
    Tensors(Box<TensorNetwork>),
    Slices(Arc<SliceNetwork>),
}

impl Network {
    /// The last layer's rows of a pack's sequences; `None` only if the backend can't hand its result back.
    fn hidden(&self, pack: &[Vec<u32>], shape: &EncoderShape) -> Option<Vec<f32>> {
        match self {
            Self::Tensors(network) => network.hidden(pack, shape),
            Self::Slices(network) => Some(network.hidden(pack, shape)),
        }
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("digest", &self.digest).field("shape", &self.shape).finish()
    }
}

impl Embedder {
    /// Loads a folder as Hugging Face publishes it, with the pooling that `modules.json` names, or the mean over
    /// tokens if there is none.
    ///
    /// # Errors
    /// A file missing, cut or over its limit; another family; a tensor too many, too few or of another shape.
    pub fn load(folder: &Path, limits: &LoadLimits) -> Result<Self, EncoderError> {
        Self::load_on(&Place::cpu(), folder, limits)
    }

    /// Loads a folder like [`Embedder::load`], computed on a device of choice.
    ///
    /// # Errors
    /// As [`Embedder::load`].
    pub fn load_on(place: &Place, folder: &Path, limits: &LoadLimits) -> Result<Self, EncoderError> {
        Self::build(place, Folder::open(folder, limits)?, folder)
    }

    /// Loads a folder and rounds the weights, as a cheaper deployment of the model does.
    ///
    /// # Errors
    /// As [`Embedder::load`].
    pub fn load_rounded(
        folder: &Path,
        limits: &LoadLimits,
        precision: Precision,
    ) -> Result<Self, EncoderError> {
        Self::build(&Place::cpu(), Folder::open(folder, limits)?.rounded(precision), folder)
    }

    fn build(place: &Place, mut files: Folder, folder: &Path) -> Result<Self, EncoderError> {
        let shape = EncoderShape::read(&files.config, folder)?;
        let text = Text::read(&files.tokenizer, shape.vocabulary)?.cut(shape.tokens_max)?;
        let digest = files.digest;
        let network = TensorNetwork::load(&mut files, &shape, &place.burn())?;
        // Last: a tensor that nothing has taken by now is refused.
        files.finish()?;
        let network = match place.computes {
            Computes::Slices => {
                Network::Slices(Arc::new(SliceNetwork::of(network).ok_or(EncoderError::Backend)?))
            }
            Computes::Tensors(_) => Network::Tensors(Box::new(network)),
        };
        Ok(Self { digest, shape: Arc::new(shape), text, network })
    }

    /// Covers `config.json`, `tokenizer.json` and the weights' files: the model's identity.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Numbers in an embedding.
    pub fn dimensions(&self) -> usize {
        self.shape.width
    }

    /// Tokens of a text that are looked at; what follows is not, as the model was published.
    pub fn tokens_max(&self) -> usize {
        self.shape.tokens_max
    }

    /// A row for each text, in order.
    ///
    /// # Errors
    /// A text that the tokenizer refuses, or that has no token.
    pub fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, EmbedError> {
        let tokens: Vec<Vec<u32>> =
            texts.iter().map(|text| self.text.encode(text)).collect::<Result<_, TextError>>()?;
        // The mean over no token would be NaN.
        if tokens.iter().any(Vec::is_empty) {
            return Err(ForwardError::Empty.into());
        }
        let mut numbers = Vec::with_capacity(texts.len() * self.dimensions());
        let mut rest = &tokens[..];
        while !rest.is_empty() {
            let mut total = 0;
            let fits = |sequence: &&Vec<u32>| {
                total += sequence.len();
                total <= PACK_TOKENS
            };
            // A text longer than a pack goes alone.
            let (pack, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            let hidden = self.network.hidden(pack, &self.shape).ok_or(ForwardError::Backend)?;
            let mut rows = hidden.chunks_exact(self.dimensions());
            numbers
                .extend(pack.iter().flat_map(|tokens| pool(rows.by_ref().take(tokens.len()), &self.shape)));
            rest = later;
        }
        let shape = (texts.len(), self.dimensions());
        Array2::from_shape_vec(shape, numbers).map_err(|_| ForwardError::Backend.into())
    }
}

/// An encoder of texts: one of ours, or whatever stands in for it.
pub trait Encoder: Send + Sync + fmt::Debug {
    fn digest(&self) -> Digest;

    /// Numbers in an embedding.
    fn dimensions(&self) -> usize;

    /// A row for each text.
    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, EmbedError>;
}

impl Encoder for Embedder {
    fn digest(&self) -> Digest {
        self.digest()
    }

    fn dimensions(&self) -> usize {
        self.dimensions()
    }

    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, EmbedError> {
        self.embed(texts)
    }
}

#[cfg(test)]
mod tests;
