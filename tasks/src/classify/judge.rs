//! From an answer to a judgement.
//!
//! Sums run over items and digits in their order, in `f64`: the same recorded bytes give the same mark anywhere.

use weighhouse_models::digits::CLASSES;
use weighhouse_types::Judgement;

use crate::file::Mode;
use crate::verdict;

/// The Brier score of the uniform guess over ten digits: `0.9^2 + 9 * 0.1^2`.
const UNIFORM_BRIER: f64 = 0.9;

/// Judges rows that are distributions. `reference` must be of the same scans.
pub(crate) fn judge(
    mode: &Mode,
    truth: &[u8],
    reference: &[[f32; CLASSES]],
    rows: &[[f32; CLASSES]],
) -> Judgement {
    match mode {
        Mode::Conformance { tolerance } => conformance(*tolerance, reference, rows),
        Mode::Quality { floor_margin } => {
            verdict::skill(skill(truth, rows), skill(truth, reference), *floor_margin)
        }
    }
}

/// 1 if every item is within the tolerance, else minus the share of those outside.
fn conformance(tolerance: f64, reference: &[[f32; CLASSES]], rows: &[[f32; CLASSES]]) -> Judgement {
    let items = rows.len() as u32;
    let mut outside = 0;
    let mut worst = (0, 0.0);
    for ((item, row), own) in (0_u32..).zip(rows).zip(reference) {
        let distance = total_variation(row, own);
        outside += u32::from(distance > tolerance);
        if distance > worst.1 {
            worst = (item, distance);
        }
    }
    verdict::fidelity(items, outside, worst.0)
}

/// Half the sum of absolute differences: the largest difference in the probability of any event. In [0, 1].
pub(crate) fn total_variation(a: &[f32; CLASSES], b: &[f32; CLASSES]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).sum::<f64>() / 2.0
}

/// The Brier skill score: 1 for certainty in every truth, 0 for the uniform guess, negative for worse (G. Brier,
/// 1950). Rows are normalised to sum to 1 first.
pub(crate) fn skill(truth: &[u8], rows: &[[f32; CLASSES]]) -> f64 {
    let brier = |(digit, row): (&u8, &[f32; CLASSES])| {
        // Without sums of 1, the rule would not be proper: a row could do better than by honest probabilities.
        let total: f64 = row.iter().map(|value| f64::from(*value)).sum();
        (0_u8..)
            .zip(row)
            .map(|(class, value)| f64::from(*value) / total - f64::from(u8::from(class == *digit)))
            .map(|error| error * error)
            .sum::<f64>()
    };
    let total: f64 = truth.iter().zip(rows).map(brier).sum();
    1.0 - total / truth.len() as f64 / UNIFORM_BRIER
}

#[cfg(test)]
mod tests;
