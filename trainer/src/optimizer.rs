//! burn's AdamW (I. Loshchilov and F. Hutter, 2019) over the tensors of a network that have one rank.

use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer};
use burn::tensor::{Gradients, Tensor};

use crate::error::TrainError;

/// Moments of tensors that are always given in the same order.
pub(crate) struct Moments<const D: usize> {
    adam: AdamW,
    states: Vec<Option<AdamWState<D>>>,
}

impl<const D: usize> Moments<D> {
    pub(crate) fn new(config: &AdamWConfig, tensors: usize) -> Self {
        Self { adam: config.build(), states: vec![None; tensors] }
    }

    /// Moves each tensor against its gradient.
    pub(crate) fn step(&mut self, rate: f64, values: &mut [Tensor<D>], gradients: Vec<Tensor<D>>) {
        for ((value, state), gradient) in values.iter_mut().zip(&mut self.states).zip(gradients) {
            (*value, *state) = self.adam.step(rate, value.clone(), gradient, state.take());
        }
    }
}

/// The same numbers as the leaves of a differentiable graph.
pub(crate) fn leaves<const D: usize>(values: &[Tensor<D>]) -> Vec<Tensor<D>> {
    values.iter().map(|value| value.clone().autodiff().require_grad()).collect()
}

/// Each leaf's gradient.
pub(crate) fn gradients_of<const D: usize>(
    leaves: &[Tensor<D>],
    gradients: &Gradients,
) -> Result<Vec<Tensor<D>>, TrainError> {
    leaves.iter().map(|leaf| leaf.grad(gradients).ok_or(TrainError::Backend)).collect()
}

/// A tensor's numbers, row-major.
pub(crate) fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TrainError> {
    let data = tensor.try_into_data().map_err(|_| TrainError::Backend)?;
    Ok(data.as_slice::<f32>().map_err(|_| TrainError::Backend)?.to_vec())
}

/// The one number of a tensor.
pub(crate) fn number(tensor: Tensor<1>) -> Result<f64, TrainError> {
    numbers(tensor)?.first().map(|value| f64::from(*value)).ok_or(TrainError::Backend)
}
