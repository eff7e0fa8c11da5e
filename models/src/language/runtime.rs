//! The two ways to compute a model's passes, and what a decoder needs of either.

use super::Forced;
use super::cache::BurnBatch;
use super::network::Network;
use super::plain::{Plain, PlainBatch};
use crate::device::{Computes, Place};
use crate::precision::Precision;

#[derive(Clone)]
pub(crate) enum Runtime {
    Plain(Plain),
    Burn(Box<Network>),
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

impl Runtime {
    pub(crate) fn new(network: Network, place: &Place) -> Option<Self> {
        match place.computes {
            Computes::Plain => Plain::of(network).map(Self::Plain),
            Computes::Burn(_) => Some(Self::Burn(Box::new(network))),
        }
    }

    pub(crate) fn at(&self, precision: Precision) -> Option<Self> {
        match self {
            Self::Plain(plain) => Some(Self::Plain(plain.at(precision))),
            Self::Burn(network) => network.at(precision).map(|rounded| Self::Burn(Box::new(rounded))),
        }
    }

    pub(crate) fn forced(&self, pack: &[Forced<'_>], rows_max: usize) -> Option<Vec<Vec<f32>>> {
        match self {
            Self::Plain(plain) => Some(plain.forced(pack)),
            Self::Burn(network) => network.forced(pack, rows_max),
        }
    }

    pub(crate) fn batch(&self) -> Box<dyn Batch> {
        match self {
            Self::Plain(plain) => Box::new(PlainBatch::new(plain.clone())),
            Self::Burn(network) => Box::new(BurnBatch::new(Network::clone(network))),
        }
    }
}
