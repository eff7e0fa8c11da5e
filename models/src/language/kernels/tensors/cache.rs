//! Keys and values of the sequences that are being decoded.
//!
//! One tensor a layer, `[sequences, kv_heads, capacity, head_width]`: every sequence has the room of the longest, in
//! blocks, and what lies behind a sequence's end is masked. Writing a step's row is in place.

use burn_tensor::{Bool, Device, Tensor, TensorData};

use super::super::passes::CACHE_BLOCK;
use super::attend::{AttentionMask, Projections, attend};
use crate::language::config::Shape;

#[derive(Debug)]
pub(super) struct Cache {
    layers: Vec<Option<(Tensor<4>, Tensor<4>)>>,
    pub(super) lengths: Vec<usize>,
    capacity: usize,
    kv_heads: usize,
    head_width: usize,
    device: Device,
}

impl Cache {
    pub(super) fn new(shape: &Shape, device: &Device) -> Self {
        Self {
            layers: vec![None; shape.layers],
            lengths: Vec::new(),
            capacity: 0,
            kv_heads: shape.kv_heads,
            head_width: shape.head_width,
            device: device.clone(),
        }
    }

    /// Makes room for a sequence whose keys and values come by [`Cache::prefill`].
    pub(super) fn join(&mut self, tokens: usize) {
        self.grow(tokens);
        self.lengths.push(tokens);
    }

    /// Keeps these sequences, in this order.
    pub(super) fn keep(&mut self, kept: &[usize]) {
        self.lengths = kept.iter().map(|index| self.lengths[*index]).collect();
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        // Gives back the room that only sequences that have left needed.
        self.capacity = self.capacity.min(longest.next_multiple_of(CACHE_BLOCK));
        let indices: Vec<i32> = kept.iter().map(|index| *index as i32).collect();
        let indices = Tensor::from_data(TensorData::new(indices, [kept.len()]), &self.device);
        for layer in &mut self.layers {
            *layer = layer.take().filter(|_| !kept.is_empty()).map(|(keys, values)| {
                let select =
                    |tensor: Tensor<4>| tensor.narrow(2, 0, self.capacity).select(0, indices.clone());
                (select(keys), select(values))
            });
        }
    }

    /// One layer of a joining sequence's prompt: `[tokens, kv_heads, head_width]` each.
    pub(super) fn prefill(&mut self, layer: usize, keys: Tensor<3>, values: Tensor<3>) {
        let filled = |tensor: Tensor<3>| {
            let [tokens, heads, width] = tensor.dims();
            let room = Tensor::zeros([1, heads, self.capacity - tokens, width], &self.device);
            Tensor::cat(vec![tensor.swap_dims(0, 1).unsqueeze(), room], 2)
        };
        let (keys, values) = (filled(keys), filled(values));
        let joined = match self.layers[layer].take() {
            None => (keys, values),
            Some((all_keys, all_values)) => {
                (Tensor::cat(vec![all_keys, keys], 0), Tensor::cat(vec![all_values, values], 0))
            }
        };
        self.layers[layer] = Some(joined);
    }

    /// Counts a token more for each sequence; the mask of what each may not see.
    pub(super) fn advance(&mut self) -> Tensor<4, Bool> {
        let longest = self.lengths.iter().copied().max().unwrap_or(0);
        self.grow(longest + 1);
        self.lengths.iter_mut().for_each(|length| *length += 1);
        let unseen = |length: &usize| {
            let length = *length;
            (0..self.capacity).map(move |position| position >= length)
        };
        let mask: Vec<bool> = self.lengths.iter().flat_map(unseen).collect();
        Tensor::from_data(TensorData::new(mask, [self.lengths.len(), 1, 1, self.capacity]), &self.device)
    }

    /// One layer of a step: writes a row for each sequence and attends over what is held.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        projected: Projections,
        hidden: &Tensor<4, Bool>,
    ) -> Tensor<2> {
        let [queries, keys, values] = projected.map(|rows| rows.unsqueeze_dim::<4>(2));
        // Taken out, so that the tensors have one owner and rows are written in place.
        let Some((mut all_keys, mut all_values)) = self.layers[layer].take() else {
            return queries.reshape([0, 0]);
        };
        let mut start = 0;
        for run in self.lengths.chunk_by(|a, b| a == b) {
            let (end, at) = (start + run.len(), run[0] - 1);
            let place = [start..end, 0..self.kv_heads, at..at + 1, 0..self.head_width];
            let part = |rows: &Tensor<4>| rows.clone().narrow(0, start, run.len());
            all_keys = all_keys.slice_assign(place.clone(), part(&keys));
            all_values = all_values.slice_assign(place, part(&values));
            start = end;
        }
        let seen = AttentionMask::Except(hidden.clone());
        let attended = attend(queries, all_keys.clone(), all_values.clone(), seen);
        self.layers[layer] = Some((all_keys, all_values));
        attended
    }

    fn grow(&mut self, tokens: usize) {
        let capacity = tokens.next_multiple_of(CACHE_BLOCK);
        if capacity <= self.capacity {
            return;
        }
        let (sequences, more) = (self.lengths.len(), capacity - self.capacity);
        self.capacity = capacity;
        let room: Tensor<4> = Tensor::zeros([sequences, self.kv_heads, more, self.head_width], &self.device);
        for layer in &mut self.layers {
            *layer = layer.take().map(|(keys, values)| {
                let grown = |tensor| Tensor::cat(vec![tensor, room.clone()], 2);
                (grown(keys), grown(values))
            });
        }
    }
}
