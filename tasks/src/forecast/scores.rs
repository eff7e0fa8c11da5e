//! Correlation with the target, and contribution beyond a meta-model.

use super::linear::Neutralizers;
use super::series::{ScoreError, Series, dot, extremes, gaussian, less_mean, mean, pearson, power};

/// Share of rows that may find no partner.
const DROPPED_MOST: f64 = 0.2;
/// Targets in [0, 1] are taken for five classes, 0 to 4.
const CLASSES: f64 = 4.0;

/// Variants of the correlation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorrTerms {
    /// Share of rows that may find no partner.
    pub dropped_most: f64,
    /// Only the best and the worst so many predictions.
    pub top_bottom: Option<usize>,
    /// Whether the target is raised to the power 1.5; not where it is returns.
    pub raises_target: bool,
}

impl Default for CorrTerms {
    fn default() -> Self {
        Self { dropped_most: DROPPED_MOST, top_bottom: None, raises_target: true }
    }
}

/// CORR: predictions ranked, made normal and raised to 1.5, against the centred target raised likewise.
///
/// # Errors
/// Too few ids in common, one value for all, or a target with outliers.
pub fn corr(predictions: &Series, target: &Series, terms: &CorrTerms) -> Result<f64, ScoreError> {
    // Over all rows, before any is dropped.
    let (target, predictions) = target.centred().aligned(predictions, terms.dropped_most)?;
    let predictions = power(&gaussian(predictions.values()))?;
    let target = match terms.raises_target {
        true => power(target.values())?,
        false => target.values().to_vec(),
    };
    correlate(&target, &predictions, terms.top_bottom)
}

/// FNC: predictions are made neutral to features first.
///
/// # Errors
/// As [`corr`]; features over other ids.
pub fn feature_neutral_corr(
    predictions: &Series,
    features: &Neutralizers,
    target: &Series,
    top_bottom: Option<usize>,
) -> Result<f64, ScoreError> {
    if predictions.ids() != features.ids() {
        return Err(ScoreError::Ids);
    }
    let neutral = features.neutralized(&gaussian(predictions.values()), 1.0)?;
    let deviations = less_mean(&neutral);
    let deviation = libm::sqrt(dot(&deviations, &deviations) / deviations.len() as f64);
    let scaled = neutral.iter().map(|value| value / deviation).collect();
    corr(&predictions.with(scaled), target, &CorrTerms { top_bottom, ..CorrTerms::default() })
}

/// As [`corr`], with no power, of predictions that are made neutral once they are normal.
///
/// # Errors
/// As [`corr`].
pub fn neutral_corr(
    predictions: &Series,
    neutralizers: &Neutralizers,
    target: &Series,
    top_bottom: Option<usize>,
) -> Result<f64, ScoreError> {
    let (neutralizers, aligned) = neutralizers.with(&[&target.centred(), predictions], DROPPED_MOST)?;
    let neutral = neutralizers.neutralized(&gaussian(aligned[1].values()), 1.0)?;
    correlate(aligned[0].values(), &neutral, top_bottom)
}

/// MMC, and BMC where the benchmark stands in the meta-model's place: covariance with the target of what isn't the meta-model's.
///
/// # Errors
/// Too few ids in common, or one value for all.
pub fn contribution(
    predictions: &Series,
    meta_model: &Series,
    target: &Series,
    top_bottom: Option<usize>,
) -> Result<f64, ScoreError> {
    let (meta_model, predictions) = meta_model.aligned(predictions, DROPPED_MOST)?;
    let (target, predictions) = target.aligned(&predictions, DROPPED_MOST)?;
    let (target, meta_model) = target.aligned(&meta_model, DROPPED_MOST)?;
    let own = gaussian(predictions.values());
    let beyond = beyond(&own, &gaussian(meta_model.values()))?;
    covariance(&beyond, target.values(), top_bottom)
}

/// As [`contribution`], of predictions and a meta-model that are both made neutral once they are normal.
///
/// # Errors
/// As [`contribution`].
pub fn neutral_contribution(
    predictions: &Series,
    meta_model: &Series,
    neutralizers: &Neutralizers,
    target: &Series,
    top_bottom: Option<usize>,
) -> Result<f64, ScoreError> {
    let (neutralizers, aligned) = neutralizers.with(&[target, predictions, meta_model], DROPPED_MOST)?;
    let neutral = |at: usize| neutralizers.neutralized(&gaussian(aligned[at].values()), 1.0);
    let beyond = beyond(&neutral(1)?, &neutral(2)?)?;
    covariance(&beyond, aligned[0].values(), top_bottom)
}

/// What of one lies at right angles to the other.
pub(super) fn beyond(one: &[f64], other: &[f64]) -> Result<Vec<f64>, ScoreError> {
    let square = dot(other, other);
    if square == 0.0 {
        return Err(ScoreError::Constant);
    }
    let share = dot(one, other) / square;
    Ok(one.iter().zip(other).map(|(value, other)| value - other * share).collect())
}

fn covariance(beyond: &[f64], target: &[f64], top_bottom: Option<usize>) -> Result<f64, ScoreError> {
    let are_classes = target.iter().all(|value| (0.0..=1.0).contains(value));
    let target: Vec<f64> = match are_classes {
        true => target.iter().map(|value| CLASSES * value).collect(),
        false => target.to_vec(),
    };
    let mean = mean(&target);
    let target: Vec<f64> = target.iter().map(|value| value - mean).collect();
    let Some(count) = top_bottom.filter(|count| *count > 0) else {
        return Ok(dot(&target, beyond) / target.len() as f64);
    };
    let [beyond, target] = extreme_rows(beyond, &target, count)?;
    Ok(dot(&target, &beyond) / (2 * count) as f64)
}

fn correlate(target: &[f64], predictions: &[f64], top_bottom: Option<usize>) -> Result<f64, ScoreError> {
    let Some(count) = top_bottom.filter(|count| *count > 0) else {
        return pearson(target, predictions);
    };
    let [predictions, target] = extreme_rows(predictions, target, count)?;
    pearson(&target, &predictions)
}

/// Both columns at the best and the worst rows of the first.
fn extreme_rows(values: &[f64], others: &[f64], count: usize) -> Result<[Vec<f64>; 2], ScoreError> {
    let mut at = extremes(values, count)?.concat();
    at.sort_unstable();
    Ok([values, others].map(|column| at.iter().map(|at| column[*at]).collect()))
}
