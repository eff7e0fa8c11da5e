//! GLAD (Whitehill and others, 2009): a label is right with the logistic of the worker's ability times the item's ease, by expectation and
//! maximisation; each maximisation by conjugate gradients.

use ndarray::Array2;

use super::votes::{Vote, Votes};

/// Growth of the expectation, per label and class, below which the fit ends.
const TOLERANCE: f64 = 1e-5;
/// Steepest slope at which a maximisation ends.
const SLOPE: f64 = 1e-2;
const STEPS_MAX: usize = 25;
const LINE_STEPS_MAX: usize = 40;
/// Mean of the normal priors of abilities and of the logarithms of ease.
const PRIOR: f64 = 1.0;

/// Class probabilities, and what was learned of workers and items.
#[derive(Clone, Debug, PartialEq)]
pub struct Glad {
    /// Items by classes.
    pub posterior: Array2<f64>,
    /// Of each worker; below 0 for one who is oftener wrong than chance.
    pub abilities: Vec<f64>,
    /// Of each item, as a logarithm.
    pub ease: Vec<f64>,
}

/// Fits abilities and ease in at most so many iterations.
pub fn glad(votes: &Votes, iterations: usize) -> Glad {
    let cells = (votes.len() * votes.classes()).max(1) as f64;
    let mut point = vec![PRIOR; votes.workers() + votes.items()];
    let mut posterior = expect(votes, &point);
    let mut last = expectation(votes, &posterior, &point);
    for _ in 0..iterations {
        posterior = expect(votes, &point);
        point = maximise(votes, &posterior, point);
        let now = expectation(votes, &posterior, &point) / cells;
        if now - last < TOLERANCE {
            break;
        }
        last = now;
    }
    let ease = point.split_off(votes.workers());
    Glad { posterior, abilities: point, ease }
}

/// The logarithms of how likely a label is right and wrong.
fn logs(votes: &Votes, point: &[f64], vote: &Vote) -> (f64, f64) {
    let product = point[vote.worker] * libm::exp(point[votes.workers() + vote.item]);
    let softplus = |x: f64| if x > 30.0 { x } else { libm::log1p(libm::exp(x)) };
    (-softplus(-product), -softplus(product))
}

fn expect(votes: &Votes, point: &[f64]) -> Array2<f64> {
    let others = libm::log((votes.classes() - 1) as f64);
    let mut likely = Array2::zeros((votes.items(), votes.classes()));
    for vote in votes.iter() {
        let (right, wrong) = logs(votes, point, &vote);
        for truth in 0..votes.classes() {
            likely[(vote.item, truth)] += if truth == vote.class { right } else { wrong - others };
        }
    }
    for mut row in likely.rows_mut() {
        let most = row.iter().fold(f64::NEG_INFINITY, |most: f64, value| most.max(*value));
        row.mapv_inplace(|value| libm::exp(value - most));
        let all = row.iter().fold(0.0, |sum, value| sum + value);
        row.mapv_inplace(|value| value / all);
    }
    likely
}

/// The expected log likelihood with its priors.
fn expectation(votes: &Votes, posterior: &Array2<f64>, point: &[f64]) -> f64 {
    let others = libm::log((votes.classes() - 1) as f64);
    let mut sum = 0.0;
    for vote in votes.iter() {
        let (right, wrong) = logs(votes, point, &vote);
        let share = posterior[(vote.item, vote.class)];
        sum += share * right + (1.0 - share) * (wrong - others);
    }
    let normal = 0.5 * libm::log(2.0 * std::f64::consts::PI);
    point.iter().fold(sum, |sum, value| sum - 0.5 * (value - PRIOR) * (value - PRIOR) - normal)
}

fn gradient(votes: &Votes, posterior: &Array2<f64>, point: &[f64]) -> Vec<f64> {
    let mut slopes: Vec<f64> = point.iter().map(|value| PRIOR - value).collect();
    for vote in votes.iter() {
        let Vote { item, worker, class } = vote;
        let (ability, ease) = (point[worker], libm::exp(point[votes.workers() + item]));
        let right = 1.0 / (1.0 + libm::exp(-ability * ease));
        let more = posterior[(item, class)] - right;
        slopes[worker] += more * ease;
        slopes[votes.workers() + item] += more * ability * ease;
    }
    slopes
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).fold(0.0, |sum, (one, other)| sum + one * other)
}

/// Climbs by conjugate gradients (Polak and Ribière) from a point.
fn maximise(votes: &Votes, posterior: &Array2<f64>, mut point: Vec<f64>) -> Vec<f64> {
    let mut slopes = gradient(votes, posterior, &point);
    let mut way = slopes.clone();
    for _ in 0..STEPS_MAX {
        if slopes.iter().all(|slope| slope.abs() <= SLOPE) {
            break;
        }
        let Some((next, there)) = climb(votes, posterior, &point, (&way, dot(&slopes, &way))) else { break };
        let turned = (dot(&there, &there) - dot(&there, &slopes)) / dot(&slopes, &slopes);
        let keep = turned.max(0.0);
        way = there.iter().zip(&way).map(|(slope, way)| slope + keep * way).collect();
        if dot(&there, &way) <= 0.0 {
            way.clone_from(&there);
        }
        (point, slopes) = (next, there);
    }
    point
}

/// A point along the way that is high and flat enough (weak Wolfe conditions), with its gradient.
fn climb(
    votes: &Votes,
    posterior: &Array2<f64>,
    point: &[f64],
    (way, slope): (&[f64], f64),
) -> Option<(Vec<f64>, Vec<f64>)> {
    let here = expectation(votes, posterior, point);
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, 1.0 / (1.0 + libm::sqrt(dot(way, way))));
    let mut best = None;
    for _ in 0..LINE_STEPS_MAX {
        let next: Vec<f64> = point.iter().zip(way).map(|(value, way)| value + step * way).collect();
        if expectation(votes, posterior, &next) < here + 1e-4 * step * slope {
            high = step;
        } else {
            let there = gradient(votes, posterior, &next);
            let is_flat = dot(&there, way) <= 0.4 * slope;
            best = Some((next, there));
            if is_flat {
                break;
            }
            low = step;
        }
        step = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * step };
    }
    best
}
