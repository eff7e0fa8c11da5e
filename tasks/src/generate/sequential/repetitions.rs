//! Completions of an epoch by what they say: an answer that was given to another question before is checked.
//!
//! A miner that is sure of not being drawn could answer once and send that answer again. No model is needed to see it,
//! and nothing follows from it but a check: an honest model may say the same twice.

use std::collections::BTreeMap;

use weighhouse_types::text::{TextAnswer, TextLimits};
use weighhouse_types::{Digest, Hasher, InferAnswer};

/// Shorter completions are alike by chance.
const TOKENS_MIN: usize = 8;
/// Longer ones are no answers that a validator asks for.
const LIMITS: TextLimits = TextLimits { prompt_bytes: 0, prompt_tokens: 0, max_tokens: 1 << 16 };

/// The completions of an epoch so far, by what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repetitions(BTreeMap<Digest, First>);

/// The challenge at which a completion was given first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct First {
    round: u32,
    challenge: Digest,
}

impl Repetitions {
    /// A digest of what an answer says; `None` for what is no completion, or too short a one.
    pub fn fingerprint(answer: &InferAnswer) -> Option<Digest> {
        Self::fingerprint_of(&TextAnswer::from_infer(answer, &LIMITS).ok()?.tokens)
    }

    /// As [`Repetitions::fingerprint`], of a completion that has been read.
    pub fn fingerprint_of(tokens: &[u32]) -> Option<Digest> {
        if tokens.len() < TOKENS_MIN {
            return None;
        }
        let tokens: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        Some(Hasher::new("weighhouse/said/v1").part(&tokens).finish())
    }

    /// Takes note of what was said to a challenge.
    pub fn take(&mut self, round: u32, challenge: Digest, said: Digest) {
        // Only the first counts: whoever says it later is who repeats.
        self.0.entry(said).or_insert(First { round, challenge });
    }

    /// Tells whether anybody said the same to another challenge in an earlier round.
    pub fn is_repeated(&self, round: u32, challenge: Digest, said: &Digest) -> bool {
        // Within a round, and to the same challenge, honest miners say the same.
        self.0.get(said).is_some_and(|first| first.round < round && first.challenge != challenge)
    }
}
