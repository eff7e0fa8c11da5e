//! A ratio of two paired sums, and how far chance may have moved it.

/// Student's t at 97.5 % for 1 to 30 degrees of freedom; beyond, the normal distribution's.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const NORMAL: f64 = 1.960;

/// The sum of `above` over that of `below`, pair by pair from the same seed, and the ends of its 95 % confidence interval
/// by the residuals `above - ratio x below` (the delta method). `None` without pairs or where `below` sums to nothing
/// positive; with one pair the interval is the ratio itself.
pub fn ratio_ci95(above: &[f64], below: &[f64]) -> Option<(f64, [f64; 2])> {
    let count = above.len().min(below.len());
    let total: f64 = below.iter().take(count).sum();
    if count == 0 || total <= 0.0 {
        return None;
    }
    let ratio = above.iter().take(count).sum::<f64>() / total;
    if count == 1 {
        return Some((ratio, [ratio, ratio]));
    }
    let residual = |(above, below): (&f64, &f64)| (above - ratio * below) * (above - ratio * below);
    let squares: f64 = above.iter().zip(below).map(residual).sum();
    let pairs = count as f64;
    let error = (squares / (pairs * (pairs - 1.0))).sqrt() / (total / pairs);
    // One degree of freedom less than pairs, in a table that begins at 1.
    let half = STUDENT.get(count - 2).copied().unwrap_or(NORMAL) * error;
    Some((ratio, [ratio - half, ratio + half]))
}
