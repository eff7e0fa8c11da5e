//! Whether a mean of scores is more than luck: signed scores are averaged first, their error is taken off, and only then is anything clipped.

use super::series::{less_mean, mean};

/// Errors of the mean that are taken off it: noise exceeds them once in forty times, and by little.
pub const ERRORS_OFF: f64 = 2.0;

/// The standard error of the mean of scores whose rounds overlap, with Bartlett's weights up to `lag` rounds apart (Newey and West 1987). None of
/// fewer than two scores.
pub fn newey_west(scores: &[f64], lag: usize) -> Option<f64> {
    let count = scores.len() as f64;
    if scores.len() < 2 {
        return None;
    }
    let off = less_mean(scores);
    let covariance = |apart: usize| {
        off[apart..].iter().zip(&off).fold(0.0, |sum, (later, earlier)| sum + later * earlier) / count
    };
    let mut variance = covariance(0);
    for apart in 1..=lag.min(scores.len() - 1) {
        variance += 2.0 * (1.0 - apart as f64 / (lag as f64 + 1.0)) * covariance(apart);
    }
    // Of rounds rather than of rounds less one: the mean was taken off.
    Some(libm::sqrt(variance.max(0.0) / (count - 1.0)))
}

/// What signed scores prove: their mean less [`ERRORS_OFF`] of its standard errors, not below 0. Nothing of fewer than two.
pub fn proven(scores: &[f64], lag: usize) -> f64 {
    newey_west(scores, lag).map_or(0.0, |error| (mean(scores) - ERRORS_OFF * error).max(0.0))
}
