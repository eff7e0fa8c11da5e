//! A network's weights in panels, and its forward pass.
//!
//! The tensors' matrices are laid out in panels, each within its own memory. The passes are those of the tensors' network,
//! step by step.

use std::ops::Range;
use std::sync::Arc;

use super::super::passes::ForcedSequence;
use super::super::tensors::TensorNetwork;
use super::layer::{Angles, Layer, Scratch};
use crate::attention::{Heads, LayerCache, Sees, attend_pack};
use crate::language::config::Shape;
use crate::panels::Matrix;
use crate::precision::{self, Precision};
use crate::projection::{matrix, numbers};
use crate::rows;

#[derive(Clone, Debug)]
struct Weights {
    /// `[vocabulary, width]`; the head's rows where the two are tied.
    embedding: Option<Vec<f32>>,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    head: Matrix,
}

/// Clones share the weights.
#[derive(Clone, Debug)]
pub(in crate::language::kernels) struct SliceNetwork {
    pub(super) shape: Arc<Shape>,
    weights: Arc<Weights>,
}

impl SliceNetwork {
    /// `None` only if the backend can't hand its weights back.
    pub(in crate::language::kernels) fn of(network: TensorNetwork) -> Option<Self> {
        let TensorNetwork { shape, embedding, layers, norm, head, .. } = network;
        // Of two that share memory one must go before the other can be taken without a copy.
        let (embedding, head) = match shape.tied {
            true => {
                drop(head);
                (None, matrix(embedding)?)
            }
            false => (Some(numbers(embedding)?), matrix(head)?),
        };
        let layers = layers.into_iter().map(Layer::of).collect::<Option<_>>()?;
        let weights = Weights { embedding, layers, norm: numbers(norm)?, head };
        Some(Self { shape: Arc::new(shape), weights: Arc::new(weights) })
    }

    pub(super) fn at(&self, precision: Precision) -> Self {
        let round = |matrix: &mut Matrix| {
            // As rows: a panel mixes them, and integers have a scale for each row.
            let ([outputs, inputs], mut rows) = (matrix.shape(), matrix.to_rows());
            precision::round(&mut rows, &[outputs, inputs], precision);
            *matrix = Matrix::from_rows(rows, outputs, inputs);
        };
        let mut weights = Weights::clone(&self.weights);
        for layer in &mut weights.layers {
            for part in [&mut layer.qkv, &mut layer.output, &mut layer.inner, &mut layer.down] {
                round(&mut part.weight);
            }
        }
        if matches!(precision, Precision::Half | Precision::Bfloat16) {
            if let Some(embedding) = &mut weights.embedding {
                precision::round(embedding, &[self.shape.vocabulary, self.shape.width], precision);
            }
            round(&mut weights.head);
        }
        Self { shape: self.shape.clone(), weights: Arc::new(weights) }
    }

    pub(super) fn heads(&self) -> Heads {
        let shape = &self.shape;
        Heads { heads: shape.heads, kv_heads: shape.kv_heads, width: shape.head_width }
    }

    /// The last layer's rows that are `wanted`, not yet normalised. `attend` gets each layer's number and its rows of
    /// rotated queries, rotated keys and values, and fills rows of `heads * head_width`.
    pub(super) fn hidden(
        &self,
        tokens: &[u32],
        positions: impl Iterator<Item = usize>,
        wanted: &[Range<usize>],
        mut attend: impl FnMut(usize, &[f32], &mut [f32]),
    ) -> Vec<f32> {
        let shape = &*self.shape;
        let heads = self.heads();
        let mut hidden = self.embedded(tokens);
        let (cosines, sines) = shape.rope.tables(positions);
        let mut projected = vec![0.0; tokens.len() * heads.row()];
        let mut attended = vec![0.0; tokens.len() * heads.queries()];
        let mut scratch = Scratch::of_each_thread();
        for (index, layer) in self.weights.layers.iter().enumerate() {
            let angles = Angles { cosines: &cosines, sines: &sines };
            layer.project(shape, &hidden, angles, &mut scratch, &mut projected);
            attend(index, &projected, &mut attended);
            // Keys and values of the last layer are written by now: other rows are needed no more.
            if index + 1 == self.weights.layers.len() {
                keep(&mut hidden, shape.width, wanted);
                keep(&mut attended, heads.queries(), wanted);
            }
            layer.finish(shape, &attended, &mut scratch, &mut hidden);
        }
        hidden
    }

    fn embedded(&self, tokens: &[u32]) -> Vec<f32> {
        let width = self.shape.width;
        let mut rows = vec![0.0; tokens.len() * width];
        for (row, token) in rows.chunks_exact_mut(width).zip(tokens) {
            let token = *token as usize;
            match &self.weights.embedding {
                Some(table) => row.copy_from_slice(&table[token * width..(token + 1) * width]),
                None => self.weights.head.row(token, row),
            }
        }
        rows
    }

    /// Logits of rows of [`SliceNetwork::hidden`].
    pub(super) fn logits(&self, hidden: &[f32]) -> Vec<f32> {
        let mut normed = vec![0.0; hidden.len()];
        rows::normed(hidden, &self.weights.norm, self.shape.norm_epsilon as f32, &mut normed);
        let mut logits = vec![0.0; hidden.len() / self.shape.width * self.shape.vocabulary];
        self.weights.head.product(&normed, &mut logits);
        logits
    }

    pub(super) fn logits_of(&self, pack: &[ForcedSequence<'_>]) -> Vec<Vec<f32>> {
        let tokens: Vec<u32> = pack.iter().flat_map(|sequence| sequence.tokens).copied().collect();
        let positions = pack.iter().flat_map(|sequence| 0..sequence.tokens.len());
        let mut start = 0;
        let predicting = |sequence: &ForcedSequence<'_>| {
            // Row n predicts token n + 1.
            let range = start + sequence.from - 1..start + sequence.tokens.len() - 1;
            start += sequence.tokens.len();
            range
        };
        let wanted: Vec<Range<usize>> = pack.iter().map(predicting).collect();
        let heads = self.heads();
        let mut kept: Vec<LayerCache> =
            pack.iter().map(|sequence| LayerCache::new(&heads, sequence.tokens.len())).collect();
        let hidden = self.hidden(&tokens, positions, &wanted, |_, rows, out| {
            let sequences = pack.iter().map(|sequence| (sequence.tokens.len(), Sees::Before));
            attend_pack(&heads, sequences, &mut kept, rows, out);
        });
        let mut rest = &hidden[..];
        let of_sequence = |wanted: &Range<usize>| {
            let (rows, later) = rest.split_at(wanted.len() * self.shape.width);
            rest = later;
            self.logits(rows)
        };
        wanted.iter().map(of_sequence).collect()
    }
}

/// Keeps some rows of a matrix; `wanted` ascends.
fn keep(rows: &mut Vec<f32>, width: usize, wanted: &[Range<usize>]) {
    let mut end = 0;
    for range in wanted {
        rows.copy_within(range.start * width..range.end * width, end);
        end += range.len() * width;
    }
    rows.truncate(end);
}
