//! Exact bounds on shares and counts.

/// The lower end of a one-sided interval for a share of which `right` of `all` were seen (Clopper and Pearson): the least share that gives as
/// many with a chance of `tail`.
pub fn lower_bound(right: u32, all: u32, tail: f64) -> f64 {
    if right == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, f64::from(right) / f64::from(all));
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if at_least(right, all, middle) < tail { low = middle } else { high = middle }
    }
    low
}

/// The chance of at least `right` of `all` at this share.
fn at_least(right: u32, all: u32, share: f64) -> f64 {
    let choose = |count: u32| {
        let log = |n: u32| libm::lgamma(f64::from(n) + 1.0);
        log(all) - log(count) - log(all - count)
    };
    let chance = |count: u32| {
        let (right, wrong) = (f64::from(count), f64::from(all - count));
        libm::exp(choose(count) + right * libm::log(share) + wrong * libm::log1p(-share))
    };
    (right..=all).fold(0.0, |sum, count| sum + chance(count))
}

/// A bound on the chance that independent events, of which `expected` are expected, come at least `seen` times: a Poisson tail, which bounds
/// theirs from one above the mean on (Hoeffding 1956).
pub(super) fn chance_of(seen: u32, expected: f64) -> f64 {
    if f64::from(seen) < expected + 1.0 {
        return 1.0;
    }
    if expected <= 0.0 {
        return 0.0;
    }
    let first = f64::from(seen);
    let mut term = libm::exp(first * libm::log(expected) - expected - libm::lgamma(first + 1.0));
    let (mut sum, mut count) = (0.0, first);
    while term > sum * 1e-16 {
        sum += term;
        count += 1.0;
        term *= expected / count;
    }
    sum
}
