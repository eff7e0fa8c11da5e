//! Needs of both a browser's chart and a terminal's sparkline: fewer points, and a scale that holds them.

/// Values of any size are drawn as if they were at most this far from zero.
const FAR: f64 = 1e300;

/// Means of at most `most` stretches of about equal length; a stretch without any number is a gap.
pub(super) fn thinned(values: &[Option<f64>], most: usize) -> Vec<Option<f64>> {
    let count = values.len().min(most);
    let stretch = |at: usize| &values[at * values.len() / count..(at + 1) * values.len() / count];
    (0..count).map(|at| mean(stretch(at))).collect()
}

/// The mean of what is finite.
pub(super) fn mean(values: &[Option<f64>]) -> Option<f64> {
    let finite: Vec<f64> = values.iter().filter_map(|value| drawable(*value)).collect();
    let count = finite.len() as f64;
    // Divided before they are added, so that the sum of huge values stays finite.
    (!finite.is_empty()).then(|| finite.iter().map(|value| value / count).sum())
}

/// The part of a series that can be drawn.
pub(super) fn drawable(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite()).map(|value| value.clamp(-FAR, FAR))
}

/// The largest drawable value.
pub(super) fn most(values: &[Option<f64>]) -> Option<f64> {
    values.iter().filter_map(|value| drawable(*value)).reduce(f64::max)
}

/// A scale from zero, or from the least value below it, to the largest, with round ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    pub(super) fn over(values: impl Iterator<Item = Option<f64>>) -> Self {
        let (mut least, mut most) = (0.0_f64, 0.0_f64);
        for value in values.filter_map(drawable) {
            (least, most) = (least.min(value), most.max(value));
        }
        // Places are divided by the scale's height.
        if most - least < 1e-12 {
            most = least + 1.0;
        }
        let step = step((most - least) / 4.0);
        // What is above a tick by rounding alone gets no further tick.
        let (first, last) = (libm::floor(least / step), libm::ceil(most / step - 1e-9));
        // At most four steps and one more at either end.
        let ticks: Vec<f64> = (0..=(last - first) as u32).map(|at| (first + f64::from(at)) * step).collect();
        Self { least: first * step, most: last * step, ticks }
    }

    /// Position of a value between bottom, 0, and top, 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        ((value.clamp(-FAR, FAR) - self.least) / (self.most - self.least)).clamp(0.0, 1.0)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is at least `raw`.
fn step(raw: f64) -> f64 {
    let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
    [1.0, 2.0, 5.0].into_iter().map(|lead| lead * power).find(|step| *step >= raw).unwrap_or(10.0 * power)
}

/// Figures that sum a distribution up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PlotShape {
    /// Entries above zero.
    pub(super) paid: usize,
    pub(super) largest: f64,
    /// Share of the upper tenth, rounded up.
    pub(super) tenth: f64,
    /// 0 if all are equal, towards 1 if one has all.
    pub(super) gini: f64,
    /// Number of equal shares that would be as concentrated: one over the sum of squares.
    pub(super) effective: f64,
}

impl PlotShape {
    /// Of shares that sum to 1, the largest first.
    pub(super) fn of(shares: &[f64]) -> Option<Self> {
        let largest = *shares.first()?;
        let count = shares.len() as f64;
        // Sorted in descending order, the n-th of N counts N + 1 - 2n times.
        let ranked: f64 = shares
            .iter()
            .zip(1_u32..)
            .map(|(share, rank)| share * (count + 1.0 - 2.0 * f64::from(rank)))
            .sum();
        Some(Self {
            paid: shares.iter().filter(|share| **share > 0.0).count(),
            largest,
            tenth: shares[..shares.len().div_ceil(10)].iter().sum(),
            gini: (ranked / count).max(0.0),
            effective: 1.0 / shares.iter().map(|share| share * share).sum::<f64>(),
        })
    }
}
