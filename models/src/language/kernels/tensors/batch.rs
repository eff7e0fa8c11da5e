//! Decoding over burn's tensors.

use super::super::passes::Batch;
use super::attend::{AttentionMask, attend_each};
use super::cache::Cache;
use super::network::TensorNetwork;

/// Sequences of which burn computes the passes.
pub(super) struct TensorBatch {
    network: TensorNetwork,
    cache: Cache,
}

impl TensorBatch {
    pub(super) fn new(network: TensorNetwork) -> Self {
        let cache = Cache::new(&network.shape, &network.device);
        Self { network, cache }
    }
}

impl Batch for TensorBatch {
    fn join(&mut self, prompt: &[u32], _: usize) -> Option<Vec<f32>> {
        let Self { network, cache } = self;
        cache.join(prompt.len());
        let lengths = [prompt.len()];
        let hidden = network.hidden(prompt, 0..prompt.len(), |layer, projected| {
            let [_, keys, values] = projected.clone();
            cache.prefill(layer, keys, values);
            attend_each(&lengths, projected, AttentionMask::Before)
        });
        network.logits(hidden.narrow(0, prompt.len() - 1, 1)).try_into_data().ok()?.try_into_vec().ok()
    }

    fn step(&mut self, tokens: &[u32]) -> Option<Vec<f32>> {
        let Self { network, cache } = self;
        let unseen = cache.advance();
        // The lengths count the new token already.
        let positions: Vec<usize> = cache.lengths.iter().map(|length| length - 1).collect();
        let hidden = network.hidden(tokens, positions.into_iter(), |layer, projected| {
            cache.attend(layer, projected, &unseen)
        });
        network.logits(hidden).try_into_data().ok()?.try_into_vec().ok()
    }

    fn keep(&mut self, kept: &[usize]) {
        self.cache.keep(kept);
    }
}
