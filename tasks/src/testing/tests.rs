use weighhouse_types::{Beacon, Block, Digest};

use super::*;
use crate::Task;
use crate::kind::harness::Harness;

fn harness(kind: &str) -> Harness {
    Harness::with(Task::load(task_file(kind).as_bytes(), &TestKinds).expect("a task"))
}

fn means(kind: &str) -> Vec<(String, f64)> {
    let profile = harness(kind).measured(20);
    profile.personas.into_iter().map(|persona| (persona.name, persona.mean)).collect()
}

#[test]
fn answers_of_several_stages_are_measured_together_in_honest_company() {
    let means = means("sealed");
    assert_eq!(means[0], ("honest".to_owned(), 1.0), "{means:?}");
    assert!(means[1..].iter().all(|(_, mean)| *mean == 0.0), "{means:?}");
    let verdicts = harness("sealed").faced(3, &["honest", "far", "honest", "open"]);
    let marks: Vec<_> = verdicts.iter().map(|verdict| verdict.mark.to_f64()).collect();
    assert_eq!(marks, [0.5, 0.0, 0.5, 0.0], "the mean of those that were read is 20 above the number");
}

#[test]
fn a_truth_that_comes_later_is_measured_as_if_it_had_come() {
    assert_eq!(means("forecast"), [("honest".to_owned(), 1.0), ("wrong".to_owned(), -1.0)]);
}

#[test]
fn each_truth_has_chance_of_its_own_that_the_later_epoch_brings() {
    let task = harness("forecast").task;
    let challenges = task.challenges(&[[1; 32], [2; 32]]).expect("drawn");
    let asked: Vec<_> = challenges.iter().collect();
    let told = |beacon: u8| {
        let beacon = Beacon { block: Block(7), value: Digest([beacon; 32]) };
        let truths = task.resolve(&asked, 2, &beacon).expect("told").into_iter();
        truths.map(|truth| truth.expect("known").word.to_bytes()).collect::<Vec<_>>()
    };
    assert_eq!(told(1), told(1));
    assert!(told(1)[0] != told(1)[1] && told(1)[0] != told(2)[0]);
}
