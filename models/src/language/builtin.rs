//! The language models that ship with the program. `trainer/` made them.

use std::fmt;
use std::str::FromStr;

use super::error::LanguageError;
use super::model::LanguageModel;
use crate::device::Place;
use crate::folder::Folder;
use crate::precision::Precision;

const TOKENIZER: &[u8] = include_bytes!("../../weights/language/tokenizer.json");

/// A small model of English technical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltinLanguage {
    /// The model that honest miners serve and validators compare with.
    Reference,
    /// A quarter of its size: what a miner serves who saves on the model.
    Weak,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no built-in language model named {name:?}: there are language-reference and language-weak")]
pub struct UnknownLanguage {
    pub name: String,
}

impl BuiltinLanguage {
    pub const ALL: [Self; 2] = [Self::Reference, Self::Weak];

    /// `language-reference` or `language-weak`; shown and parsed so.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "language-reference",
            Self::Weak => "language-weak",
        }
    }

    fn folder(self) -> Result<Folder, LanguageError> {
        let (config, weights) = self.files();
        Ok(Folder::in_memory(config.to_vec(), TOKENIZER.to_vec(), weights)?)
    }

    /// `config.json` and the weights.
    fn files(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Reference => (
                include_bytes!("../../weights/language/reference.json"),
                include_bytes!("../../weights/language/reference.safetensors"),
            ),
            Self::Weak => (
                include_bytes!("../../weights/language/weak.json"),
                include_bytes!("../../weights/language/weak.safetensors"),
            ),
        }
    }
}

impl LanguageModel {
    /// A model that is part of the program.
    ///
    /// # Errors
    /// As [`LanguageModel::load`]; a test sees to it that there are none.
    pub fn builtin(which: BuiltinLanguage) -> Result<Self, LanguageError> {
        Self::build(which.folder()?)
    }

    /// A model that is part of the program, computed on a device of choice.
    ///
    /// # Errors
    /// As [`LanguageModel::builtin`].
    pub fn builtin_on(place: &Place, which: BuiltinLanguage) -> Result<Self, LanguageError> {
        Self::build_on(place, None, which.folder()?)
    }

    /// A model that is part of the program, as a cheaper deployment of it computes.
    ///
    /// # Errors
    /// As [`LanguageModel::load`]; a test sees to it that there are none.
    pub fn builtin_rounded(which: BuiltinLanguage, precision: Precision) -> Result<Self, LanguageError> {
        Self::build_rounded(which.folder()?, precision)
    }
}

impl fmt::Display for BuiltinLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BuiltinLanguage {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, UnknownLanguage> {
        let named = Self::ALL.into_iter().find(|builtin| builtin.name() == name);
        named.ok_or_else(|| UnknownLanguage { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::ForcedSequence;

    #[test]
    fn the_reference_predicts_its_text_better_than_the_weak_one() {
        let text =
            "The compiler checks that every reference is valid for as long as the value that it refers to.";
        let loss = |which: BuiltinLanguage| {
            let model = LanguageModel::builtin(which).expect("a built-in model");
            let tokens = model.encode(text).expect("tokens");
            assert_eq!(model.continuation(&[], &tokens), text);
            let logits =
                model.forced(&[ForcedSequence { tokens: &tokens, from: 1 }]).expect("logits").remove(0);
            let rows = logits.chunks_exact(model.vocabulary()).zip(&tokens[1..]);
            let losses = rows.map(|(row, token)| -crate::sampling::log_probs(row, *token, 0).chosen);
            losses.sum::<f32>() / (tokens.len() - 1) as f32
        };
        let [reference, weak] = BuiltinLanguage::ALL.map(loss);
        assert!(reference < weak && weak < 7.0, "{reference} {weak}");
    }
}
