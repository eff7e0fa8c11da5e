//! A line folded into the unit interval, and numbers of the unit interval stretched to ranges.

/// Folds the real line into [0, 1] by reflection at both ends, so that an unbounded search stays in the box without a
/// penalty and without a preferred boundary: 1.2 becomes 0.8, -0.3 becomes 0.3. Exact; what is not a number becomes 0.5.
pub fn fold(value: f64) -> f64 {
    if !value.is_finite() {
        return 0.5;
    }
    let around = value.rem_euclid(2.0);
    if around > 1.0 { 2.0 - around } else { around }
}

/// `low` at 0, `high` at 1, straight in between.
pub fn linear(unit: f64, low: f64, high: f64) -> f64 {
    (low + unit * (high - low)).clamp(low, high)
}

/// `low` at 0, `high` at 1, with equal factors for equal steps; both positive.
pub fn logarithmic(unit: f64, low: f64, high: f64) -> f64 {
    (low * libm::pow(high / low, unit)).clamp(low, high)
}

/// One of `count` equally wide steps: 0 up to `count - 1`.
pub fn step(unit: f64, count: usize) -> usize {
    ((unit * count as f64) as usize).min(count.saturating_sub(1))
}

/// The middle of step `at` of `count`: [`step`]'s inverse.
pub fn step_middle(at: usize, count: usize) -> f64 {
    (at as f64 + 0.5) / count as f64
}

/// [`linear`]'s inverse, in [0, 1].
pub fn unlinear(value: f64, low: f64, high: f64) -> f64 {
    if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 }
}

/// [`logarithmic`]'s inverse, in [0, 1].
pub fn unlogarithmic(value: f64, low: f64, high: f64) -> f64 {
    if high > low && value > 0.0 {
        (libm::log(value / low) / libm::log(high / low)).clamp(0.0, 1.0)
    } else {
        0.0
    }
}
