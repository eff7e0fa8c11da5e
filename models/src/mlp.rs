//! Dense layers with a rectifier between them, on burn's flex backend.

use burn_tensor::activation::{relu, softmax};
use burn_tensor::{Device, Tensor, TensorData};

use crate::digits::{CLASSES, PIXELS};

/// One dense layer's numbers: `weight` is `[outputs, inputs]` row-major, as PyTorch has it, `bias` is `[outputs]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// The layers as tensors: weights `[inputs, outputs]`, biases `[1, outputs]`.
#[derive(Clone, Debug)]
pub(crate) struct Mlp {
    pub(crate) layers: Vec<(Tensor<2>, Tensor<2>)>,
}

impl Mlp {
    pub(crate) fn new(layers: &[Dense], device: &Device) -> Self {
        let tensors = |layer: &Dense| {
            let weight = TensorData::new(layer.weight.clone(), [layer.outputs, layer.inputs]);
            let bias = TensorData::new(layer.bias.clone(), [1, layer.outputs]);
            // Copied out once, so that every forward reads the weights in the order the multiplication wants.
            let weight = Tensor::<2>::from_data(weight, device).transpose().into_data();
            (Tensor::from_data(weight, device), Tensor::from_data(bias, device))
        };
        Self { layers: layers.iter().map(tensors).collect() }
    }

    /// `[rows, 64]` to logits, `[rows, 10]`.
    pub(crate) fn logits(&self, pixels: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len().saturating_sub(1);
        self.layers.iter().enumerate().fold(pixels, |input, (index, (weight, bias))| {
            let output = input.matmul(weight.clone()) + bias.clone();
            if index < last { relu(output) } else { output }
        })
    }

    /// `[rows, 64]` to probabilities; `None` only if the backend can't hand its result back.
    pub(crate) fn probabilities(&self, pixels: &[f32], device: &Device) -> Option<Vec<[f32; CLASSES]>> {
        let rows = pixels.len() / PIXELS;
        let input = Tensor::<2>::from_data(TensorData::new(pixels.to_vec(), [rows, PIXELS]), device);
        let output = softmax(self.logits(input), 1).try_into_data().ok()?;
        let (probabilities, _) = output.as_slice::<f32>().ok()?.as_chunks::<CLASSES>();
        Some(probabilities.to_vec())
    }
}
