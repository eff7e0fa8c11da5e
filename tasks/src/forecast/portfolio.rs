//! Signals as portfolios: what one would have earned, and what it adds to all of them together by their stakes.

use super::linear::Neutralizers;
use super::scores::beyond;
use super::series::{ScoreError, Series, dot, gaussian, less_mean, power, sum};

const DROPPED_MOST: f64 = 0.2;
/// The gradient is as large as the other scores once it is divided by this.
const GRADIENT_SCALE: f64 = 50.0;

/// The universe that signals are turned into weights over.
#[derive(Clone, Debug)]
pub struct Portfolio {
    pub neutralizers: Neutralizers,
    /// Weights of the universe's members.
    pub sample_weights: Series,
}

impl Portfolio {
    /// A signal's weights: what of it isn't the neutralizers', by the universe's weights.
    ///
    /// # Errors
    /// Too few ids in common.
    pub fn weights(&self, signal: &Series) -> Result<Series, ScoreError> {
        let ranked = signal.with(power(&gaussian(signal.values()))?);
        let (neutralizers, aligned) =
            self.neutralizers.with(&[&ranked, &self.sample_weights], DROPPED_MOST)?;
        let (ranked, sample) = (aligned[0].values(), aligned[1].values());
        let weighted: Vec<f64> = sample.iter().zip(ranked).map(|(weight, value)| weight * value).collect();
        let mut explained = vec![0.0; ranked.len()];
        for column in neutralizers.columns() {
            let share = dot(column, &weighted);
            explained.iter_mut().zip(column).for_each(|(sum, value)| *sum += share * value);
        }
        let rest = ranked.iter().zip(&explained).zip(sample);
        Ok(aligned[0].with(rest.map(|((value, explained), weight)| (value - explained) * weight).collect()))
    }
}

/// ALPHA: the weights times the centred target, per member.
///
/// # Errors
/// Too few ids in common, or members without a weight.
pub fn alpha(signal: &Series, portfolio: &Portfolio, target: &Series) -> Result<f64, ScoreError> {
    let (signal, target) = signal.aligned(&target.centred(), DROPPED_MOST)?;
    let weights = portfolio.weights(&signal)?;
    if weights.ids() != target.ids() {
        return Err(ScoreError::Ids);
    }
    Ok(dot(weights.values(), target.values()) / target.len() as f64)
}

/// MPC of each signal: how the stake-weighted portfolio's return changes with its stake.
///
/// # Errors
/// As [`alpha`]; signals over different ids; stakes that add up to nothing.
pub fn meta_portfolio_contribution(
    signals: &[(Series, f64)],
    portfolio: &Portfolio,
    target: &Series,
) -> Result<Vec<f64>, ScoreError> {
    let staked = staked(signals)?;
    let first = signals.first().ok_or(ScoreError::Stakes)?;
    if signals.iter().any(|(signal, _)| signal.ids() != first.0.ids()) {
        return Err(ScoreError::Ids);
    }
    let mut columns = Vec::new();
    let mut aligned_target = Vec::new();
    for (signal, _) in signals {
        let (signal, target) = signal.aligned(target, DROPPED_MOST)?;
        let weights = portfolio.weights(&signal)?;
        if weights.ids() != target.ids() {
            return Err(ScoreError::Ids);
        }
        aligned_target = less_mean(target.values());
        columns.push(less_mean(weights.values()));
    }
    let mut together = vec![0.0; aligned_target.len()];
    for (column, share) in columns.iter().zip(&staked) {
        together.iter_mut().zip(column).for_each(|(sum, value)| *sum += share * value);
    }
    let together = less_mean(&together);
    let length = libm::sqrt(dot(&together, &together));
    let gradient =
        |column: &Vec<f64>| Ok(dot(&beyond(column, &together)?, &aligned_target) / length / GRADIENT_SCALE);
    columns.iter().map(gradient).collect()
}

/// The meta-model: predictions over the same ids, weighted by their stakes.
///
/// # Errors
/// Predictions over different ids, or stakes that add up to nothing.
pub fn stake_weighted(predictions: &[(Series, f64)]) -> Result<Series, ScoreError> {
    let first = predictions.first().ok_or(ScoreError::Stakes)?;
    if predictions.iter().any(|(series, _)| series.ids() != first.0.ids()) {
        return Err(ScoreError::Ids);
    }
    let total = sum(&predictions.iter().map(|(_, stake)| *stake).collect::<Vec<_>>());
    if !is_positive(total) {
        return Err(ScoreError::Stakes);
    }
    let mut values = vec![0.0; first.0.len()];
    for (series, stake) in predictions {
        values.iter_mut().zip(series.values()).for_each(|(sum, value)| *sum += value * stake);
    }
    Ok(first.0.with(values.into_iter().map(|value| value / total).collect()))
}

/// Shares of the stakes; one that is missing counts as none.
fn staked(signals: &[(Series, f64)]) -> Result<Vec<f64>, ScoreError> {
    let stakes: Vec<f64> =
        signals.iter().map(|(_, stake)| if stake.is_nan() { 0.0 } else { *stake }).collect();
    let total = sum(&stakes.iter().map(|stake| stake.abs()).collect::<Vec<_>>());
    if !is_positive(total) || stakes.iter().any(|stake| *stake < 0.0) {
        return Err(ScoreError::Stakes);
    }
    Ok(stakes.into_iter().map(|stake| stake / total).collect())
}

fn is_positive(total: f64) -> bool {
    total.is_finite() && total > 0.0
}
