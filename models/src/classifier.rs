//! The classifier of digits: 8x8 pixels in, the probabilities of ten digits out.
//!
//! The number of layers and their widths are read off the weights' shapes, so a better model may be a larger one. Tensors are named `layers.N.weight` (`[outputs, inputs]`) and `layers.N.bias` (`[outputs]`), as
//! PyTorch would save them; nothing else may be in the file.

use std::collections::BTreeMap;
use std::fmt;

use burn_tensor::Device;
use weighhouse_types::Digest;

use crate::digits::{self, CLASSES, HELD_OUT, PIXELS};
use crate::mlp::{Dense, Mlp};
use crate::safetensors::{self, FormatError, TensorView};

/// Most layers of a classifier.
pub const LAYERS_MAX: usize = 4;
/// Most neurons of a layer.
pub const WIDTH_MAX: usize = 1_024;
/// Most rows in one forward pass.
pub const ROWS_MAX: usize = 16_384;

/// Why weights are refused, or a forward pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("not a readable safetensors file: {0}")]
    Format(#[from] FormatError),
    #[error("the weights lack tensor {name:?}")]
    Missing { name: String },
    #[error("the weights have a tensor {name:?} that the model does not")]
    Surplus { name: String },
    #[error("tensor {name:?} has shape {actual:?}, expected {expected}")]
    Shape { name: String, expected: String, actual: Vec<usize> },
    #[error("tensor {name:?} holds a number that is not finite, at {index}")]
    NotFinite { name: String, index: usize },
    #[error("{values} pixels are no whole number of scans of 64")]
    Ragged { values: usize },
    #[error("{rows} scans are over the limit of {ROWS_MAX} for one pass")]
    TooManyRows { rows: usize },
    #[error("the backend gave no result")]
    Backend,
}

/// A loaded classifier. Any number of threads may share one.
#[derive(Clone)]
pub struct Classifier {
    digest: Digest,
    widths: Vec<usize>,
    mlp: Mlp,
    device: Device,
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier").field("digest", &self.digest).field("widths", &self.widths).finish()
    }
}

impl Classifier {
    /// Loads a safetensors file.
    ///
    /// # Errors
    /// Anything but the tensors of a classifier of digits, all of them and no others, all finite.
    pub fn load(file: &[u8]) -> Result<Self, ModelError> {
        let layers = layers(safetensors::read(file)?)?;
        let device = Device::flex();
        let widths = std::iter::once(PIXELS).chain(layers.iter().map(|layer| layer.outputs)).collect();
        Ok(Self { digest: Digest::of(file), widths, mlp: Mlp::new(&layers, &device), device })
    }

    /// The SHA-256 of the file it was loaded from: the model's identity.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Neurons per layer, the 64 inputs first and the 10 outputs last.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Probabilities for `pixels`, rows of 64 values in [0, 1]: one row of ten per scan, each summing to 1 but for
    /// rounding. A row with a NaN in it gives an unspecified row; other rows are unharmed.
    ///
    /// # Errors
    /// [`ModelError::Ragged`] and [`ModelError::TooManyRows`], by the length of `pixels` alone.
    pub fn forward(&self, pixels: &[f32]) -> Result<Vec<[f32; CLASSES]>, ModelError> {
        if !pixels.len().is_multiple_of(PIXELS) {
            return Err(ModelError::Ragged { values: pixels.len() });
        }
        let rows = pixels.len() / PIXELS;
        if rows > ROWS_MAX {
            return Err(ModelError::TooManyRows { rows });
        }
        if rows == 0 {
            return Ok(Vec::new());
        }
        self.mlp.probabilities(pixels, &self.device).ok_or(ModelError::Backend)
    }
}

/// The share of unperturbed held-out scans whose most probable digit is the right one.
///
/// # Errors
/// As [`Classifier::forward`].
pub fn held_out_accuracy(classifier: &Classifier) -> Result<f64, ModelError> {
    let pixels: Vec<f32> = digits::held_out().flat_map(digits::clean).collect();
    let rows = classifier.forward(&pixels)?;
    let right = digits::held_out().zip(&rows).filter(|(scan, row)| most_probable(row) == scan.digit).count();
    Ok(right as f64 / HELD_OUT as f64)
}

fn most_probable(row: &[f32; CLASSES]) -> u8 {
    (0_u8..).zip(row).max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(digit, _)| digit)
}

fn names(layer: usize) -> (String, String) {
    (format!("layers.{layer}.weight"), format!("layers.{layer}.bias"))
}

fn layers(mut tensors: BTreeMap<String, TensorView<'_>>) -> Result<Vec<Dense>, ModelError> {
    let mut layers: Vec<Dense> = Vec::new();
    loop {
        let index = layers.len();
        let (weight_name, bias_name) = names(index);
        let last = layers.last().map_or(PIXELS, |layer| layer.outputs);
        // A layer too many stays in the map, and is refused as surplus below.
        if index > 0 && (index == LAYERS_MAX || !tensors.contains_key(&weight_name)) {
            break;
        }
        let weight = take(&mut tensors, &weight_name)?;
        let expected = || format!("[1 to {WIDTH_MAX}, {last}]");
        let &[outputs, inputs] = &weight.shape[..] else {
            return Err(ModelError::Shape { name: weight_name, expected: expected(), actual: weight.shape });
        };
        if inputs != last || !(1..=WIDTH_MAX).contains(&outputs) {
            return Err(ModelError::Shape { name: weight_name, expected: expected(), actual: weight.shape });
        }
        let bias = take(&mut tensors, &bias_name)?;
        if bias.shape != [outputs] {
            return Err(ModelError::Shape {
                name: bias_name,
                expected: format!("[{outputs}]"),
                actual: bias.shape,
            });
        }
        let (weight, bias) = (finite(&weight_name, &weight)?, finite(&bias_name, &bias)?);
        layers.push(Dense { inputs, outputs, weight, bias });
    }
    if let Some(name) = tensors.into_keys().next() {
        return Err(ModelError::Surplus { name });
    }
    let last = layers.last().map_or(0, |layer| layer.outputs);
    if last != CLASSES {
        let (name, _) = names(layers.len().saturating_sub(1));
        return Err(ModelError::Shape { name, expected: format!("[{CLASSES}, ..]"), actual: vec![last] });
    }
    Ok(layers)
}

fn take<'a>(
    tensors: &mut BTreeMap<String, TensorView<'a>>,
    name: &str,
) -> Result<TensorView<'a>, ModelError> {
    tensors.remove(name).ok_or_else(|| ModelError::Missing { name: name.to_owned() })
}

fn finite(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>, ModelError> {
    let values = tensor.to_f32();
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(ModelError::NotFinite { name: name.to_owned(), index }),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests;
