//! Bounds on a rate from counts: C. Clopper and E. Pearson, "The use of confidence or fiducial limits", 1934.

/// The chance that a bound is wrong.
const ERROR: f64 = 0.05;
/// Halvings of [0, 1]: more than an f64 tells apart.
const HALVINGS: u32 = 60;

/// The lower 95 % bound on a rate that showed `hits` in `trials`.
pub(crate) fn rate_at_least(trials: u32, hits: u32) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    halve(|rate| 1.0 - at_most(trials, hits - 1, rate) < ERROR).0
}

/// The upper 95 % bound on a rate that showed `hits` in `trials`.
pub(crate) fn rate_at_most(trials: u32, hits: u32) -> f64 {
    if hits >= trials {
        return 1.0;
    }
    halve(|rate| at_most(trials, hits, rate) > ERROR).1
}

/// Both ends of what is left of [0, 1] when `is_below` holds up to somewhere in between.
fn halve(is_below: impl Fn(f64) -> bool) -> (f64, f64) {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if is_below(middle) { low = middle } else { high = middle }
    }
    (low, high)
}

/// The chance of `hits` or fewer in `trials` at a rate between 0 and 1.
fn at_most(trials: u32, hits: u32, rate: f64) -> f64 {
    let (trials, log, log_other) = (f64::from(trials), libm::log(rate), libm::log1p(-rate));
    let term = |hits: f64| {
        let ways = libm::lgamma(trials + 1.0) - libm::lgamma(hits + 1.0) - libm::lgamma(trials - hits + 1.0);
        libm::exp(ways + hits * log + (trials - hits) * log_other)
    };
    (0..=hits).map(|hits| term(f64::from(hits))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_published_ones() {
        let close =
            |value: f64, expected: f64| assert!((value - expected).abs() < 1e-4, "{value} {expected}");
        // One-sided 95 %: all of n give 0.05^(1/n), none give 1 minus that.
        close(rate_at_least(500, 500), 0.994_026_6);
        close(rate_at_most(500, 0), 0.005_973_4);
        // The two-sided 90 % interval of 8 in 10 is 0.4931 to 0.9632.
        close(rate_at_least(10, 8), 0.493_1);
        close(rate_at_most(10, 8), 0.963_2);
        assert_eq!((rate_at_least(0, 0), rate_at_most(0, 0)), (0.0, 1.0));
        assert_eq!((rate_at_least(7, 0), rate_at_most(7, 7)), (0.0, 1.0));
    }

    #[test]
    fn counts_of_a_whole_calibration_are_within_reach() {
        let (low, high) = (rate_at_least(240_000, 1_752), rate_at_most(240_000, 1_752));
        assert!(low < 0.0073 && high > 0.0073 && high - low < 0.0007, "{low} {high}");
    }
}
