//! What a witness is asked about, and what it says.

use parity_scale_codec::{Decode, Encode};
use weighhouse_models::sampling::Sampling;

/// A completion to look at.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub prompt: &'a str,
    pub tokens: &'a [u32],
    pub sampling: Sampling,
    /// The last token is said to have ended the text, of which it is then no part.
    pub ended: bool,
}

impl<'a> Claim<'a> {
    /// The first `known` tokens that are part of the text.
    pub fn spoken(&self, known: usize) -> &'a [u32] {
        &self.tokens[..known.min(self.tokens.len().saturating_sub(usize::from(self.ended)))]
    }

    /// Position of the token that ends the text: the first at which every server ends, or the last of all where it is one
    /// at which some do.
    pub fn first_end(&self, known: usize, ends: &[u32], other: &[u32]) -> Option<u32> {
        let known = &self.tokens[..known];
        let first = known.iter().position(|id| ends.contains(id));
        let last = || known.last().filter(|id| self.ended && other.contains(id)).map(|_| known.len() - 1);
        first.or_else(last).map(|at| at as u32)
    }
}

/// A witness's word on one completion.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Testimony {
    pub prompt_tokens: u32,
    /// Of each token; ends with an infinite one at a token that the vocabulary doesn't have.
    pub margins: Vec<f32>,
    /// The reference's log-probability of each token under the raw logits.
    pub log_probs: Vec<f32>,
    /// Position of the first end token.
    pub first_end: Option<u32>,
    /// The text by which the tokens continue the prompt, but for an end token's.
    pub text: String,
}
