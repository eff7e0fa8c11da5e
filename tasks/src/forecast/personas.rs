//! Ways of forecasting, honest and not.

use ndarray::ArrayView2;
use rand_chacha::ChaCha20Rng;
use weighhouse_models::draw::{Gaussian, below, some};
use weighhouse_types::{Digest, InferRequest, Tensor};

use crate::kind::generator;
use crate::persona::{Conduct, Persona};

use super::panel::{LIVE, PREDICTIONS, TARGETS, TRAINING};

/// From past rows with their targets and live rows: predictions. `None` is silence.
type Predict = fn(&Seen<'_>, &mut ChaCha20Rng) -> Option<Vec<f64>>;

/// What a forecaster sees of a round.
struct Seen<'a> {
    training: ArrayView2<'a, f32>,
    targets: &'a [f32],
    live: ArrayView2<'a, f32>,
    /// Chance that everybody can draw of the request.
    common: ChaCha20Rng,
}

pub(super) fn catalogue() -> Vec<Persona> {
    use Conduct::{Cheat, Honest};
    let signals = ["honest-1", "honest-2", "honest-3", "honest-4", "honest-5", "honest-6"];
    let honest = persona("honest", Honest, |seen, rng| Some(slopes(seen, rng))).cast(&signals);
    let cached = Persona::cached(&honest).measured_only();
    vec![
        honest,
        persona("noise", Cheat, |seen, rng| Some(noise(seen, rng))),
        // All serve the model that one of them trained.
        persona("copy", Cheat, |seen, _| Some(slopes(seen, &mut seen.common.clone())))
            .cast(&["copy-1", "copy-2", "copy-3"]),
        persona("twin", Cheat, |seen, _| Some(noise(seen, &mut seen.common.clone()))).twin("mirror"),
        persona("mirror", Cheat, |seen, _| {
            Some(noise(seen, &mut seen.common.clone()).into_iter().map(|value| -value).collect())
        })
        .twin("twin"),
        persona("overfit", Cheat, |seen, _| Some(nearest(seen))),
        persona("late", Cheat, |seen, rng| (below(3, rng) > 0).then(|| slopes(seen, rng))),
        cached,
        persona("constant", Cheat, |seen, _| Some(vec![0.5; seen.live.nrows()])).measured_only(),
        Persona::silent(),
    ]
}

fn persona(name: &'static str, conduct: Conduct, predict: Predict) -> Persona {
    Persona::simple(name, conduct, move |request: &InferRequest, rng| {
        let table = |name| request.input(name).ok()?.matrix().ok();
        let (training, live) = (table(TRAINING)?, table(LIVE)?);
        let targets = request.input(TARGETS).ok()?.to_f32().ok()?;
        if training.nrows() != targets.len() || training.ncols() != live.ncols() {
            return None;
        }
        let common = generator(Digest::of(request.input(LIVE).ok()?.data()).0);
        let seen = Seen { training: training.view(), targets: &targets, live: live.view(), common };
        let predictions: Vec<f32> = predict(&seen, rng)?.into_iter().map(|value| value as f32).collect();
        Some(request.answered(vec![Tensor::numbers(PREDICTIONS, &predictions)]))
    })
}

/// A model of one's own: the slopes of half of the features, learned from half of the rows.
fn slopes(seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Vec<f64> {
    let (rows, features) = (seen.training.nrows(), seen.training.ncols());
    let learned = some(rows.div_ceil(2), rows, rng);
    let used = some(features.div_ceil(2), features, rng);
    let slope = |feature: &usize| {
        let mut sum = 0.0;
        for row in &learned {
            let value = f64::from(seen.training[(*row, *feature)]) - 0.5;
            sum += value * (f64::from(seen.targets[*row]) - 0.5);
        }
        sum
    };
    let slopes: Vec<f64> = used.iter().map(slope).collect();
    let predict = |row: ndarray::ArrayView1<'_, f32>| {
        used.iter()
            .zip(&slopes)
            .fold(0.0, |sum, (feature, slope)| sum + (f64::from(row[*feature]) - 0.5) * slope)
    };
    seen.live.rows().into_iter().map(predict).collect()
}

fn noise(seen: &Seen<'_>, rng: &mut ChaCha20Rng) -> Vec<f64> {
    let mut normal = Gaussian::default();
    (0..seen.live.nrows()).map(|_| normal.next(rng)).collect()
}

/// The target of the past row that is nearest by the first two features: knows the past by heart, and nothing else.
fn nearest(seen: &Seen<'_>) -> Vec<f64> {
    let far = |one: ndarray::ArrayView1<'_, f32>, other: ndarray::ArrayView1<'_, f32>| {
        one.iter().zip(other).take(2).fold(0.0_f64, |sum, (a, b)| {
            let apart = f64::from(a - b);
            sum + apart * apart
        })
    };
    let predict = |live: ndarray::ArrayView1<'_, f32>| {
        let mut best = (f64::INFINITY, 0.0);
        for (row, target) in seen.training.rows().into_iter().zip(seen.targets) {
            let apart = far(live, row);
            if apart < best.0 {
                best = (apart, f64::from(*target));
            }
        }
        best.1
    };
    seen.live.rows().into_iter().map(predict).collect()
}
