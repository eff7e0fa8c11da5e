//! What a job will cost, worked out exactly before anybody labels.
//!
//! Workers err independently, each with the accuracy said, in each wrong class alike: the world in which [`crate::rule`] is right.
//! An item's votes are then a walk over counts of votes by class; its chance of each count is followed vote by vote, and ends where
//! the rule stops.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rule;

/// The most votes an item that are looked at.
pub const OVERLAP_MAX: usize = 15;
/// Posteriors to stop at that are tried.
const STOPS: [f64; 12] = [0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];

/// A way to label, and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Design {
    /// The most votes an item.
    pub overlap: usize,
    /// The posterior from which an item isn't given out again; none: every item gets all votes.
    pub sure: Option<f64>,
    /// Expected votes an item.
    pub votes: f64,
    /// Expected share of right labels.
    pub accuracy: f64,
    /// Expected share of items that end sure.
    pub sure_share: f64,
}

/// What is planned for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub classes: usize,
    pub worker_accuracy: f64,
    /// The share of right labels that is wanted.
    pub accuracy: f64,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("there are 2 to 1000 classes")]
    Classes,
    #[error("a worker's accuracy lies between chance ({chance:.3}) and 1")]
    WorkerAccuracy { chance: f64 },
    #[error("the accuracy that is wanted lies between chance ({chance:.3}) and 1")]
    Accuracy { chance: f64 },
    #[error(
        "{OVERLAP_MAX} votes of such workers are right of {best:.4} of the items: ask for less, or for better workers"
    )]
    OutOfReach { best: f64 },
}

/// The cheapest way that reaches an accuracy, and the cheapest that stops nowhere early.
///
/// # Errors
/// Numbers that can't be, or an accuracy that nothing reaches.
pub fn plan(wanted: &Wanted) -> Result<(Design, Design), PlanError> {
    let Wanted { classes, worker_accuracy, accuracy } = *wanted;
    if !(2..=crate::limits::CLASSES_MAX).contains(&classes) {
        return Err(PlanError::Classes);
    }
    let chance = 1.0 / classes as f64;
    let is_between = |value: f64| value > chance && value < 1.0;
    if !is_between(worker_accuracy) {
        return Err(PlanError::WorkerAccuracy { chance });
    }
    if !is_between(accuracy) {
        return Err(PlanError::Accuracy { chance });
    }
    let mut best = 0.0_f64;
    let mut fixed = None;
    for overlap in 1..=OVERLAP_MAX {
        let design = design(classes, worker_accuracy, overlap, None);
        best = best.max(design.accuracy);
        if design.accuracy >= accuracy {
            fixed = Some(design);
            break;
        }
    }
    let fixed = fixed.ok_or(PlanError::OutOfReach { best })?;
    let mut cheapest = fixed;
    for sure in STOPS.into_iter().filter(|sure| *sure > chance) {
        for overlap in 1..=OVERLAP_MAX {
            let found = design(classes, worker_accuracy, overlap, Some(sure));
            if found.accuracy >= accuracy && found.votes < cheapest.votes - 1e-12 {
                cheapest = found;
            }
        }
    }
    Ok((cheapest, fixed))
}

/// Votes for the true class, and for each other class that has any, in falling order.
type Counts = (usize, Vec<usize>);

/// What a way to label is worth.
pub fn design(classes: usize, worker_accuracy: f64, overlap: usize, sure: Option<f64>) -> Design {
    let mut design = Design { overlap, sure, votes: 0.0, accuracy: 0.0, sure_share: 0.0 };
    let mut walks: BTreeMap<Counts, f64> = BTreeMap::from([((0, Vec::new()), 1.0)]);
    let others = classes - 1;
    let each_wrong = (1.0 - worker_accuracy) / others as f64;
    for vote in 1..=overlap {
        let mut next: BTreeMap<Counts, f64> = BTreeMap::new();
        for ((right, wrong), chance) in walks {
            *next.entry((right + 1, wrong.clone())).or_default() += chance * worker_accuracy;
            // Classes of equal counts are alike; the walk goes on with one of them for all.
            for (at, count) in wrong.iter().enumerate() {
                if at > 0 && wrong[at - 1] == *count {
                    continue;
                }
                let alike = wrong.iter().filter(|other| *other == count).count();
                let mut more = wrong.clone();
                more[at] += 1;
                *next.entry((right, more)).or_default() += chance * each_wrong * alike as f64;
            }
            if wrong.len() < others {
                let fresh = (others - wrong.len()) as f64;
                let mut more = wrong;
                more.push(1);
                *next.entry((right, more)).or_default() += chance * each_wrong * fresh;
            }
        }
        walks = BTreeMap::new();
        for (counts, chance) in next {
            let (certainty, is_right) = end(classes, worker_accuracy, &counts);
            let is_sure = sure.is_some_and(|sure| certainty >= sure);
            if is_sure || vote == overlap {
                design.votes += chance * vote as f64;
                design.accuracy += chance * is_right;
                design.sure_share += if is_sure { chance } else { 0.0 };
            } else {
                walks.insert(counts, chance);
            }
        }
    }
    design
}

/// The likeliest class's posterior, and the chance that it is the true one: of several alike each is as likely.
fn end(classes: usize, worker_accuracy: f64, (right, wrong): &Counts) -> (f64, f64) {
    let counts = std::iter::once(*right).chain(wrong.iter().copied());
    let votes =
        counts.enumerate().flat_map(|(class, count)| (0..count).map(move |_| (class, worker_accuracy)));
    let certainty = rule::posterior(classes, votes).into_iter().fold(0.0, f64::max);
    let most = wrong.first().copied().unwrap_or(0).max(*right);
    let alike = wrong.iter().filter(|count| **count == most).count() + usize::from(*right == most);
    (certainty, if *right == most { 1.0 / alike as f64 } else { 0.0 })
}
