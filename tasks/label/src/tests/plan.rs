use rand::{RngExt as _, SeedableRng as _};

use crate::plan::{PlanError, Wanted, design, plan};
use crate::rule;

/// Votes drawn one by one and judged by the rule itself.
fn drawn(classes: usize, accuracy: f64, overlap: usize, sure: Option<f64>, items: usize) -> (f64, f64) {
    let mut chance = rand_chacha::ChaCha8Rng::seed_from_u64(18);
    let (mut votes, mut right) = (0, 0.0);
    for _ in 0..items {
        let mut given = Vec::new();
        loop {
            let is_right = chance.random::<f64>() < accuracy;
            let class = if is_right { 0 } else { 1 + chance.random_range(0..classes - 1) };
            given.push((class, accuracy));
            let posterior = rule::posterior(classes, given.iter().copied());
            let most = posterior.iter().copied().fold(0.0, f64::max);
            if given.len() == overlap || sure.is_some_and(|sure| most >= sure) {
                let best = posterior.iter().filter(|value| **value >= most - 1e-12).count();
                right += if posterior[0] >= most - 1e-12 { 1.0 / best as f64 } else { 0.0 };
                break;
            }
        }
        votes += given.len();
    }
    (votes as f64 / items as f64, right / items as f64)
}

#[test]
fn what_is_foretold_is_what_drawn_votes_do() {
    for (classes, accuracy, overlap, sure) in
        [(2, 0.8, 5, Some(0.95)), (10, 0.8, 5, Some(0.95)), (4, 0.6, 9, Some(0.9)), (3, 0.7, 4, None)]
    {
        let exact = design(classes, accuracy, overlap, sure);
        let items = 40_000;
        let (votes, right) = drawn(classes, accuracy, overlap, sure, items);
        let error = 4.0 * (right * (1.0 - right) / items as f64).sqrt();
        assert!((exact.accuracy - right).abs() < error, "{exact:?}: {right}");
        assert!((exact.votes - votes).abs() < 0.05, "{exact:?}: {votes}");
    }
}

#[test]
fn three_votes_of_two_classes_are_the_binomial() {
    let found = design(2, 0.8, 3, None);
    assert!((found.accuracy - (0.512 + 3.0 * 0.64 * 0.2)).abs() < 1e-12, "{found:?}");
    assert!((found.votes - 3.0).abs() < 1e-12);
    // Two that agree are 16 to 1, and that is 0.941.
    let early = design(2, 0.8, 3, Some(0.94));
    assert!(
        (early.votes - (2.0 + 0.32)).abs() < 1e-12 && (early.accuracy - found.accuracy).abs() < 1e-12,
        "{early:?}"
    );
}

#[test]
fn stopping_early_reaches_the_same_for_less() {
    let (cheapest, fixed) =
        plan(&Wanted { classes: 10, worker_accuracy: 0.8, accuracy: 0.95 }).expect("a plan");
    assert!(cheapest.accuracy >= 0.95 && fixed.accuracy >= 0.95);
    assert!(cheapest.votes < fixed.votes - 0.5, "{cheapest:?} {fixed:?}");
    let wanted = Wanted { classes: 2, worker_accuracy: 0.55, accuracy: 0.99 };
    assert!(matches!(plan(&wanted), Err(PlanError::OutOfReach { .. })));
    let wanted = Wanted { classes: 2, worker_accuracy: 0.5, accuracy: 0.9 };
    assert_eq!(plan(&wanted), Err(PlanError::WorkerAccuracy { chance: 0.5 }));
}
