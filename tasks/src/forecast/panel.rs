//! Panels that are drawn: rows of features, and a target of five classes that a few of them bear on.

use ndarray::ArrayView2;
use rand_chacha::ChaCha20Rng;
use weighhouse_models::draw::{Gaussian, below};

use super::series::ranks;

pub(super) const TRAINING: &str = "training";
pub(super) const TARGETS: &str = "targets";
pub(super) const LIVE: &str = "live";
pub(super) const PREDICTIONS: &str = "predictions";
/// Values of a feature, from 0 to 1.
const BINS: u32 = 5;

/// The size of a panel, and how much of its target is noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PanelTerms {
    pub(super) training: usize,
    pub(super) live: usize,
    pub(super) features: usize,
    /// Deviation, where what the features say has 1.
    pub(super) noise: f64,
}

/// Features, and what they say of the target without noise.
pub(super) struct Panel {
    pub(super) training: Vec<f32>,
    pub(super) training_exact: Vec<f64>,
    pub(super) live: Vec<f32>,
    pub(super) live_exact: Vec<f64>,
}

impl PanelTerms {
    pub(super) fn draw(&self, rng: &mut ChaCha20Rng) -> Panel {
        let mut normal = Gaussian::default();
        let weights: Vec<f64> = (0..self.features).map(|_| normal.next(rng)).collect();
        let mut features = |rows: usize| -> Vec<f32> {
            (0..rows * self.features).map(|_| below(BINS, rng) as f32 / (BINS - 1) as f32).collect()
        };
        let (training, live) = (features(self.training), features(self.live));
        let exact = |values: &[f32]| -> Vec<f64> {
            let row = |row: &[f32]| {
                row.iter()
                    .zip(&weights)
                    .fold(0.0, |sum, (value, weight)| sum + (f64::from(*value) - 0.5) * weight)
            };
            let said: Vec<f64> = values.chunks(self.features).map(row).collect();
            let square = said.iter().fold(0.0, |sum, value| sum + value * value) / said.len() as f64;
            let deviation = libm::sqrt(square).max(1e-9);
            said.into_iter().map(|value| value / deviation).collect()
        };
        Panel { training_exact: exact(&training), live_exact: exact(&live), training, live }
    }

    pub(super) fn rows<'a>(&self, values: &'a [f32]) -> ArrayView2<'a, f32> {
        ArrayView2::from_shape((values.len() / self.features, self.features), values).expect("whole rows")
    }
}

/// Five classes from 0 to 1, of equal size: of what the features say and noise.
pub(super) fn targets(exact: &[f64], noise: f64, mut normal: impl FnMut() -> f64) -> Vec<f64> {
    let said: Vec<f64> = exact.iter().map(|value| value + noise * normal()).collect();
    let count = said.len() as f64;
    ranks(&said).into_iter().map(|rank| libm::floor((rank - 0.5) / count * 5.0) / 4.0).collect()
}
