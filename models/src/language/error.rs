//! Reasons for which a language model isn't loaded, or doesn't run.

use super::config::ModelConfigError;
use crate::folder::FolderError;
use crate::text::TextError;

/// Why a model can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("config.json: {0}")]
    Config(#[from] ModelConfigError),
    #[error("generation_config.json is not the JSON it should be: {0}")]
    Generation(String),
    #[error("tokenizer.json: {0}")]
    Tokenizer(#[from] TextError),
    #[error("the backend didn't take the weights")]
    Backend,
}

/// Why a forward pass is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    #[error("a sequence without tokens")]
    Empty,
    #[error("{tokens} tokens are over the model's context of {context}")]
    TooLong { tokens: usize, context: usize },
    #[error("{token} is no token of the model, whose vocabulary has {vocabulary}")]
    NoToken { token: u32, vocabulary: usize },
    #[error("tokens from {from} on are wanted of a sequence of {tokens}, and the first is given")]
    Range { from: usize, tokens: usize },
    #[error("the backend gave no result")]
    Backend,
}
