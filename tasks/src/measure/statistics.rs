//! Sums in the order of the challenges, so that the same marks give the same figures.

/// Rate of honest miners that may be taken for a persona: the upper 0.0001 quantile of the standard normal distribution.
const QUANTILE_OF_FALSE_POSITIVES: f64 = 3.719_016_485_455_68;
/// Rate of miners of a persona that may get by: the upper 0.01 quantile.
const QUANTILE_OF_MISSES: f64 = 2.326_347_874_040_84;
/// More challenges than this are as good as never.
const DETECTIONS_MAX: f64 = 1e6;

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample standard deviation; 0 for fewer than two values.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (values.len().max(2) - 1) as f64).sqrt()
}

/// Pearson's; 0 where one side never differs.
pub(super) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| of(a - mean_a, b - mean_b)).sum()
    };
    let (squares_a, squares_b) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
    // Equal marks may have a mean that is off by its last bit.
    let varies = |squares: f64| squares > a.len() as f64 * 1e-20;
    if varies(squares_a) && varies(squares_b) {
        sum(&|a, b| a * b) / (squares_a.sqrt() * squares_b.sqrt())
    } else {
        0.0
    }
}

/// The value in the middle, the upper of two.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Rounds to a number of significant digits.
pub(super) fn rounded(value: f64, digits: usize) -> f64 {
    let text = format!("{value:.*e}", digits.saturating_sub(1));
    // A negative zero would be read as a sign that means something.
    text.parse::<f64>().map_or(value, |value| value + 0.0)
}

/// The number of `marks` that a one-sided test needs to tell their mean from the mean of `honest`:
/// `((z_a s_0 + z_b s_1) / (m_0 - m_1))^2`, rounded up (NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.2.2, with
/// a deviation for each hypothesis). `None` where the means are equal or so close that it takes over a million.
pub(super) fn detections(honest: &[f64], marks: &[f64]) -> Option<u32> {
    let apart = (mean(honest) - mean(marks)).abs();
    let spread = QUANTILE_OF_FALSE_POSITIVES * deviation(honest) + QUANTILE_OF_MISSES * deviation(marks);
    let needed = (spread / apart) * (spread / apart);
    // Marks are kept to a billionth, so a smaller difference is none.
    (apart > 1e-9 && needed <= DETECTIONS_MAX).then(|| needed.ceil().max(1.0) as u32)
}
