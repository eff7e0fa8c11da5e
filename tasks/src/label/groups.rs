//! Workers who are wrong together: copies of one model, and those who agree on what to say.
//!
//! Independent workers give the same wrong class now and then. How often is expected follows from each one's own errors; pairs that do it far
//! oftener are one source under several names.

use ndarray::{Array2, Array3};

use super::bounds::chance_of;
use super::majority::most_likely;
use super::votes::Votes;

/// The chance that any honest pair of a crowd is found by accident.
const FALSE_ALARM: f64 = 1e-3;
/// Where the posterior is less sure, it may be those who agree that are right.
const SURE: f64 = 0.99;
/// A pair that was wrong together less often isn't looked at.
const TOGETHER_MIN: u32 = 3;

/// Groups of two and more, ascending, by what the posterior says is wrong.
pub fn wrong_together(votes: &Votes, posterior: &Array2<f64>) -> Vec<Vec<usize>> {
    let labels = most_likely(posterior);
    let errors = error_rates(votes, &labels);
    let mut given: Vec<Vec<(usize, usize)>> = vec![Vec::new(); votes.items()];
    votes.iter().for_each(|vote| given[vote.item].push((vote.worker, vote.class)));
    let workers = votes.workers();
    let mut seen = Array2::<u32>::zeros((workers, workers));
    let mut expected = Array2::<f64>::zeros((workers, workers));
    for (item, given) in given.iter().enumerate() {
        let truth = labels[item];
        if posterior[(item, truth)] < SURE {
            continue;
        }
        for (at, (one, class)) in given.iter().enumerate() {
            for (other, same) in &given[at + 1..] {
                let pair = (*one.min(other), *one.max(other));
                seen[pair] += u32::from(class == same && *class != truth);
                for wrong in (0..votes.classes()).filter(|wrong| *wrong != truth) {
                    expected[pair] += errors[(*one, wrong, truth)] * errors[(*other, wrong, truth)];
                }
            }
        }
    }
    let pairs = (workers * workers.saturating_sub(1) / 2).max(1) as f64;
    let mut group: Vec<usize> = (0..workers).collect();
    for ((one, other), seen) in seen.indexed_iter() {
        if *seen >= TOGETHER_MIN && chance_of(*seen, expected[(one, other)]) < FALSE_ALARM / pairs {
            let (from, to) = (group[one].max(group[other]), group[one].min(group[other]));
            group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
        }
    }
    let members = |first: usize| -> Vec<usize> { (0..workers).filter(|at| group[*at] == first).collect() };
    (0..workers).map(members).filter(|members| members.len() > 1).collect()
}

/// Worker, class, truth: how often a worker gives each class. One label more of each class than there was, so that nobody is
/// expected never to be wrong.
fn error_rates(votes: &Votes, labels: &[usize]) -> Array3<f64> {
    let classes = votes.classes();
    let mut rates = Array3::from_elem((votes.workers(), classes, classes), 1.0 / classes as f64);
    votes.iter().for_each(|vote| rates[(vote.worker, vote.class, labels[vote.item])] += 1.0);
    for worker in 0..votes.workers() {
        for truth in 0..classes {
            let all = (0..classes).fold(0.0, |sum, class| sum + rates[(worker, class, truth)]);
            (0..classes).for_each(|class| rates[(worker, class, truth)] /= all);
        }
    }
    rates
}

/// The labels with one vote of each group on an item: its first member's.
pub fn once_each(votes: &Votes, groups: &[Vec<usize>]) -> Votes {
    let mut first: Vec<usize> = (0..votes.workers()).collect();
    for group in groups {
        group.iter().for_each(|member| first[*member] = group[0]);
    }
    let mut heard = Array2::from_elem((votes.items(), votes.workers()), false);
    let mut order: Vec<_> = votes.iter().map(|vote| (vote.worker, vote.item)).collect();
    order.sort_unstable();
    let mut kept = Array2::from_elem((votes.items(), votes.workers()), false);
    for (worker, item) in order {
        kept[(item, worker)] = !std::mem::replace(&mut heard[(item, first[worker])], true);
    }
    votes.only(|vote| kept[(vote.item, vote.worker)])
}
