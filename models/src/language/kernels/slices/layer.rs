//! One layer's weights, and its two halves: what comes before attention and what follows.

use rayon::prelude::*;

use super::super::tensors::TensorLayer;
use crate::language::config::Shape;
use crate::projection::{Projection, RowShare, numbers};
use crate::rows;

#[derive(Clone, Debug)]
pub(super) struct Layer {
    before: Vec<f32>,
    pub(super) qkv: Projection,
    pub(super) output: Projection,
    after: Vec<f32>,
    pub(super) inner: Projection,
    pub(super) down: Projection,
}

/// The angles of each row's rotation.
#[derive(Clone, Copy)]
pub(super) struct Angles<'a> {
    pub(super) cosines: &'a [f32],
    pub(super) sines: &'a [f32],
}

/// Memory for what stands between the steps of a half, kept from layer to layer.
#[derive(Clone, Default)]
pub(super) struct Scratch {
    normed: Vec<f32>,
    inner: Vec<f32>,
    gated: Vec<f32>,
}

impl Scratch {
    pub(super) fn of_each_thread() -> Vec<Self> {
        vec![Self::default(); rayon::current_num_threads()]
    }
}

impl Layer {
    pub(super) fn of(layer: TensorLayer) -> Option<Self> {
        let TensorLayer { before, qkv, output, after, inner, down } = layer;
        Some(Self {
            before: numbers(before)?,
            qkv: Projection::of(qkv)?,
            output: Projection::of(output)?,
            after: numbers(after)?,
            inner: Projection::of(inner)?,
            down: Projection::of(down)?,
        })
    }

    /// Fills `projected` with each row's rotated queries, rotated keys and values.
    pub(super) fn project(
        &self,
        shape: &Shape,
        hidden: &[f32],
        angles: Angles<'_>,
        scratch: &mut [Scratch],
        projected: &mut [f32],
    ) {
        let (queries, keys) = shape.projected();
        let (width, row) = (shape.head_width, queries + 2 * keys);
        let turned = rows::RotatedHeads { heads: shape.heads + shape.kv_heads, row };
        let share = RowShare::of(hidden.len() / shape.width);
        let parts =
            hidden.par_chunks(share.rows * shape.width).zip(projected.par_chunks_mut(share.rows * row));
        let cosines = angles.cosines.par_chunks(share.rows * width);
        let angles = cosines.zip(angles.sines.par_chunks(share.rows * width));
        let parts = parts.zip(angles).zip(scratch.par_iter_mut());
        parts.for_each(|(((hidden, projected), (cosines, sines)), scratch)| {
            scratch.normed.resize(hidden.len(), 0.0);
            rows::normed(hidden, &self.before, shape.norm_epsilon as f32, &mut scratch.normed);
            self.qkv.forward(&scratch.normed, projected, share);
            rows::rotate(projected, turned, width, cosines, sines);
        });
    }

    /// Adds to `hidden` what attention and the gated layers behind it give.
    pub(super) fn finish(
        &self,
        shape: &Shape,
        attended: &[f32],
        scratch: &mut [Scratch],
        hidden: &mut [f32],
    ) {
        let (queries, _) = shape.projected();
        let share = RowShare::of(hidden.len() / shape.width);
        let parts =
            attended.par_chunks(share.rows * queries).zip(hidden.par_chunks_mut(share.rows * shape.width));
        parts.zip(scratch.par_iter_mut()).for_each(|((attended, hidden), scratch)| {
            let Scratch { normed, inner, gated } = scratch;
            normed.resize(hidden.len(), 0.0);
            inner.resize(hidden.len() / shape.width * 2 * shape.inner, 0.0);
            self.output.forward(attended, normed, share);
            rows::add(hidden, normed);
            rows::normed(hidden, &self.after, shape.norm_epsilon as f32, normed);
            self.inner.forward(normed, inner, share);
            rows::gate(inner, shape.inner, gated);
            self.down.forward(gated, normed, share);
            rows::add(hidden, normed);
        });
    }
}
