//! Linear layers in panels, and how threads share what lies between two attentions.
//!
//! Threads share by rows where there are enough of them, each going through all steps with its own; where there are few, as
//! in decoding, they share each product by its outputs.

use burn_tensor::Tensor;

use crate::linear::Linear;
use crate::panels::Matrix;
use crate::rows;

/// Rows of each thread from which on threads share by rows: a thread with fewer reads a layer's weights for too little.
const ROWS_MIN: usize = 24;

#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) weight: Matrix,
    bias: Option<Vec<f32>>,
}

/// Rows that each thread takes, and whether it then computes its products alone.
#[derive(Clone, Copy)]
pub(crate) struct RowShare {
    pub(crate) rows: usize,
    alone: bool,
}

impl RowShare {
    pub(crate) fn of(rows: usize) -> Self {
        match rayon::current_num_threads() {
            threads if threads > 1 && rows >= threads * ROWS_MIN => {
                Self { rows: rows.div_ceil(threads), alone: true }
            }
            _ => Self { rows: rows.max(1), alone: false },
        }
    }
}

impl Projection {
    pub(crate) fn of(linear: Linear) -> Option<Self> {
        let bias = match linear.bias {
            Some(bias) => Some(numbers(bias)?),
            None => None,
        };
        Some(Self { weight: matrix(linear.weight)?, bias })
    }

    pub(crate) fn forward(&self, rows: &[f32], out: &mut [f32], share: RowShare) {
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

pub(crate) fn matrix(tensor: Tensor<2>) -> Option<Matrix> {
    let [outputs, inputs] = tensor.dims();
    Some(Matrix::from_rows(numbers(tensor)?, outputs, inputs))
}

/// Without a copy if nobody else holds the tensor.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Option<Vec<f32>> {
    tensor.try_into_data().ok()?.try_into_vec().ok()
}
