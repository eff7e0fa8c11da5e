//! Crowds that are drawn: workers of every sort label items whose truth is known to nobody but the draw.

use ndarray::Array2;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use weighhouse_models::draw::{below, some, unit};

use super::divide::divide;
use super::majority::{majority, most_likely};
use super::standing::{Judged, judge};
use super::votes::{Vote, Votes};

/// A way of labelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Looks at each item: right on nine of ten.
    Careful,
    /// Looks too briefly: right on six of ten.
    Hasty,
    /// Draws a class.
    Random,
    /// Gives one class to everything.
    Constant,
    /// Gives the class that is commonest.
    MajorityGuesser,
    /// Looks at nothing, and says of each item what its league agreed on.
    Clique,
    /// Serves the model that all of this sort serve: right on eight of ten, and wrong where the others are.
    SameModel,
    /// Is right on the items that it takes for gold, and draws the others.
    GoldSpotter,
}

impl Sort {
    pub const ALL: [Self; 8] = [
        Self::Careful,
        Self::Hasty,
        Self::Random,
        Self::Constant,
        Self::MajorityGuesser,
        Self::Clique,
        Self::SameModel,
        Self::GoldSpotter,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Careful => "careful",
            Self::Hasty => "hasty",
            Self::Random => "random",
            Self::Constant => "constant",
            Self::MajorityGuesser => "majority-guesser",
            Self::Clique => "clique",
            Self::SameModel => "same-model",
            Self::GoldSpotter => "gold-spotter",
        }
    }
}

/// A crowd to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrowdPlan {
    pub items: usize,
    pub classes: usize,
    /// Workers on each item.
    pub overlap: usize,
    /// Items whose class is known, in a thousand.
    pub gold_per_mille: usize,
    pub workers: Vec<Sort>,
}

/// Twenty-five workers, four in ten of whom are bad, of every sort.
pub fn mixed() -> Vec<(Sort, usize)> {
    vec![
        (Sort::Careful, 15),
        (Sort::Hasty, 1),
        (Sort::Random, 2),
        (Sort::Constant, 1),
        (Sort::MajorityGuesser, 1),
        (Sort::Clique, 3),
        (Sort::GoldSpotter, 2),
    ]
}

/// A mean with its 95 % interval (Student's t).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub mean: f64,
    pub half_width: f64,
}

impl Interval {
    /// Of these values; without a width where there is only one.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len().max(1) as f64;
        let mean = values.iter().fold(0.0, |sum, value| sum + value) / count;
        let squares = values.iter().fold(0.0, |sum, value| sum + (value - mean) * (value - mean));
        let error = libm::sqrt(squares / (count - 1.0).max(1.0) / count);
        // Within 0.3 % of the 97.5 % quantile from 5 values on.
        let freedom = (count - 1.0).max(1.0);
        let quantile = 1.959_964
            + 2.372_27 / freedom
            + 2.822_5 / (freedom * freedom)
            + 2.555_9 / (freedom * freedom * freedom);
        Self { mean, half_width: if values.len() > 1 { quantile * error } else { 0.0 } }
    }
}

/// A drawn crowd, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct CrowdOutcome {
    /// The share of all pay that each worker gets; 0 for all where nobody earns.
    pub pay: Vec<f64>,
    /// Shares of the items without gold that the posterior and the majority get right.
    pub accuracy: f64,
    pub majority_accuracy: f64,
    pub judged: Judged,
}

/// Draws a crowd and judges it.
pub fn draw_crowd(plan: &CrowdPlan, seed: u64) -> CrowdOutcome {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let truth: Vec<usize> = (0..plan.items).map(|_| below(plan.classes as u32, &mut rng) as usize).collect();
    let shares = divide(plan.items, plan.workers.len(), plan.overlap, &mut rng);
    let votes = label(plan, &truth, &shares, &mut rng);
    // Only now, when all labels are in.
    let mut gold = vec![None; plan.items];
    for item in some(plan.items * plan.gold_per_mille / 1_000, plan.items, &mut rng) {
        gold[item] = Some(truth[item]);
    }
    let judged = judge(&votes, &gold, &mut rng);
    let right = |posterior: &Array2<f64>| {
        let unknown =
            most_likely(posterior).into_iter().zip(&truth).zip(&gold).filter(|(_, gold)| gold.is_none());
        let (mut right, mut all) = (0.0, 0.0);
        for ((class, truth), _) in unknown {
            right += f64::from(u8::from(class == *truth));
            all += 1.0;
        }
        right / all
    };
    let (accuracy, majority_accuracy) = (right(&judged.posterior), right(&majority(&votes)));
    CrowdOutcome { pay: pay(&judged), accuracy, majority_accuracy, judged }
}

/// Shares of the pay: quality times labels, clipped last; a group earns what one of it would, in equal parts.
pub fn pay(judged: &Judged) -> Vec<f64> {
    let earned =
        |standing: &super::standing::Standing| standing.quality.max(0.0) * f64::from(standing.labels);
    let mut pay: Vec<f64> = judged.standings.iter().map(earned).collect();
    for group in &judged.groups {
        let size = group.len() as f64;
        let one = group.iter().fold(0.0, |sum, member| sum + pay[*member]) / size;
        group.iter().for_each(|member| pay[*member] = one / size);
    }
    let all = pay.iter().fold(0.0, |sum, pay| sum + pay);
    if all > 0.0 {
        pay.iter_mut().for_each(|pay| *pay /= all);
    }
    pay
}

fn label(plan: &CrowdPlan, truth: &[usize], shares: &[Vec<usize>], rng: &mut ChaCha20Rng) -> Votes {
    let classes = plan.classes as u32;
    let commonest = commonest(truth, plan.classes);
    let agreed: Vec<usize> = truth.iter().map(|_| below(classes, rng) as usize).collect();
    let model: Vec<usize> = truth.iter().map(|truth| right_with(0.8, *truth, classes, rng)).collect();
    let mut votes = Vec::new();
    for (worker, (sort, items)) in plan.workers.iter().zip(shares).enumerate() {
        let own = below(classes, rng) as usize;
        // It can't know which items gold is drawn of when it has answered; it takes as many for gold as there will be.
        let spotted = some(items.len() * plan.gold_per_mille / 1_000, items.len(), rng);
        for (at, item) in items.iter().enumerate() {
            let class = match sort {
                Sort::Careful => right_with(0.9, truth[*item], classes, rng),
                Sort::Hasty => right_with(0.6, truth[*item], classes, rng),
                Sort::Random => below(classes, rng) as usize,
                Sort::Constant => own,
                Sort::MajorityGuesser => commonest,
                Sort::Clique => agreed[*item],
                Sort::SameModel => model[*item],
                Sort::GoldSpotter if spotted.binary_search(&at).is_ok() => truth[*item],
                Sort::GoldSpotter => below(classes, rng) as usize,
            };
            votes.push(Vote { item: *item, worker, class });
        }
    }
    Votes::new(plan.items, plan.workers.len(), plan.classes, votes).expect("of this crowd")
}

/// The truth with a chance, else one of the other classes.
fn right_with(chance: f64, truth: usize, classes: u32, rng: &mut ChaCha20Rng) -> usize {
    let (is_right, other) = (unit(rng) < chance, below(classes - 1, rng) as usize);
    if is_right { truth } else { other + usize::from(other >= truth) }
}

fn commonest(truth: &[usize], classes: usize) -> usize {
    let mut counts = vec![0_u32; classes];
    truth.iter().for_each(|class| counts[*class] += 1);
    (0..classes).max_by_key(|class| (counts[*class], std::cmp::Reverse(*class))).unwrap_or(0)
}
