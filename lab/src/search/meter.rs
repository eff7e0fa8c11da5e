//! One generation's evaluations.

use std::collections::BTreeMap;

use crate::work::Stopped;

/// Upper bound of a figure: NaN and anything worse count as this.
pub const WORST: f64 = 1e30;

/// A generation's figures by its points' coordinates.
pub(super) type KnownFigures = BTreeMap<Vec<u64>, Vec<f64>>;

/// Evaluates points, in their order.
pub type Evaluate<'a> = &'a dyn Fn(&[Vec<f64>]) -> Result<Vec<Vec<f64>>, Stopped>;

/// Bits of coordinates that are not negative sort as the coordinates do.
pub(super) fn key(at: &[f64]) -> Vec<u64> {
    at.iter().map(|unit| unit.to_bits()).collect()
}

/// The coordinates of a key.
pub(super) fn coordinates(key: &[u64]) -> Vec<f64> {
    key.iter().map(|bits| f64::from_bits(*bits)).collect()
}

/// Evaluates the points that were asked for, each once, in order of their coordinates.
pub(super) fn measure(
    evaluate: Evaluate<'_>,
    figures: usize,
    asked: &[Vec<f64>],
) -> Result<KnownFigures, Stopped> {
    let mut keys: Vec<Vec<u64>> = asked.iter().map(|at| key(at)).collect();
    keys.sort_unstable();
    keys.dedup();
    let points: Vec<Vec<f64>> = keys.iter().map(|key| coordinates(key)).collect();
    let bounded = |mut values: Vec<f64>| {
        values.resize(figures, WORST);
        values.iter_mut().for_each(|value| {
            // The log is JSON, which has no infinities.
            *value = if value.is_nan() { WORST } else { value.clamp(-WORST, WORST) };
        });
        values
    };
    Ok(keys.into_iter().zip(evaluate(&points)?.into_iter().map(bounded)).collect())
}
