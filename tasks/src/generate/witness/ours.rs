//! The models of `weighhouse-models` as references.

use std::fmt;

use weighhouse_models::language::{ForcedSequence, LanguageModel};
use weighhouse_types::Digest;

use super::{Language, Sequence, WitnessError};

impl Language for LanguageModel {
    fn digest(&self) -> Digest {
        self.digest()
    }

    fn under(&self, digest: Digest) -> Option<Self> {
        self.under(digest)
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary()
    }

    fn context(&self) -> usize {
        self.context()
    }

    fn pack_tokens(&self) -> usize {
        self.pack_tokens()
    }

    fn end_tokens(&self) -> &[u32] {
        self.end_tokens()
    }

    fn other_end_tokens(&self) -> &[u32] {
        self.tokens().other_end_tokens()
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, WitnessError> {
        self.encode(text).map_err(failed)
    }

    fn continuation(&self, prompt: &[u32], tokens: &[u32]) -> String {
        self.continuation(prompt, tokens)
    }

    fn forced(&self, sequences: &[Sequence<'_>]) -> Result<Vec<Vec<f32>>, WitnessError> {
        let sequences: Vec<_> = sequences
            .iter()
            .map(|sequence| ForcedSequence { tokens: sequence.tokens, from: sequence.from })
            .collect();
        self.forced(&sequences).map_err(failed)
    }
}

fn failed(error: impl fmt::Display) -> WitnessError {
    WitnessError::Model(error.to_string())
}
