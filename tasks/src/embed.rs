//! Embeddings: how they are asked for, and how far they are from the reference's.

use weighhouse_types::text::{TextError, TextsAnswer, TextsLimits, TextsRequest};
use weighhouse_types::{InferAnswer, InferRequest, Judgement, Mark, Reason};

use crate::challenge::Challenge;

/// Numbers in a row at most.
const DIMENSIONS_MAX: usize = 1 << 14;

pub(crate) fn request(model: &str, challenge: &Challenge, id: &str) -> Result<InferRequest, TextError> {
    TextsRequest { texts: challenge.texts().to_vec() }.to_infer(model, id)
}

/// 1 if every row points where the reference's does, within the tolerance; else minus the share of those that don't.
pub(crate) fn judge(tolerance: f64, reference: &[Vec<f32>], answer: &InferAnswer) -> Judgement {
    let malformed =
        |item, what: String| Judgement { mark: Mark::ZERO, reasons: vec![Reason::Malformed { item, what }] };
    let limits = TextsLimits { texts: reference.len(), bytes: 0, dimensions: DIMENSIONS_MAX };
    let rows = match TextsAnswer::from_infer(answer, &limits) {
        Ok(answer) => answer.rows,
        Err(error) => return malformed(0, error.to_string()),
    };
    let items = reference.len() as u32;
    if rows.len() != reference.len() {
        return malformed(0, format!("{} rows, expected {items}", rows.len()));
    }
    let (mut outside, mut worst) = (0, (0, f64::NEG_INFINITY));
    for ((item, row), own) in (0_u32..).zip(&rows).zip(reference) {
        if row.len() != own.len() {
            return malformed(item, format!("{} dimensions, expected {}", row.len(), own.len()));
        }
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            return malformed(item, format!("a row with {value}"));
        }
        let distance = 1.0 - cosine(row, own);
        outside += u32::from(distance > tolerance);
        if distance > worst.1 {
            worst = (item, distance);
        }
    }
    if outside == 0 {
        return Judgement { mark: Mark::MAX, reasons: vec![Reason::Conforms { items }] };
    }
    let mark =
        Mark::from_f64(-f64::from(outside) / f64::from(items)).expect("a quotient of counts is a number");
    Judgement { mark, reasons: vec![Reason::Deviates { items, outside, worst: worst.0 }] }
}

/// The cosine of the angle between two rows; 0 if either has no length. Sums run in order, in `f64`.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 { dot(a, b) / length } else { 0.0 }
}

#[cfg(test)]
mod tests;
