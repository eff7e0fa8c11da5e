//! Sequences that are being decoded, each with memory of its own for as long as it may become.

use std::slice;

use super::super::passes::Batch;
use super::network::SliceNetwork;
use crate::attention::{AttendTask, LayerCache, Sees, attend_each};

/// A sequence's keys and values, layer by layer.
struct SequenceCache {
    layers: Vec<LayerCache>,
    tokens: usize,
}

pub(super) struct SliceBatch {
    network: SliceNetwork,
    sequences: Vec<SequenceCache>,
}

impl SliceBatch {
    pub(super) fn new(network: SliceNetwork) -> Self {
        Self { network, sequences: Vec::new() }
    }
}

impl Batch for SliceBatch {
    fn join(&mut self, prompt: &[u32], longest: usize) -> Option<Vec<f32>> {
        let (heads, tokens) = (self.network.heads(), prompt.len());
        let mut layers: Vec<LayerCache> =
            (0..self.network.shape.layers).map(|_| LayerCache::new(&heads, longest.max(tokens))).collect();
        let last = tokens.checked_sub(1)?..tokens;
        let hidden = self.network.hidden(prompt, 0..tokens, slice::from_ref(&last), |layer, rows, out| {
            let kept = &mut layers[layer];
            kept.write(&heads, 0, rows);
            attend_each(&heads, vec![AttendTask { kept, sees: Sees::Before, first: 0, rows, out }]);
        });
        self.sequences.push(SequenceCache { layers, tokens });
        Some(self.network.logits(&hidden))
    }

    fn step(&mut self, tokens: &[u32]) -> Option<Vec<f32>> {
        let heads = self.network.heads();
        let positions: Vec<usize> = self.sequences.iter().map(|held| held.tokens).collect();
        let (all, sequences) = (0..tokens.len(), &mut self.sequences);
        let places = positions.iter().copied();
        let hidden = self.network.hidden(tokens, places, slice::from_ref(&all), |layer, rows, out| {
            let rows = rows.chunks_exact(heads.row()).zip(out.chunks_exact_mut(heads.queries()));
            let tasks = sequences.iter_mut().zip(rows).map(|(held, (rows, out))| {
                let kept = &mut held.layers[layer];
                kept.write(&heads, held.tokens, rows);
                AttendTask { kept, sees: Sees::Before, first: held.tokens, rows, out }
            });
            attend_each(&heads, tasks.collect());
        });
        // After the last layer: all of them write at the same position.
        self.sequences.iter_mut().for_each(|held| held.tokens += 1);
        Some(self.network.logits(&hidden))
    }

    fn keep(&mut self, kept: &[usize]) {
        let mut index = 0;
        self.sequences.retain(|_| {
            index += 1;
            kept.contains(&(index - 1))
        });
    }
}
