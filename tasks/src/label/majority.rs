//! Votes by number and by weight: majority vote, Wawa, zero-based skill, and weights from gold.

use ndarray::Array2;

use super::sum::Sum;
use super::votes::{Vote, Votes};

/// Above chance, so that the first vote counts.
const SKILL_ABOVE_CHANCE: f64 = 1e-5;
/// Steps after which the rate of zero-based skill halves.
const STEPS_TO_HALVE: usize = 20;

/// Why weights can't be had from gold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker} labelled no gold item, so that nothing says what its labels are worth")]
pub struct NoGold {
    pub worker: usize,
}

/// Posteriors with a weight of each worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// Items by classes.
    pub posterior: Array2<f64>,
    /// One for each worker; 0 for one without a label.
    pub skills: Vec<f64>,
}

/// Shares of the votes on each item: items by classes. An item without a vote is as likely any class.
pub fn majority(votes: &Votes) -> Array2<f64> {
    weighted(votes, &vec![1.0; votes.workers()])
}

/// The most likely class of each item; of equals the first.
pub fn most_likely(posterior: &Array2<f64>) -> Vec<usize> {
    let first_best = |row: ndarray::ArrayView1<'_, f64>| {
        let mut best = 0;
        for (class, share) in row.iter().enumerate() {
            if *share > row[best] {
                best = class;
            }
        }
        best
    };
    posterior.rows().into_iter().map(first_best).collect()
}

/// Workers weighted by their agreement with the majority (Wawa).
pub fn wawa(votes: &Votes) -> Weighted {
    let labels = most_likely(&majority(votes));
    let skills =
        agreement(votes, |item| Some(labels[item])).into_iter().map(Option::unwrap_or_default).collect();
    with_skills(votes, skills)
}

/// Workers weighted by their agreement with the vote that these weights give, step by step (zero-based skill).
pub fn zero_based_skill(votes: &Votes, steps: usize) -> Weighted {
    let mut skills = vec![1.0 / votes.classes() as f64 + SKILL_ABOVE_CHANCE; votes.workers()];
    let mut rate = 1.0;
    for step in 1..=steps {
        if step % STEPS_TO_HALVE == 0 {
            rate *= 0.5;
        }
        let labels = most_likely(&weighted(votes, &skills));
        for (skill, agrees) in skills.iter_mut().zip(agreement(votes, |item| Some(labels[item]))) {
            *skill += rate * (agrees.unwrap_or_default() - *skill);
        }
    }
    with_skills(votes, skills)
}

/// Workers weighted by their accuracy on gold: items whose class is known.
///
/// # Errors
/// A worker who labelled no gold item.
pub fn gold_majority(votes: &Votes, gold: &[Option<usize>]) -> Result<Weighted, NoGold> {
    let on_gold = agreement(votes, |item| gold.get(item).copied().flatten());
    let mut skills = vec![0.0; votes.workers()];
    for Vote { worker, .. } in votes.iter() {
        skills[worker] = on_gold[worker].ok_or(NoGold { worker })?;
    }
    Ok(with_skills(votes, skills))
}

/// The share of each worker's labels that are the class which is named of the item; `None` of one without such an item.
pub fn agreement(votes: &Votes, class: impl Fn(usize) -> Option<usize>) -> Vec<Option<f64>> {
    let mut counts = vec![(0_u32, 0_u32); votes.workers()];
    for vote in votes.iter() {
        let Some(named) = class(vote.item) else { continue };
        let (right, all) = &mut counts[vote.worker];
        *right += u32::from(named == vote.class);
        *all += 1;
    }
    let share = |(right, all)| (all > 0).then(|| f64::from(right) / f64::from(all));
    counts.into_iter().map(share).collect()
}

fn with_skills(votes: &Votes, skills: Vec<f64>) -> Weighted {
    Weighted { posterior: weighted(votes, &skills), skills }
}

/// Shares of the votes on each item by these weights of workers. An item without any is as likely any class.
fn weighted(votes: &Votes, weights: &[f64]) -> Array2<f64> {
    let mut sums = Array2::from_elem((votes.items(), votes.classes()), Sum::default());
    for Vote { item, worker, class } in votes.iter() {
        sums[(item, class)].add(weights[worker]);
    }
    let mut shares = sums.mapv(|sum| sum.total());
    for mut row in shares.rows_mut() {
        let mut all = Sum::default();
        row.iter().for_each(|share| all.add(*share));
        let all = all.total();
        let even = 1.0 / row.len() as f64;
        row.mapv_inplace(|share| if all > 0.0 { share / all } else { even });
    }
    shares
}
