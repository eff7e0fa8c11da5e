use weighhouse_types::Mark;

use super::*;
use crate::kind::harness::Harness;

const FILE: &str = include_str!("../../../files/forecast.toml");
const CROWD: [&str; 13] = [
    "honest", "honest", "honest", "honest", "honest", "honest", "noise", "copy", "copy", "copy", "twin",
    "mirror", "overfit",
];

#[test]
fn who_sees_something_of_their_own_earns_and_copies_and_noise_do_not() {
    let harness = Harness::of(FILE).expect("the built-in task");
    let mut means = vec![0.0; CROWD.len()];
    let rounds = 12;
    for seed in 0..rounds {
        for (mean, judgement) in means.iter_mut().zip(harness.faced(seed, &CROWD)) {
            *mean += judgement.mark.to_f64() / f64::from(rounds);
        }
    }
    let honest = means[..6].iter().sum::<f64>() / 6.0;
    assert!(honest > 0.45 && means[..6].iter().all(|mean| *mean > 0.25), "{means:?}");
    assert!([6, 10, 11].iter().all(|at| means[*at] < 0.25 * honest), "{means:?}");
    assert!(means[10] + means[11] < 0.01 && means[12] < 0.6 * honest, "{means:?}");
}

#[test]
fn copies_are_one_group_and_models_of_their_own_are_none() {
    let harness = Harness::of(FILE).expect("the built-in task");
    let groups = |names: &[&str]| {
        let found = (0..10).map(|seed| harness.grouped(seed, names)).filter(|groups| !groups.is_empty());
        found.collect::<Vec<_>>()
    };
    let found = groups(&["honest", "copy", "copy", "copy", "noise"]);
    let exact = found.iter().filter(|groups| **groups == [vec![1, 2, 3]]).count();
    assert!(exact >= 8 && found.iter().all(|groups| groups[0].ends_with(&[1, 2, 3])), "{found:?}");
    assert!(groups(&["honest"; 6]).len() <= 2);
}

#[test]
fn a_constant_and_another_number_of_predictions_are_refused() {
    let harness = Harness::of(FILE).expect("the built-in task");
    let marks = |values: Vec<f32>| harness.judged(3, &[Tensor::numbers(PREDICTIONS, &values)]).mark;
    assert_eq!(marks(vec![0.5; 512]), Mark::ZERO);
    assert_eq!(marks((0..511).map(|at| at as f32).collect()), Mark::ZERO);
    assert_eq!(marks(vec![f32::NAN; 512]), Mark::ZERO);
    assert_eq!(harness.judged(3, &[]).mark, Mark::ZERO);
}

#[test]
fn the_target_comes_with_the_later_seed_and_not_with_the_question() {
    let task = Harness::of(FILE).expect("the built-in task").task;
    let challenge = task.challenge(&[7; 32]).expect("drawn");
    let era = challenge.question::<Era>().expect("an era");
    let kind: &Tournament = task.kind().expect("the kind");
    let came = |seed: u8| {
        let mut truths = kind.resolve(&[(era, [seed; 32])], 1).expect("resolved");
        truths.pop().flatten().expect("a truth").word.0
    };
    assert_eq!(came(1), came(1));
    assert_ne!(came(1), came(2));
    let classes: std::collections::BTreeSet<u64> = came(1).iter().map(|value| value.to_bits()).collect();
    assert_eq!(classes.len(), 5);
}

#[test]
fn terms_that_rank_nothing_are_refused() {
    let refused = |from: &str, to: &str| match Harness::of(&FILE.replace(from, to)) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{to} is taken"),
    };
    assert!(refused("items = 512", "items = 19").contains("items"));
    assert!(refused("training = 512", "training = 0").contains("forecast.training"));
    assert!(refused("noise = 2.0", "noise = -1.0").contains("forecast.noise"));
}
