//! How much a submission differs from an earlier one, and what that takes from a payout.

use super::series::{ScoreError, Series, extremes, is_constant, pearson, ranks};

const DROPPED_MOST: f64 = 0.2;

/// 1 less the rank correlation of two submissions.
///
/// # Errors
/// Too few ids in common, or one value for all.
pub fn churn(one: &Series, other: &Series) -> Result<f64, ScoreError> {
    let (one, other) = one.aligned(other, DROPPED_MOST)?;
    if is_constant(one.values()) || is_constant(other.values()) {
        return Err(ScoreError::Constant);
    }
    Ok(1.0 - pearson(&ranks(one.values()), &ranks(other.values()))?)
}

/// The share of the best and of the worst so many ids that isn't the same.
///
/// # Errors
/// Fewer rows than that.
pub fn churn_top_bottom(one: &Series, other: &Series, count: usize) -> Result<f64, ScoreError> {
    let of = |series: &Series| -> Result<[Vec<String>; 2], ScoreError> {
        let found = extremes(series.values(), count)?;
        Ok(found.map(|at| at.into_iter().map(|at| series.ids()[at].clone()).collect()))
    };
    let (one, other) = (of(one)?, of(other)?);
    let shared = |at: usize| {
        let kept = one[at].iter().filter(|id| other[at].contains(id)).count();
        kept as f64 / count as f64
    };
    Ok(1.0 - (shared(0) + shared(1)) / 2.0)
}

/// Half of what the weights differ by.
///
/// # Errors
/// Too few ids in common.
pub fn turnover(one: &Series, other: &Series) -> Result<f64, ScoreError> {
    let (one, other) = one.aligned(other, DROPPED_MOST)?;
    let differ = one.values().iter().zip(other.values()).fold(0.0, |sum, (a, b)| sum + (a - b).abs());
    Ok(differ / 2.0)
}

/// What of a positive payout is kept for how much churn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChurnPenalty {
    /// Churn up to which all is kept.
    pub threshold: f64,
    pub scale: f64,
}

impl Default for ChurnPenalty {
    fn default() -> Self {
        Self { threshold: 0.1, scale: 10.0 }
    }
}

impl ChurnPenalty {
    /// min(1, 2 / (1 + exp(scale (churn - threshold)))).
    ///
    /// # Errors
    /// Churn or threshold outside [0, 2], or a scale that isn't above 0.
    pub fn kept(&self, churn: f64) -> Result<f64, ScoreError> {
        for (name, value) in [("the churn", churn), ("the threshold", self.threshold)] {
            if !(0.0..=2.0).contains(&value) {
                return Err(ScoreError::OutOfRange { name, within: "0 to 2" });
            }
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(ScoreError::OutOfRange { name: "the scale", within: "numbers above 0" });
        }
        if churn <= self.threshold {
            return Ok(1.0);
        }
        let decay = libm::exp(-self.scale * (churn - self.threshold));
        Ok(2.0 * decay / (1.0 + decay))
    }
}
