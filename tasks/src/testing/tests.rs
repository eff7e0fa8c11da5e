use weighhouse_types::sealed::{self, Author, SealedRequest};
use weighhouse_types::{Beacon, Block, Digest, Hotkey, Netuid};

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
fn sealed_answers_are_measured_without_their_seals_and_asked_for_with_them() {
    let means = means("hidden");
    assert_eq!(means[0], ("honest".to_owned(), 1.0), "{means:?}");
    assert!(means[1..].iter().all(|(_, mean)| *mean < 0.5), "{means:?}");

    let task = harness("hidden").task;
    let challenge = task.challenge(&[1; 32]).expect("drawn");
    let id = challenge.digest().to_string();
    let question = task.unsealed().request(&challenge, id.clone());
    let commit = task.request(&challenge, id.clone());
    assert_eq!(
        (task.stages(), SealedRequest::of(&commit)),
        (2, Some(SealedRequest::Commit { question: question.clone(), on_chain: false }))
    );

    let author = |hotkey| {
        let (genesis, netuid, challenge) = (Digest::default(), Netuid(1), id.clone());
        Author { genesis, netuid, challenge, hotkey: Hotkey([hotkey; 32]), root: None }
    };
    let guess = answer(&question, &7_u32.to_le_bytes()).expect("an answer");
    let commitment = author(1).commitment(&[5; 32], &guess.outputs);
    let committed = question.answered(vec![sealed::output(sealed::COMMITMENT, commitment.as_bytes())]);
    let mut revealed = guess.clone();
    revealed.outputs.push(sealed::output(sealed::SALT, &[5; 32]));

    let asked = [(&challenge, std::slice::from_ref(&committed)), (&challenge, std::slice::from_ref(&guess))];
    let next = task.follow_up(&asked).expect("asked on");
    assert_eq!(
        SealedRequest::of(next[0].as_ref().expect("a request")),
        Some(SealedRequest::Reveal { id: String::new() })
    );
    assert!(next[1].is_err(), "a guess in place of a commitment");
    let read = |author: &Author, last: &InferAnswer| {
        task.read_stages(author, &challenge, std::slice::from_ref(&committed), last)
    };
    assert!(read(&author(1), &revealed).is_ok());
    // Somebody who took over another's commitment, and then its answer and salt.
    assert!(read(&author(2), &revealed).is_err());
    assert!(read(&author(1), &guess).is_err());
}

#[test]
fn a_truth_that_comes_later_is_measured_as_if_it_had_come() {
    assert_eq!(means("later"), [("honest".to_owned(), 1.0), ("wrong".to_owned(), -1.0)]);
}

#[test]
fn each_truth_has_chance_of_its_own_that_the_later_epoch_brings() {
    let task = harness("later").task;
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
