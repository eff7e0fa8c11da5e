use weighhouse_merkle::commitments::stood;
use weighhouse_seams::DirStorage;
use weighhouse_types::sealed::{ChainRoot, SealError};
use weighhouse_types::{Block, InferRequest, Netuid, Tensor};

use super::*;

const CALLER: Hotkey = Hotkey([3; 32]);
const ID: &str = "c0ffee";

fn author() -> Author {
    let (genesis, challenge) = (Digest::of(b"genesis"), ID.to_owned());
    Author { genesis, netuid: Netuid(1), challenge, hotkey: Hotkey([9; 32]), root: None }
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
    assert_eq!(first.committed(&CALLER, (ID, false)).expect("read"), None);
    let committed = first.commit(&CALLER, (ID, false), answer(4)).expect("kept");
    assert_eq!(first.committed(&CALLER, (ID, false)).expect("read"), Some(committed.clone()));
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
    answers.commit(&CALLER, (ID, false), answer(4)).expect("kept");
    assert!(matches!(answers.reveal(&Hotkey([4; 32]), ID), Err(SealingError::NotKept)));
    assert!(matches!(answers.reveal(&CALLER, "decade"), Err(SealingError::NotKept)));
}

#[test]
fn a_validator_pushes_out_its_own_oldest_answers_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let other = Hotkey([4; 32]);
    answers(dir.path()).commit(&other, (ID, false), answer(1)).expect("kept");
    let answers = answers(dir.path());
    for number in 0..=KEPT_MAX {
        answers.commit(&CALLER, (&format!("id {number}"), false), answer(0)).expect("kept");
    }
    assert!(matches!(answers.reveal(&CALLER, "id 0"), Err(SealingError::NotKept)));
    assert!(answers.reveal(&CALLER, "id 1").is_ok() && answers.reveal(&other, ID).is_ok());
}

#[test]
fn a_damaged_file_is_told_and_costs_this_answer_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let answers = answers(dir.path());
    answers.commit(&CALLER, (ID, false), answer(4)).expect("kept");
    answers.storage.write_atomic(&file_name(&CALLER, ID), b"torn").expect("written");
    assert!(matches!(answers.reveal(&CALLER, ID), Err(SealingError::Damaged(_))));
    answers.commit(&CALLER, ("another", false), answer(1)).expect("kept");
    assert!(answers.reveal(&CALLER, "another").is_ok());
}

#[test]
fn a_commitment_for_the_chain_is_revealed_with_its_place_under_the_published_roots() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = answers(dir.path());
    first.commit(&CALLER, ("plain", false), answer(1)).expect("kept");
    assert_eq!(first.roots().next().expect("written"), None, "nothing is due on the chain");
    let committed = first.commit(&CALLER, (ID, true), answer(4)).expect("kept");
    let other = first.commit(&Hotkey([4; 32]), ("other", true), answer(5)).expect("kept");
    let root = first.roots().next().expect("written");
    assert_eq!(first.roots().next().expect("written"), root, "nothing new");
    drop(first);

    let again = answers(dir.path());
    let later = again.commit(&CALLER, ("later", true), answer(6)).expect("kept");
    let later_root = again.roots().next().expect("written");
    assert_ne!(later_root, root);
    let stands = |id: &str, caller: &Hotkey, committed: &InferAnswer, root| {
        let revealed = again.reveal(caller, id).expect("kept");
        let proof = revealed.outputs.iter().find(|output| output.name() == PROOF).expect("a place");
        let places = Vec::decode_all(&mut proof.data()).expect("places");
        let chain = ChainRoot { by: Block(7), root };
        stood(&places, &sealed::commitment(committed).expect("32 bytes"), &chain)
    };
    assert!(stands(ID, &CALLER, &committed, root) && stands(ID, &CALLER, &committed, later_root));
    assert!(stands("other", &Hotkey([4; 32]), &other, root));
    assert!(stands("later", &CALLER, &later, later_root) && !stands("later", &CALLER, &later, root));
    // All have been revealed: nothing is due.
    assert_eq!(again.roots().next().expect("written"), None);
}
