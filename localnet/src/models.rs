//! The models of a localnet, loaded by its caller: what they are called and where they lie is not its concern.

use weighhouse_models::encoder::Embedder;
use weighhouse_models::language::LanguageModel;

use crate::options::Work;

/// The models behind a localnet's task.
#[derive(Clone, Debug)]
pub enum LocalnetModels {
    /// The built-in classifiers.
    Digits,
    /// A language model that is agreed on, a weaker one, and the first with its weights rounded to four bits.
    Language { reference: Box<LanguageModel>, weak: Box<LanguageModel>, int4: Box<LanguageModel> },
    /// An encoder that is agreed on.
    Encoder(Box<Embedder>),
}

impl LocalnetModels {
    pub(crate) fn work(&self) -> Work {
        match self {
            Self::Digits => Work::Digits,
            Self::Language { .. } => Work::Generate,
            Self::Encoder(_) => Work::Embed,
        }
    }
}
