//! Two implementations of a language model's passes, behind one trait.
//!
//! [`tensors`] are burn's operations: for accelerators, for arithmetic coarser than `f32`, and for training. [`slices`]
//! are loops over slices, the faster on the processor. A network is loaded as tensors; on the processor the slices then
//! take its memory over.
//!
//! **Invariant.** Over slices a token's logits don't depend on what else is in a pass: decoding gives what one forward
//! pass gives, to the bit. Between the two implementations logits differ by rounding, within what the tests allow
//! against `transformers`.

mod passes;
mod slices;
mod tensors;

use std::sync::Arc;

pub use passes::ForcedSequence;
pub(crate) use passes::{Batch, Passes, cache_room};
use slices::SliceNetwork;
pub use tensors::{AttentionMask, TensorLayer, TensorNetwork, attend_each};

use crate::device::{Computes, Place};

/// The implementation for a place. `None` only if the backend can't hand its weights back.
pub(crate) fn of(network: TensorNetwork, place: &Place) -> Option<Arc<dyn Passes>> {
    match place.computes {
        Computes::Slices => SliceNetwork::of(network).map(|slices| Arc::new(slices) as Arc<dyn Passes>),
        Computes::Tensors(_) => Some(Arc::new(network)),
    }
}
