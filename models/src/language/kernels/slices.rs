//! The layers as loops over slices: what runs on the processor.

mod batch;
mod layer;
mod network;

use std::sync::Arc;

pub(super) use network::SliceNetwork;

use super::passes::{Batch, ForcedSequence, Passes};
use crate::precision::Precision;
use batch::SliceBatch;

/// For each thread. Few, because activations and logits that outgrow a cache cost more than reading the weights again.
const PACK_TOKENS: usize = 256;

impl Passes for SliceNetwork {
    fn rounded(&self, precision: Precision) -> Option<Arc<dyn Passes>> {
        Some(Arc::new(self.at(precision)))
    }

    fn pack_tokens(&self) -> usize {
        PACK_TOKENS * rayon::current_num_threads()
    }

    fn forced(&self, pack: &[ForcedSequence<'_>], _: usize) -> Option<Vec<Vec<f32>>> {
        Some(self.logits_of(pack))
    }

    fn batch(&self) -> Box<dyn Batch> {
        Box::new(SliceBatch::new(self.clone()))
    }
}
