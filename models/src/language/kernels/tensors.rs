//! The layers by burn's operations.

mod attend;
mod batch;
mod cache;
mod network;

use std::sync::Arc;

pub use attend::{AttentionMask, attend_each};
pub use network::{TensorLayer, TensorNetwork};

use super::passes::{Batch, ForcedSequence, Passes};
use crate::precision::Precision;
use batch::TensorBatch;

const PACK_TOKENS: usize = 1_024;

impl Passes for TensorNetwork {
    fn rounded(&self, precision: Precision) -> Option<Arc<dyn Passes>> {
        Some(Arc::new(self.at(precision)?))
    }

    fn pack_tokens(&self) -> usize {
        PACK_TOKENS
    }

    fn forced(&self, pack: &[ForcedSequence<'_>], rows_max: usize) -> Option<Vec<Vec<f32>>> {
        self.logits_of(pack, rows_max)
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::new(TensorBatch::new(self.clone()))
    }
}
