//! MACE (Hovy and others, 2013): a worker knows the class, or spams by a strategy of its own; by expectation and maximisation, or by
//! variational Bayes.

use ndarray::Array2;

use super::votes::{Vote, Votes};

/// Prior counts of knowing and spamming, in the variational form.
const SPAMMING_PRIOR: f64 = 0.5;
/// Prior count of each class in a spammer's strategy.
const STRATEGY_PRIOR: f64 = 10.0;
/// Added to the expected counts of the plain form, shared among the classes.
const SMOOTHING: f64 = 0.01;

/// How counts become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaceMethod {
    Plain,
    Variational,
}

/// What a fit begins with, and ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Spamming {
    /// Workers by two: how likely a label is spam, and how likely the worker knows.
    pub rates: Array2<f64>,
    /// Workers by classes: what a worker gives as spam.
    pub strategies: Array2<f64>,
}

impl Spamming {
    /// Every worker spams half of the time, any class as likely.
    pub fn even(votes: &Votes) -> Self {
        let strategy = 1.0 / votes.classes() as f64;
        Self {
            rates: Array2::from_elem((votes.workers(), 2), 0.5),
            strategies: Array2::from_elem((votes.workers(), votes.classes()), strategy),
        }
    }
}

/// Class probabilities of the items, and what was learned of the workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Mace {
    pub posterior: Array2<f64>,
    pub spamming: Spamming,
}

/// Fits rates and strategies in so many iterations.
pub fn mace(votes: &Votes, method: MaceMethod, start: Spamming, iterations: usize) -> Mace {
    fit(votes, method, start, iterations, |counts| counts)
}

/// As [`mace`]; `order` may put the counts of strategies in another order of workers and classes.
pub(super) fn fit(
    votes: &Votes,
    method: MaceMethod,
    start: Spamming,
    iterations: usize,
    order: impl Fn(Array2<f64>) -> Array2<f64>,
) -> Mace {
    let mut spamming = start;
    for _ in 0..iterations {
        let (_, known, strategies) = expect(votes, &spamming);
        spamming = Spamming {
            rates: share(known, method, SPAMMING_PRIOR, votes.classes()),
            strategies: share(order(strategies), method, STRATEGY_PRIOR, votes.classes()),
        };
    }
    let (mut posterior, ..) = expect(votes, &spamming);
    for mut row in posterior.rows_mut() {
        let all = total(row.view());
        row.mapv_inplace(|share| share / all);
    }
    Mace { posterior, spamming }
}

/// Likelihoods of each item's classes, and expected counts: of spam and knowledge by worker, and of classes given as spam.
fn expect(votes: &Votes, spamming: &Spamming) -> (Array2<f64>, Array2<f64>, Array2<f64>) {
    let (workers, classes) = (votes.workers(), votes.classes());
    let Spamming { rates, strategies } = spamming;
    let spam = |vote: &Vote| rates[(vote.worker, 0)] * strategies[(vote.worker, vote.class)];
    let mut marginals = Array2::ones((votes.items(), classes));
    for vote in votes.iter() {
        for truth in 0..classes {
            let knows = if truth == vote.class { rates[(vote.worker, 1)] } else { 0.0 };
            marginals[(vote.item, truth)] *= spam(&vote) + knows;
        }
    }
    marginals.mapv_inplace(|likely| likely / classes as f64);
    let mut known = Array2::zeros((workers, 2));
    let mut given = Array2::zeros((workers, classes));
    for vote in votes.iter() {
        let Vote { item, worker, class } = vote;
        let all = total(marginals.row(item));
        let (spam, knows) = (spam(&vote), rates[(worker, 1)]);
        let mut as_spam = 0.0;
        for truth in 0..classes {
            as_spam += marginals[(item, truth)] / (spam + if truth == class { knows } else { 0.0 });
        }
        let as_spam = as_spam * rates[(worker, 0)] * strategies[(worker, class)] / all;
        given[(worker, class)] += as_spam;
        known[(worker, 0)] += as_spam;
        known[(worker, 1)] += marginals[(item, class)] * knows / (spam + knows) / all;
    }
    (marginals, known, given)
}

fn share(counts: Array2<f64>, method: MaceMethod, prior: f64, classes: usize) -> Array2<f64> {
    let mut shares = match method {
        MaceMethod::Plain => counts.mapv(|count| count + SMOOTHING / classes as f64),
        MaceMethod::Variational => counts.mapv(|count| count + prior),
    };
    for mut row in shares.rows_mut() {
        let all = total(row.view());
        match method {
            MaceMethod::Plain => row.mapv_inplace(|count| count / all),
            MaceMethod::Variational => {
                let all = libm::exp(digamma(all));
                row.mapv_inplace(|count| libm::exp(digamma(count)) / all);
            }
        }
    }
    shares
}

fn total(row: ndarray::ArrayView1<'_, f64>) -> f64 {
    row.iter().fold(0.0, |sum, value| sum + value)
}

/// The logarithmic derivative of the gamma function above 0: upwards by its recurrence, then its asymptotic series.
fn digamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series =
        [1.0 / 12.0, -1.0 / 120.0, 1.0 / 252.0, -1.0 / 240.0, 1.0 / 132.0, -691.0 / 32_760.0, 1.0 / 12.0];
    let tail = series.iter().rev().fold(0.0, |sum, term| (sum + term) * square);
    libm::log(x) - 0.5 / x - tail - below
}
