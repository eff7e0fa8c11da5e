//! What marks would be worth to a miner that isn't judged yet: its share of the pay, from the policy and what the others
//! are paid.
//!
//! Nothing outside a validator's journal says what marks the others have. They are taken from their incentives, by the
//! policy's shape read backwards, with full marks for the best paid; every such assumption is named beside the figure.

use serde::Serialize;
use weighhouse_types::{Mark, Score, Uid};

use crate::policy::{Policy, Shape};
use crate::share::{Candidate, Weigher};
use crate::track::{Tally, Track};

#[cfg(test)]
mod tests;

/// Full marks, in billionths.
const FULL: f64 = 1e9;

/// A miner's share among miners, and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The score that the marks become.
    pub score: f64,
    /// Of all that the miners get together.
    pub share: f64,
    pub assumptions: Vec<String>,
}

/// The share of a miner whose answers get `marks` (of full marks, 0 to 1) beside others with these incentives, in any unit.
/// Without a policy weights are taken to be in proportion to marks.
pub fn forecast(policy: Option<&Policy>, marks: f64, others: &[f64]) -> Forecast {
    let marks = if marks.is_finite() { marks.clamp(0.0, 1.0) } else { 0.0 };
    let mut assumptions = Vec::new();
    let top = others.iter().copied().fold(0.0, f64::max);
    let (score, full) = match policy {
        None => (marks, 1.0),
        Some(policy) => (settled_score(policy, marks), settled_score(policy, 1.0)),
    };
    match policy {
        None => assumptions
            .push("weights follow marks in proportion, as no policy file was given (--policy)".to_owned()),
        Some(policy) => {
            assumptions.push(format!("every validator weighs by the policy given ({})", shape(policy)));
            assumptions.push("every answer comes in time, and the average has settled".to_owned());
        }
    }
    if marks > 0.0 && score == 0.0 {
        assumptions.push(format!("the policy pays nothing for marks of {marks:.3}"));
    }
    if top > 0.0 {
        assumptions.push("the best paid miner has full marks, and the others as their pay says".to_owned());
    } else {
        assumptions.push("nobody is paid yet, so whoever earns anything gets all".to_owned());
    }
    let share = match policy {
        None => proportion(score, others.iter().map(|other| ratio(*other, top))),
        Some(policy) => weighed(policy, score, full, others, top),
    };
    Forecast { score, share, assumptions }
}

/// Epochs from a miner's first answers to the first epoch that pays it in full: enough verdicts at so many rounds an epoch,
/// the ramp, weights that stay concealed for `reveal` epochs, and one to be paid.
pub fn epochs_to_full_pay(policy: &Policy, rounds: u32, reveal: u64) -> u64 {
    let per_epoch = u64::from(policy.rounds().unwrap_or(rounds).max(1));
    let judged = policy.min_attempts().div_ceil(per_epoch).max(1);
    judged.max(policy.ramp_epochs()).saturating_add(reveal).saturating_add(1)
}

/// The score of an average that is made of these marks alone, once newcomers' terms are over.
fn settled_score(policy: &Policy, marks: f64) -> f64 {
    let mark = mark(marks).billionths();
    // Two at least, for a variance; and enough for every guard and for full capacity.
    let least = policy.min_attempts().max(u64::from(policy.capacity())).clamp(2, u64::from(Tally::MAX));
    let mut tally = Tally::default();
    (0..least).for_each(|_| tally.add(policy, mark, Some(0)));
    let (mut track, last) = (Track::default(), policy.ramp_epochs().max(1));
    track.fold(policy, 1, &tally);
    // The first epoch's average is the last one's: they are all alike.
    track.judged_in = last;
    policy.rate(&track, last).0.billionths() as f64 / FULL
}

/// The policy's own weights, of the others' marks and ours.
fn weighed(policy: &Policy, score: f64, full: f64, others: &[f64], top: f64) -> f64 {
    let mut order: Vec<usize> = (0..others.len()).collect();
    order.sort_by(|a, b| others[*b].total_cmp(&others[*a]));
    let mut places = vec![None; others.len()];
    for (place, at) in order.into_iter().enumerate() {
        places[at] = u16::try_from(place).ok().filter(|_| others[at] > 0.0);
    }
    let candidate = |at: usize, score: f64, place| Candidate {
        uid: Uid(u16::try_from(at).unwrap_or(u16::MAX)),
        score: Score::clip(mark(score)),
        cluster: None,
        place,
        registered_at: 0,
    };
    let mut candidates: Vec<Candidate> = others
        .iter()
        .zip(places)
        .enumerate()
        .map(|(at, (other, place))| candidate(at, inverse(policy.shape(), ratio(*other, top)) * full, place))
        .collect();
    candidates.push(candidate(others.len(), score, None));
    let mut weigher = Weigher::new();
    // What is burned stays as the metagraph shows it.
    let weights = weigher.weights(policy, &candidates, None);
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let own = weights.last().map_or(0.0, |(_, weight)| *weight);
    ratio(own, total)
}

/// The score, of full marks, behind a weight, of the largest one.
fn inverse(shape: Shape, weight: f64) -> f64 {
    if weight <= 0.0 {
        return 0.0;
    }
    let score = match shape {
        Shape::Power { exponent } if exponent > 0.0 => libm::pow(weight, 1.0 / exponent),
        Shape::Softmax { temperature } => 1.0 + temperature * libm::log(weight),
        // Of ranks alone the order is known, and any scores in that order do.
        _ => weight,
    };
    // Whoever is paid has a score.
    score.clamp(1.0 / FULL, 1.0)
}

fn mark(value: f64) -> Mark {
    Mark::from_f64(value).unwrap_or_default()
}

fn proportion(own: f64, others: impl Iterator<Item = f64>) -> f64 {
    ratio(own, own + others.sum::<f64>())
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn shape(policy: &Policy) -> &'static str {
    match policy.shape() {
        Shape::Linear => "in proportion to scores",
        Shape::Power { .. } => "by a power of scores",
        Shape::Softmax { .. } => "by a softmax of scores",
        Shape::Rank { .. } => "by rank: the others' marks are known by their order alone",
        Shape::WinnerTakesAll { .. } => "all to the best, who keeps it until beaten by the hysteresis",
        Shape::TopK { .. } => "in proportion among the best",
    }
}
