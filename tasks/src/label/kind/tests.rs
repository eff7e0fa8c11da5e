use weighhouse_types::{Mark, Outcome};

use super::*;
use crate::kind::harness::Harness;

const SCANS: &str = include_str!("../../../files/label.toml");
const TEXTS: &str = include_str!("../../../files/label-texts.toml");
const CROWD: [&str; 14] = [
    "honest", "honest", "honest", "honest", "honest", "honest", "honest", "honest", "hasty", "random",
    "constant", "clique", "clique", "clique",
];

/// Mean marks over some batches, by place in the crowd.
fn means(file: &str, batches: u8) -> Vec<f64> {
    let harness = Harness::of(file).expect("the built-in task");
    let mut sums = vec![0.0; CROWD.len()];
    for seed in 0..batches {
        for (sum, judgement) in sums.iter_mut().zip(harness.faced(seed, &CROWD)) {
            *sum += judgement.mark.to_f64();
        }
    }
    sums.into_iter().map(|sum| sum / f64::from(batches)).collect()
}

#[test]
fn those_who_look_earn_and_nobody_else_does() {
    for file in [SCANS, TEXTS] {
        let means = means(file, 4);
        let (honest, others) = means.split_at(8);
        assert!(honest.iter().all(|mean| *mean > 0.45), "{means:?}");
        assert!(others[0] < 0.5 * honest[0], "the hasty: {means:?}");
        assert!(others[1..].iter().all(|mean| mean.abs() < 0.05), "{means:?}");
    }
}

#[test]
fn every_item_goes_to_as_many_miners_as_the_file_says_and_nobody_sees_all() {
    let task = Harness::of(SCANS).expect("the built-in task").task;
    let challenge = task.challenge(&[7; 32]).expect("drawn");
    let miners: Vec<RegistrationId> = (0..10).map(who).collect();
    let requests = task.unsealed().assign(&challenge, &miners).expect("divided").expect("divided");
    let rows = |request: &InferRequest| request.inputs[0].shape()[0];
    assert_eq!(requests.iter().map(rows).sum::<u64>(), 400 * 5);
    assert!(requests.iter().all(|request| rows(request) == 200));
    assert!(requests[0].inputs[0].data() != requests[1].inputs[0].data());
}

fn who(at: u8) -> RegistrationId {
    let hotkey = weighhouse_types::Hotkey([at; 32]);
    RegistrationId { hotkey, registered_at: weighhouse_types::Block(1) }
}

#[test]
fn skipped_items_are_no_labels_and_classes_that_there_are_not_are_malformed() {
    let harness = Harness::of(TEXTS).expect("the built-in task");
    let labels = |label: i64, count: usize| vec![Tensor::integers(LABELS, &vec![label; count])];
    let outcome = |outputs: &[Tensor]| harness.judged(3, outputs).reasons[0].outcome();
    assert_eq!(outcome(&labels(4, 400)), Outcome::Malformed);
    assert_eq!(outcome(&labels(-3, 400)), Outcome::Malformed);
    assert_eq!(outcome(&labels(0, 399)), Outcome::Malformed);
    assert_eq!(outcome(&[]), Outcome::Malformed);
    for label in [SKIP, UNSURE] {
        let skipped = harness.judged(3, &labels(label, 400));
        assert_eq!((skipped.mark, skipped.reasons[0].outcome()), (Mark::ZERO, Outcome::Wrong));
        assert!(skipped.reasons[0].to_string().contains("labelled 0 of 400"), "{:?}", skipped.reasons);
    }
    assert_eq!(likeliest(&[0.1; 10]), None);
}

#[test]
fn terms_that_judge_nobody_are_refused() {
    let refused = |from: &str, to: &str| match Harness::of(&TEXTS.replace(from, to)) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{to} is taken"),
    };
    assert!(refused("overlap = 5", "overlap = 1").contains("label.overlap"));
    assert!(refused("gold = 0.15", "gold = 0.001").contains("label.gold"));
    assert!(refused("gold = 0.15", "gold = 0.95").contains("label.gold"));
    assert!(refused("\"shared\"", "\"private\"").contains("scope"));
    assert!(refused("\"texts\"", "\"sounds\"").contains("scans"));
    assert!(Harness::of(&TEXTS.replace("# commit_blocks", "commit_blocks")).is_ok());
}
