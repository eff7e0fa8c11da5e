use weighhouse_seams::DirStorage;
use weighhouse_types::sealed::SealError;
use weighhouse_types::{InferRequest, Netuid, Tensor};

use super::*;

const CALLER: Hotkey = Hotkey([3; 32]);
const ID: &str = "c0ffee";

fn author() -> Author {
    let (genesis, challenge) = (Digest::of(b"genesis"), ID.to_owned());
    Author { genesis, netuid: Netuid(1), challenge, hotkey: Hotkey([9; 32]) }
}

fn answers(dir: &std::path::Path) -> Arc<SealedAnswers> {
    let storage = Arc::new(DirStorage::open(dir).expect("a folder"));
    let Author { genesis, netuid, hotkey, .. } = author();
    SealedAnswers::open(hotkey, (genesis, netuid), storage, Entropy::seeded([5; 32])).expect("opened")
}

fn answer(label: i64) -> InferAnswer {
    InferRequest::asking(Vec::new(), &[]).answered(vec![Tensor::integers("label", &[label])])
}

#[test]
fn what_was_committed_to_is_revealed_after_a_restart_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = answers(dir.path());
    assert_eq!(first.committed(&CALLER, ID).expect("read"), None);
    let committed = first.commit(&CALLER, ID, answer(4)).expect("kept");
    assert_eq!(first.committed(&CALLER, ID).expect("read"), Some(committed.clone()));
    drop(first);

    let again = answers(dir.path());
    let revealed = again.reveal(&CALLER, ID).expect("kept");
    assert_eq!(author().open(&committed, &revealed), Ok(answer(4)));
    let elsewhere = Author { netuid: Netuid(2), ..author() };
    assert_eq!(elsewhere.open(&committed, &revealed), Err(SealError::Other));
}

#[test]
fn nothing_is_revealed_to_somebody_else_or_under_another_id() {
    let dir = tempfile::tempdir().expect("a folder");
    let answers = answers(dir.path());
    answers.commit(&CALLER, ID, answer(4)).expect("kept");
    assert!(matches!(answers.reveal(&Hotkey([4; 32]), ID), Err(SealingError::NotKept)));
    assert!(matches!(answers.reveal(&CALLER, "decade"), Err(SealingError::NotKept)));
}

#[test]
fn a_validator_pushes_out_its_own_oldest_answers_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let other = Hotkey([4; 32]);
    answers(dir.path()).commit(&other, ID, answer(1)).expect("kept");
    let answers = answers(dir.path());
    for number in 0..=KEPT_MAX {
        answers.commit(&CALLER, &format!("id {number}"), answer(0)).expect("kept");
    }
    assert!(matches!(answers.reveal(&CALLER, "id 0"), Err(SealingError::NotKept)));
    assert!(answers.reveal(&CALLER, "id 1").is_ok() && answers.reveal(&other, ID).is_ok());
}

#[test]
fn a_damaged_file_is_told_and_costs_this_answer_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let answers = answers(dir.path());
    answers.commit(&CALLER, ID, answer(4)).expect("kept");
    answers.storage.write_atomic(&file_name(&CALLER, ID), b"torn").expect("written");
    assert!(matches!(answers.reveal(&CALLER, ID), Err(SealingError::Damaged(_))));
    answers.commit(&CALLER, "another", answer(1)).expect("kept");
    assert!(answers.reveal(&CALLER, "another").is_ok());
}
