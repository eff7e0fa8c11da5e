//! Dawid and Skene's observer error rates (1979), whole and with one rate a worker ("one coin"), by expectation and maximisation.

use ndarray::{Array2, Array3};

use super::majority::majority;
use super::votes::{Vote, Votes};

/// Below it no probability falls, so that one label never rules a class out.
const LEAST: f64 = 1e-10;
/// Growth of the bound, per label, below which nothing more is gained.
pub const TOLERANCE: f64 = 1e-5;

/// Class probabilities, and what was learned of classes and workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Items by classes.
    pub posterior: Array2<f64>,
    /// Worker, class that was given, true class: how likely it is given. 0 for what a worker never gave.
    pub errors: Array3<f64>,
    pub priors: Vec<f64>,
    /// The lower bound of the log likelihood after each iteration, per label.
    pub bounds: Vec<f64>,
}

/// As [`Fitted`], with one rate a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCoin {
    pub posterior: Array2<f64>,
    pub priors: Vec<f64>,
    /// How likely each worker gives the true class; 0 for one without a label.
    pub skills: Vec<f64>,
}

/// When the iterations end.
#[derive(Clone, Copy, Debug)]
pub struct Iterations {
    pub max: usize,
    /// Ends earlier where the bound grows by less; `None` runs them all.
    pub tolerance: Option<f64>,
}

/// Fits a matrix of error rates to each worker. Items whose class is known, by `gold`, keep it.
pub fn dawid_skene(votes: &Votes, gold: &[Option<usize>], iterations: Iterations) -> Fitted {
    let (posterior, model, bounds) = fit(votes, gold, iterations, error_rates);
    Fitted { posterior, errors: model.errors, priors: model.priors, bounds }
}

/// Fits one rate to each worker: wrong labels are as likely of any class.
pub fn one_coin(votes: &Votes, iterations: Iterations) -> OneCoin {
    let (posterior, model, _) = fit(votes, &[], iterations, |votes, posterior| {
        let skills = skills(votes, posterior);
        let others = (votes.classes() - 1) as f64;
        let mut errors = Array3::zeros((votes.workers(), votes.classes(), votes.classes()));
        for Vote { worker, class, .. } in votes.iter() {
            for truth in 0..votes.classes() {
                let rate = if truth == class { skills[worker] } else { (1.0 - skills[worker]) / others };
                errors[(worker, class, truth)] = rate.clamp(LEAST, 1.0 - LEAST);
            }
        }
        errors
    });
    // Of the posteriors before they were kept from 0, which they differ from by less than 1e-9.
    let skills = skills(votes, &model.exact);
    OneCoin { posterior, priors: model.priors, skills }
}

struct Model {
    errors: Array3<f64>,
    priors: Vec<f64>,
    /// The posterior that they were worked out from.
    exact: Array2<f64>,
}

fn fit(
    votes: &Votes,
    gold: &[Option<usize>],
    iterations: Iterations,
    maximise: impl Fn(&Votes, &Array2<f64>) -> Array3<f64>,
) -> (Array2<f64>, Model, Vec<f64>) {
    let model = |mut exact: Array2<f64>| {
        clamp_to(&mut exact, gold);
        Model { errors: maximise(votes, &exact), priors: means(&exact), exact }
    };
    let mut now = model(majority(votes));
    let (mut posterior, mut bounds, mut last) = (now.exact.clone(), Vec::new(), f64::NEG_INFINITY);
    for _ in 0..iterations.max {
        now = model(expect(votes, &now));
        let bound = bound(votes, &now) / votes.len().max(1) as f64;
        bounds.push(bound);
        posterior = now.exact.mapv(|share| share.max(LEAST));
        if iterations.tolerance.is_some_and(|tolerance| bound - last < tolerance) {
            break;
        }
        last = bound;
    }
    (posterior, now, bounds)
}

fn clamp_to(posterior: &mut Array2<f64>, gold: &[Option<usize>]) {
    for (mut row, gold) in posterior.rows_mut().into_iter().zip(gold) {
        if let Some(class) = gold {
            row.fill(0.0);
            row[*class] = 1.0;
        }
    }
}

fn means(posterior: &Array2<f64>) -> Vec<f64> {
    let items = posterior.nrows().max(1) as f64;
    let mean =
        |column: ndarray::ArrayView1<'_, f64>| column.iter().fold(0.0, |sum, share| sum + share) / items;
    posterior.columns().into_iter().map(mean).collect()
}

/// Shares of each class a worker gave, by true class. What a worker never gave has no share.
fn error_rates(votes: &Votes, posterior: &Array2<f64>) -> Array3<f64> {
    let classes = votes.classes();
    let mut errors = Array3::zeros((votes.workers(), classes, classes));
    let mut gave = Array2::from_elem((votes.workers(), classes), false);
    for Vote { item, worker, class } in votes.iter() {
        gave[(worker, class)] = true;
        for truth in 0..classes {
            errors[(worker, class, truth)] += posterior[(item, truth)];
        }
    }
    for worker in 0..votes.workers() {
        let given: Vec<usize> = (0..classes).filter(|class| gave[(worker, *class)]).collect();
        for truth in 0..classes {
            let mut all = 0.0;
            for class in &given {
                let rate: &mut f64 = &mut errors[(worker, *class, truth)];
                *rate = rate.max(LEAST);
                all += *rate;
            }
            given.iter().for_each(|class| errors[(worker, *class, truth)] /= all);
        }
    }
    errors
}

fn skills(votes: &Votes, posterior: &Array2<f64>) -> Vec<f64> {
    let mut sums = vec![(0.0, 0_u32); votes.workers()];
    for Vote { item, worker, class } in votes.iter() {
        sums[worker].0 += posterior[(item, class)];
        sums[worker].1 += 1;
    }
    sums.into_iter().map(|(sum, count)| sum / f64::from(count.max(1))).collect()
}

/// Class probabilities of every item by error rates and priors, in logarithms, since products of many rates leave the range of floats.
fn expect(votes: &Votes, model: &Model) -> Array2<f64> {
    let priors: Vec<f64> = model.priors.iter().map(|prior| libm::log2(prior.max(LEAST))).collect();
    let mut likely = Array2::from_shape_fn((votes.items(), votes.classes()), |_| 0.0);
    for Vote { item, worker, class } in votes.iter() {
        for truth in 0..votes.classes() {
            likely[(item, truth)] += libm::log2(model.errors[(worker, class, truth)]);
        }
    }
    for mut row in likely.rows_mut() {
        row.iter_mut().zip(&priors).for_each(|(share, prior)| *share += prior);
        let most = row.iter().fold(f64::NEG_INFINITY, |most, share| most.max(*share));
        row.mapv_inplace(|share| libm::exp2(share - most));
        let all = row.iter().fold(0.0, |sum, share| sum + share);
        row.mapv_inplace(|share| share / all);
    }
    likely
}

/// The evidence lower bound, as crowd-kit has it: each label counts the prior of its class.
fn bound(votes: &Votes, model: &Model) -> f64 {
    let priors: Vec<f64> = model.priors.iter().map(|prior| libm::log(prior.max(LEAST))).collect();
    let mut joint = 0.0;
    for Vote { item, worker, class } in votes.iter() {
        for (truth, prior) in priors.iter().enumerate() {
            let rate = libm::log(model.errors[(worker, class, truth)]);
            joint += model.exact[(item, truth)] * (rate + prior);
        }
    }
    let entropy = model.exact.iter().fold(0.0, |sum, share| {
        let share = share.max(LEAST);
        sum - libm::log(share) * share
    });
    joint + entropy
}
