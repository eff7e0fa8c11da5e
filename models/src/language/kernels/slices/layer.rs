//! One layer's weights, and its two halves: what comes before attention and what follows.
//!
//! Threads share a half by rows where there are enough of them, each going through the whole half with its own; where there
//! are few, as in decoding, they share each product by its outputs.

use burn_tensor::Tensor;
use rayon::prelude::*;

use super::super::tensors::TensorLayer;
use super::rows;
use crate::language::config::Shape;
use crate::linear::Linear;
use crate::panels::Matrix;

/// Rows of each thread from which on threads share by rows: a thread with fewer reads a layer's weights for too little.
const ROWS_MIN: usize = 24;

#[derive(Clone, Debug)]
pub(super) struct Projection {
    pub(super) weight: Matrix,
    bias: Option<Vec<f32>>,
}

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

/// Rows that each thread takes, and whether it then computes its products alone.
#[derive(Clone, Copy)]
struct RowShare {
    rows: usize,
    alone: bool,
}

impl RowShare {
    fn of(rows: usize) -> Self {
        match rayon::current_num_threads() {
            threads if threads > 1 && rows >= threads * ROWS_MIN => {
                Self { rows: rows.div_ceil(threads), alone: true }
            }
            _ => Self { rows: rows.max(1), alone: false },
        }
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

impl Projection {
    fn of(linear: Linear) -> Option<Self> {
        let bias = match linear.bias {
            Some(bias) => Some(numbers(bias)?),
            None => None,
        };
        Some(Self { weight: matrix(linear.weight)?, bias })
    }

    fn forward(&self, rows: &[f32], out: &mut [f32], share: RowShare) {
        let [outputs, _] = self.weight.shape();
        if share.alone {
            self.weight.product_alone(rows, out);
        } else {
            self.weight.product(rows, out);
        }
        if let Some(bias) = &self.bias {
            out.chunks_exact_mut(outputs).for_each(|row| rows::add(row, bias));
        }
    }
}

pub(super) fn matrix(tensor: Tensor<2>) -> Option<Matrix> {
    let [outputs, inputs] = tensor.dims();
    Some(Matrix::from_rows(numbers(tensor)?, outputs, inputs))
}

/// Without a copy if nobody else holds the tensor.
pub(super) fn numbers<const D: usize>(tensor: Tensor<D>) -> Option<Vec<f32>> {
    tensor.try_into_data().ok()?.try_into_vec().ok()
}
