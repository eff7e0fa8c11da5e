//! Reasons for which a training ends without a model.

use weighhouse_models::ModelError;
use weighhouse_models::language::{ForwardError, LanguageError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum TrainError {
    #[error("the tokenizer: {0}")]
    Tokenizer(String),
    #[error("the text has {tokens} tokens, at least {needed} are needed: give a larger folder")]
    TooLittle { tokens: usize, needed: usize },
    #[error("step {step}: the loss is not finite")]
    Diverged { step: u32 },
    #[error("the backend gave no gradient or no result")]
    Backend,
    #[error("the trained classifier doesn't load: {0}")]
    Classifier(#[from] ModelError),
    #[error("the trained model doesn't load: {0}")]
    Language(#[from] LanguageError),
    #[error("the trained model doesn't run: {0}")]
    Forward(#[from] ForwardError),
}
