//! The one face of both implementations: passes over packed sequences, and batches that are decoded.

use std::sync::Arc;

use crate::precision::Precision;

/// Tokens by which the cache of keys and values grows.
pub(crate) const CACHE_BLOCK: usize = 64;

/// A sequence whose tokens from `from` on are to be scored; `from` is at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForcedSequence<'a> {
    pub tokens: &'a [u32],
    pub from: usize,
}

/// A model's passes. `None` only if the backend gives no result.
pub(crate) trait Passes: Send + Sync {
    /// The same network with rounded weights. Integers are for the layers' matrices alone, as deployments have it:
    /// embedding and output stay as they are.
    fn rounded(&self, precision: Precision) -> Option<Arc<dyn Passes>>;

    /// Tokens of sequences that are best packed into one pass.
    fn pack_tokens(&self) -> usize;

    /// Teacher-forced logits of a pack of checked sequences; at most `rows_max` rows need be computed at once.
    fn forced(&self, pack: &[ForcedSequence<'_>], rows_max: usize) -> Option<Vec<Vec<f32>>>;

    /// An empty batch.
    fn batch(&self) -> Box<dyn Batch>;
}

/// Sequences that are being decoded together. `None` only if the backend gives no result.
pub(crate) trait Batch: Send {
    /// Takes up a sequence that will have at most `longest` tokens; the logits that follow its prompt.
    fn join(&mut self, prompt: &[u32], longest: usize) -> Option<Vec<f32>>;

    /// The logits that follow one more token of each, `[sequences, vocabulary]`.
    fn step(&mut self, tokens: &[u32]) -> Option<Vec<f32>>;

    /// Keeps these sequences; their numbers ascend.
    fn keep(&mut self, kept: &[usize]);
}

/// Tokens that the cache has room for once there are `sequences` of at most `longest`.
pub(crate) fn cache_room(sequences: usize, longest: usize) -> usize {
    sequences * longest.next_multiple_of(CACHE_BLOCK)
}
