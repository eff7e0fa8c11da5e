//! Weights rounded to the number formats of cheaper deployments, as a quantising miner serves them.
//!
//! The numbers are rounded and stay `f32`, so the forward pass is the same and only its result differs. Integer
//! rounding is symmetric with one scale per output row of a matrix, and leaves biases as they are (B. Jacob and others,
//! "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018).

use std::collections::BTreeMap;

use half::{bf16, f16};

use crate::safetensors::{self, FormatError, NewTensor};

/// A number format that weights are rounded to, from fine to coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// IEEE 754 binary16, ties to even; every tensor.
    Half,
    /// The upper half of `f32`, ties to even; every tensor.
    Bfloat16,
    /// Integers in [-127, 127] times a scale per row; matrices only.
    Int8,
    /// Integers in [-7, 7] times a scale per row; matrices only.
    Int4,
}

/// A safetensors file with the tensors of `file`, rounded. The same arguments give the same bytes.
///
/// # Errors
/// [`FormatError`] if `file` is no weights file.
pub fn rounded(file: &[u8], precision: Precision) -> Result<Vec<u8>, FormatError> {
    let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = safetensors::read(file)?
        .into_iter()
        .map(|(name, tensor)| {
            let mut values = tensor.to_f32();
            round(&mut values, &tensor.shape, precision);
            (name, tensor.shape, values)
        })
        .collect();
    let tensors: Vec<NewTensor<'_>> = tensors
        .iter()
        .map(|(name, shape, values)| NewTensor { name: name.clone(), shape: shape.clone(), values })
        .collect();
    Ok(safetensors::write(&tensors, &BTreeMap::new()))
}

impl Precision {
    /// The usual name: `f16`, `bf16`, `int8` or `int4`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Half => "f16",
            Self::Bfloat16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }
}

pub(crate) fn round(values: &mut [f32], shape: &[usize], precision: Precision) {
    let steps = match precision {
        Precision::Half => {
            return values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
        }
        Precision::Bfloat16 => {
            return values.iter_mut().for_each(|value| *value = bf16::from_f32(*value).to_f32());
        }
        Precision::Int8 => 127.0,
        Precision::Int4 => 7.0,
    };
    let &[_, inputs] = shape else { return };
    for row in values.chunks_mut(inputs.max(1)) {
        let scale = row.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs())) / steps;
        // A row of zeros, or of numbers so small that their scale is none, is exact as it is.
        if scale > 0.0 {
            row.iter_mut().for_each(|value| *value = (*value / scale).round_ties_even() * scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builtin, Classifier};

    fn half(value: f32) -> f32 {
        let mut values = [value];
        round(&mut values, &[1], Precision::Half);
        values[0]
    }

    #[test]
    fn half_precision_is_ieee_binary16() {
        let cases = [
            (1.0, 1.0),
            (0.1, 0.099_975_586),
            (-0.1, -0.099_975_586),
            (2_049.0, 2_048.0),
            (2_051.0, 2_052.0),
            (65_519.0, 65_504.0),
            (65_520.0, f32::INFINITY),
            (-70_000.0, f32::NEG_INFINITY),
            (6.0e-8, 5.960_464_5e-8),
            (2.9e-8, 0.0),
            (0.0, 0.0),
        ];
        for (value, expected) in cases {
            assert_eq!(half(value), expected, "{value}");
        }
        assert!(half(f32::NAN).is_nan());
    }

    #[test]
    fn integer_rounding_keeps_the_greatest_and_has_as_many_steps_as_it_should() {
        let mut rows = [1.0, -0.6, 0.1, 0.0, 14.0, 3.1, -14.0, 0.9, 0.0, 0.0, 0.0, 0.0];
        round(&mut rows, &[3, 4], Precision::Int4);
        let expected = [1.0, -4.0 / 7.0, 1.0 / 7.0, 0.0, 14.0, 4.0, -14.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        for (value, expected) in rows.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{rows:?}");
        }
        let mut bias = [0.3, 0.1];
        round(&mut bias, &[2], Precision::Int8);
        assert_eq!(bias, [0.3, 0.1]);
    }

    #[test]
    fn rounding_is_coarser_with_fewer_bits_and_what_is_rounded_stays() {
        let weights = Builtin::Reference.bytes();
        let distance = |precision| {
            let file = rounded(weights, precision).expect("rounded");
            Classifier::load(&file).expect("a classifier");
            assert_eq!(rounded(&file, precision).expect("rounded again").len(), file.len());
            let (before, after) = (safetensors::read(weights).expect("file"), safetensors::read(&file));
            let after = after.expect("file");
            let of = |name: &String| before[name].to_f32().into_iter().zip(after[name].to_f32());
            before.keys().flat_map(of).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>()
        };
        let distances = [Precision::Half, Precision::Int8, Precision::Int4].map(distance);
        assert!(0.0 < distances[0] && distances[0] < distances[1] && distances[1] < distances[2]);
        assert!(rounded(&weights[..100], Precision::Half).is_err());
    }
}
