use parity_scale_codec::Encode as _;
use weighhouse_merkle::commitments::{self, Place};
use weighhouse_types::sealed::{self, Author, ChainRoot, SealedRequest};
use weighhouse_types::{Beacon, Block, Digest, Failure, Hotkey, Mark, Netuid};

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

    // Who never committed has taken nothing back.
    let mark = |task: &Task, stage| task.unanswered(stage, Failure::Unreachable).mark;
    assert_eq!((mark(&task, 0), mark(&task, 1)), (Mark::ZERO, Mark::MIN));
    assert_eq!(mark(&harness("sealed").task, 1), Mark::ZERO);
}

#[test]
fn an_answer_has_to_be_under_the_root_that_the_chain_had_in_time() {
    let file = format!("{}commit_blocks = 3\n", task_file("hidden"));
    let task = Task::load(file.as_bytes(), &TestKinds).expect("a task");
    let challenge = task.challenge(&[1; 32]).expect("drawn");
    let id = challenge.digest().to_string();
    let author = |root| Author {
        genesis: Digest::default(),
        netuid: Netuid(1),
        challenge: id.clone(),
        hotkey: Hotkey([1; 32]),
        root,
    };
    let question = task.unsealed().request(&challenge, id.clone());
    assert_eq!(
        SealedRequest::of(&task.request(&challenge, id.clone())),
        Some(SealedRequest::Commit { question: question.clone(), on_chain: true })
    );
    let guess = answer(&question, &7_u32.to_le_bytes()).expect("an answer");
    let commitment = author(None).commitment(&[5; 32], &guess.outputs);
    let committed = [question.answered(vec![sealed::output(sealed::COMMITMENT, commitment.as_bytes())])];
    let under = [Digest::of(b"another"), commitment];
    let revealed = |places: &[Place]| {
        let bytes = places.encode();
        let proof = Tensor::new(sealed::PROOF.to_owned(), Datatype::Uint8, vec![bytes.len() as u64], bytes);
        let mut revealed = guess.clone();
        revealed.outputs.extend([sealed::output(sealed::SALT, &[5; 32]), proof.expect("bytes")]);
        revealed
    };
    let read = |root, places: &[Place]| {
        task.read_stages(&author(root), &challenge, &committed, &revealed(places)).err()
    };
    let why = |root, places: &[Place]| read(root, places).expect("refused").reasons[0].to_string();
    let place = commitments::place(&under, &commitment).expect("among them");
    let chain = |root| Some(ChainRoot { by: Block(9), root });
    let root = Some(commitments::root_of(&under));
    assert_eq!(read(chain(root), std::slice::from_ref(&place)), None);
    assert!(why(chain(root), &[]).contains("not under the root that it had on the chain by block 9"));
    assert!(why(chain(Some(commitment)), std::slice::from_ref(&place)).contains("not under the root"));
    assert!(why(chain(None), std::slice::from_ref(&place)).contains("no root of commitments"));
    assert!(read(None, &[place]).is_some(), "what the chain had has to be on record");
    let unsealed = format!("{}commit_blocks = 3\n", task_file("sealed"));
    let refused = Task::load(unsealed.as_bytes(), &TestKinds).expect_err("refused");
    assert!(refused.to_string().contains("commit_blocks"), "{refused}");
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
