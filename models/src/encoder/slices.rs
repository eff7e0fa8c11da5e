//! The encoder's layers over rows of packed tokens, in loops over slices: what runs on the processor.
//!
//! **Invariant.** A text's embedding doesn't depend on what else is in a pass, to the bit.

use rayon::prelude::*;

use super::config::EncoderShape;
use super::network::{self, TensorNetwork};
use crate::attention::{Heads, LayerCache, Sees, attend_pack};
use crate::projection::{Projection, RowShare, numbers};
use crate::rows;

#[derive(Clone, Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Layer {
    qkv: Projection,
    output: Projection,
    after_attention: Norm,
    inner: Projection,
    down: Projection,
    after: Norm,
}

#[derive(Debug)]
pub(super) struct SliceNetwork {
    words: Vec<f32>,
    positions: Vec<f32>,
    kind: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl SliceNetwork {
    /// `None` only if the backend can't hand its weights back.
    pub(super) fn of(network: TensorNetwork) -> Option<Self> {
        let TensorNetwork { words, positions, kind, norm, layers, .. } = network;
        Some(Self {
            words: numbers(words)?,
            positions: numbers(positions)?,
            kind: numbers(kind)?,
            norm: Norm::of(norm)?,
            layers: layers.into_iter().map(Layer::of).collect::<Option<_>>()?,
        })
    }

    /// The last layer's rows of a pack's sequences.
    pub(super) fn hidden(&self, pack: &[Vec<u32>], shape: &EncoderShape) -> Vec<f32> {
        let heads = Heads { heads: shape.heads, kv_heads: shape.heads, width: shape.width / shape.heads };
        let mut hidden = self.embedded(pack, shape);
        let tokens = hidden.len() / shape.width;
        let (mut projected, mut attended) = (vec![0.0; tokens * heads.row()], vec![0.0; hidden.len()]);
        let mut kept: Vec<LayerCache> =
            pack.iter().map(|sequence| LayerCache::new(&heads, sequence.len())).collect();
        for layer in &self.layers {
            layer.project(&hidden, shape, &mut projected);
            let sequences = pack.iter().map(|sequence| (sequence.len(), Sees::All(sequence.len())));
            attend_pack(&heads, sequences, &mut kept, &projected, &mut attended);
            layer.finish(&attended, shape, &mut hidden);
        }
        hidden
    }

    fn embedded(&self, pack: &[Vec<u32>], shape: &EncoderShape) -> Vec<f32> {
        let width = shape.width;
        let mut hidden = Vec::with_capacity(pack.iter().map(Vec::len).sum::<usize>() * width);
        for sequence in pack {
            for (token, place) in sequence.iter().zip(self.positions.chunks_exact(width)) {
                let word = &self.words[*token as usize * width..][..width];
                let numbers = word.iter().zip(place).zip(&self.kind);
                hidden.extend(numbers.map(|((word, place), kind)| word + place + kind));
            }
        }
        self.norm.apply(&mut hidden, shape);
        hidden
    }
}

impl Norm {
    fn of(norm: network::Norm) -> Option<Self> {
        Some(Self { weight: numbers(norm.weight)?, bias: numbers(norm.bias)? })
    }

    fn apply(&self, rows: &mut [f32], shape: &EncoderShape) {
        rows::layer_normed(rows, &self.weight, &self.bias, shape.norm_epsilon as f32);
    }
}

impl Layer {
    fn of(layer: network::Layer) -> Option<Self> {
        Some(Self {
            qkv: Projection::of(layer.qkv)?,
            output: Projection::of(layer.output)?,
            after_attention: Norm::of(layer.after_attention)?,
            inner: Projection::of(layer.inner)?,
            down: Projection::of(layer.down)?,
            after: Norm::of(layer.after)?,
        })
    }

    /// Fills `projected` with each row's queries, keys and values.
    fn project(&self, hidden: &[f32], shape: &EncoderShape, projected: &mut [f32]) {
        let share = RowShare::of(hidden.len() / shape.width);
        let parts = hidden.par_chunks(share.rows * shape.width);
        parts
            .zip(projected.par_chunks_mut(share.rows * 3 * shape.width))
            .for_each(|(hidden, projected)| self.qkv.forward(hidden, projected, share));
    }

    /// Attention's output and the layers behind it.
    fn finish(&self, attended: &[f32], shape: &EncoderShape, hidden: &mut [f32]) {
        let share = RowShare::of(hidden.len() / shape.width);
        let parts = attended.par_chunks(share.rows * shape.width);
        parts.zip(hidden.par_chunks_mut(share.rows * shape.width)).for_each(|(attended, hidden)| {
            let mut added = vec![0.0; hidden.len()];
            self.output.forward(attended, &mut added, share);
            rows::add(hidden, &added);
            self.after_attention.apply(hidden, shape);
            let mut inner = vec![0.0; hidden.len() / shape.width * shape.inner];
            self.inner.forward(hidden, &mut inner, share);
            rows::gelu(&mut inner);
            self.down.forward(&inner, &mut added, share);
            rows::add(hidden, &added);
            self.after.apply(hidden, shape);
        });
    }
}
