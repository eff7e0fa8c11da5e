//! The answer: a distribution over the digits for each scan.

use super::error::{MalformedScans, ShownShape};
use super::layout::{CLASSES, OUTPUT};
use crate::{Datatype, InferAnswer, Tensor};

/// Distance from 1 to which a row may sum; honest rounding is below 1e-6, half-precision arithmetic below this.
const SUM_TOLERANCE: f64 = 1e-3;

/// A row for each scan.
#[derive(Clone, Debug, PartialEq)]
pub struct ScansAnswer {
    pub rows: Vec<[f32; CLASSES]>,
}

impl ScansAnswer {
    /// Reads an answer to `scans` scans, and checks that each row is a distribution.
    ///
    /// # Errors
    /// An output that is missing, of another datatype or shape; a row that is no distribution.
    pub fn from_infer(answer: &InferAnswer, scans: usize) -> Result<Self, MalformedScans> {
        let malformed = |what: String| MalformedScans { item: 0, what };
        let output = answer.output(OUTPUT).map_err(|_| malformed(format!("no output named {OUTPUT:?}")))?;
        if output.datatype() != Datatype::Fp32 {
            return Err(malformed(format!("datatype {}, expected FP32", output.datatype().name())));
        }
        if output.shape() != [scans as u64, CLASSES as u64] {
            let shape = ShownShape::of(output.shape());
            return Err(malformed(format!("shape {shape}, expected [{scans}, {CLASSES}]")));
        }
        let values = output.to_f32().map_err(|_| malformed("not FP32".to_owned()))?;
        let (rows, _) = values.as_chunks::<CLASSES>();
        for (item, row) in (0_u32..).zip(rows) {
            check_row(row).map_err(|what| MalformedScans { item, what })?;
        }
        Ok(Self { rows: rows.to_vec() })
    }

    /// Writes an answer; the rows need be no distributions.
    pub fn to_infer(&self, model: &str, version: &str, id: &str) -> InferAnswer {
        let shape = vec![self.rows.len() as u64, CLASSES as u64];
        let output =
            Tensor::from_f32(OUTPUT, shape, self.rows.as_flattened()).expect("rows have ten values each");
        InferAnswer {
            model: model.to_owned(),
            version: version.to_owned(),
            id: id.to_owned(),
            outputs: vec![output],
        }
    }
}

/// Says what is wrong with a row that should be a distribution.
///
/// # Errors
/// The first value below 0 or not finite, or a sum too far from 1.
pub fn check_row(row: &[f32; CLASSES]) -> Result<(), String> {
    if let Some((class, value)) =
        row.iter().enumerate().find(|(_, value)| !value.is_finite() || **value < 0.0)
    {
        return Err(format!("probability {value} of digit {class}"));
    }
    // In f64, whose own rounding is far below the tolerance.
    let sum: f64 = row.iter().map(|value| f64::from(*value)).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(format!("probabilities sum to {sum:.6}"));
    }
    Ok(())
}
