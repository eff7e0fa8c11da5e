use serde::Deserialize;

use super::{leaves, vectors};
use crate::{
    Checkpoint, Frontier, GrownTree, KeyKind, NoFork, NoteError, NoteSignature, SignedNote, SigningKey,
    VerifierKey, consistency_proof, inclusion_proof, root, verify_fork,
};

#[derive(Deserialize)]
struct Vectors {
    c2sp_example: Example,
    vkeys: Keys,
    checkpoint_body: String,
    checkpoint_note: String,
    negative: Vec<Negative>,
    split_view: SplitView,
}

#[derive(Deserialize)]
struct Example {
    vkey: String,
    note: String,
}

#[derive(Deserialize)]
struct Keys {
    log: String,
    w1: String,
    w2: String,
}

#[derive(Deserialize)]
struct Negative {
    name: String,
    note: String,
}

#[derive(Deserialize)]
struct SplitView {
    #[serde(rename = "checkpoint_A_root")]
    a: weighhouse_types::Digest,
    #[serde(rename = "checkpoint_B_root")]
    b: weighhouse_types::Digest,
    same_size: u64,
}

fn golden() -> Vectors {
    serde_json::from_value(vectors("checkpoints.json").expect("the crate's own copy")).expect("vectors")
}

fn key(text: &str) -> VerifierKey {
    VerifierKey::parse(text).expect("a verifier key")
}

fn checked(note: &str, log: &VerifierKey) -> Result<Checkpoint, NoteError> {
    let note = SignedNote::parse(note)?;
    log.verify(&note)?;
    Checkpoint::of(&note)
}

#[test]
fn the_specification_s_own_note_verifies() {
    let Example { vkey, note } = golden().c2sp_example;
    let parsed = SignedNote::parse(&note).expect("a note");
    key(&vkey).verify(&parsed).expect("its signature");
    assert_eq!(parsed.to_string(), note);
    assert_eq!(key(&vkey).to_string(), vkey);
}

#[test]
fn a_checkpoint_verifies_by_its_log_and_its_witnesses_alone() {
    let golden = golden();
    let log = key(&golden.vkeys.log);
    let note = SignedNote::parse(&golden.checkpoint_note).expect("a note");
    let checkpoint = checked(&golden.checkpoint_note, &log).expect("a checkpoint");
    assert_eq!(
        (note.text(), checkpoint.to_string()),
        (&golden.checkpoint_body[..], golden.checkpoint_body.clone())
    );
    assert_eq!((checkpoint.size, checkpoint.origin.as_str()), (8, log.name()));
    for witness in [&golden.vkeys.w1, &golden.vkeys.w2] {
        let time = key(witness).verify(&note).expect("cosigned");
        assert!((1_763_000_000..1_764_999_999).contains(&time), "{time}");
    }
    for Negative { name, note } in &golden.negative {
        assert!(checked(note, &log).is_err(), "{name}");
    }
}

#[test]
fn what_no_signer_writes_is_no_note() {
    let note = golden().checkpoint_note;
    let broken = [
        String::new(),
        "\n\n".to_owned(),
        note.trim_end().to_owned(),
        note.replace("\n\n", "\n"),
        note.replace('8', "\u{7}"),
        note.replace("\u{2014} ", "- "),
        format!("{note}\u{2014} a+b AAAAAAA=\n"),
        format!("{note}\u{2014} short AAAA\n"),
        format!("{note}{}", "x".repeat(crate::NOTE_BYTES_MAX)),
        format!("{note}{}", "\u{2014} a AAAAAAA=\n".repeat(crate::NOTE_SIGNATURES_MAX)),
    ];
    for note in broken {
        assert!(SignedNote::parse(&note).is_err(), "{:?}", note.chars().take(200).collect::<String>());
    }
    for text in
        ["", "a", "a+b", "a+00000000+AA==", "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"]
    {
        assert_eq!(VerifierKey::parse(text), Err(NoteError::VerifierKey), "{text}");
    }
    assert_eq!(NoteSignature::parse("\u{2014} a "), None);
}

fn log() -> SigningKey {
    SigningKey::from_seed("weighhouse/test", KeyKind::Log, &[1; 32]).expect("a key")
}

/// A checkpoint of the tree over so many leaves, of which the one at `changed` is another.
fn signed(size: u64, changed: Option<usize>) -> SignedNote {
    let mut leaves = leaves(size);
    if let Some(at) = changed {
        leaves[at] = crate::leaf_hash(b"another");
    }
    let log = log();
    let origin = log.verifier().name().to_owned();
    let mut note = Checkpoint { origin, size, root: root(&leaves) }.unsigned();
    note.add(log.sign(&note, 0));
    note
}

#[test]
fn what_is_signed_here_verifies_and_nothing_changed_does() {
    let witness = SigningKey::from_seed("weighhouse/witness", KeyKind::Witness, &[2; 32]).expect("a key");
    let mut note = signed(5, None);
    note.add(witness.sign(&note, 77));
    let note = SignedNote::parse(&note.to_string()).expect("its own note");
    assert_eq!(log().verifier().verify(&note), Ok(0));
    assert_eq!(witness.verifier().verify(&note), Ok(77));
    let other = SigningKey::from_seed("weighhouse/witness", KeyKind::Witness, &[3; 32]).expect("a key");
    assert!(matches!(other.verifier().verify(&note), Err(NoteError::Unsigned { .. })));
    let changed = SignedNote::parse(&note.to_string().replace("\n5\n", "\n6\n")).expect("a note");
    for key in [log().verifier(), witness.verifier()] {
        assert!(matches!(key.verify(&changed), Err(NoteError::WrongSignature { .. })));
    }
    // The time is signed too.
    let line = note.signatures()[1].clone();
    let mut later = line.clone();
    later.bytes[7] += 1;
    let later = SignedNote::parse(&note.to_string().replace(&line.to_string(), &later.to_string()));
    assert!(witness.verifier().verify(&later.expect("a note")).is_err());
}

#[test]
fn two_roots_of_one_size_prove_a_fork() {
    let SplitView { a, b, same_size } = golden().split_view;
    assert_ne!(a, b);
    let log = log();
    let of = |root| {
        let origin = log.verifier().name().to_owned();
        let mut note = Checkpoint { origin, size: same_size, root }.unsigned();
        note.add(log.sign(&note, 0));
        note
    };
    let nothing = (&weighhouse_types::Digest::default(), &[][..]);
    assert_eq!(verify_fork(log.verifier(), &of(a), &of(b), nothing), Ok(()));
    assert_eq!(verify_fork(log.verifier(), &of(a), &of(a), nothing), Err(NoFork::Same));
    let stranger = SigningKey::from_seed("weighhouse/test", KeyKind::Log, &[9; 32]).expect("a key");
    assert!(matches!(verify_fork(stranger.verifier(), &of(a), &of(b), nothing), Err(NoFork::Note(_))));
}

#[test]
fn a_larger_checkpoint_proves_a_fork_by_the_root_that_it_had() {
    for (size1, size2) in [(4, 8), (5, 13), (1, 2), (7, 9)] {
        let (honest, forked) = (signed(size1, None), signed(size2, Some(0)));
        let mut leaves = leaves(size2);
        leaves[0] = crate::leaf_hash(b"another");
        let size1 = usize::try_from(size1).expect("small");
        let proof = consistency_proof(&leaves, size1).expect("a proof");
        let other = root(&leaves[..size1]);
        assert_eq!(verify_fork(log().verifier(), &honest, &forked, (&other, &proof)), Ok(()));
        // A log that only grew proves nothing, and neither does a made-up proof.
        let grown = signed(size2, None);
        let sound = consistency_proof(&super::leaves(size2), size1).expect("a proof");
        let same = root(&super::leaves(size2)[..size1]);
        assert_eq!(
            verify_fork(log().verifier(), &honest, &grown, (&same, &sound)),
            Err(NoFork::Same),
            "{size1} of {size2}"
        );
        assert!(verify_fork(log().verifier(), &honest, &grown, (&other, &sound)).is_err());
    }
}

#[test]
fn all_paths_at_once_are_those_of_each_leaf() {
    for size in [0, 1, 2, 3, 7, 8, 33] {
        let all = leaves(size);
        let each: Vec<_> = (0..all.len()).filter_map(|at| inclusion_proof(&all, at)).collect();
        assert_eq!(crate::inclusion_proofs(&all), each, "{size}");
    }
}

#[test]
fn a_tree_that_is_known_from_a_frontier_on_proves_the_same_as_a_whole_one() {
    let all = leaves(40);
    for before in 0..=40_usize {
        let frontier: Frontier = all[..before].iter().copied().collect();
        let again = Frontier::from_parts(frontier.size(), frontier.subtrees().to_vec()).expect("its parts");
        assert_eq!(again, frontier);
        let tree = GrownTree::new(again, all[before..].to_vec());
        for size in before..=40 {
            let (narrow, wide) = (size as u64, &all[..size]);
            assert_eq!(tree.root_at(narrow), Some(root(wide)), "{before} then {size}");
            for older in before.max(1)..=size {
                let proof = tree.consistency_proof(older as u64, narrow);
                assert_eq!(proof, consistency_proof(wide, older), "{before}: {older} of {size}");
            }
            for index in before..size {
                assert_eq!(tree.inclusion_proof(index as u64, narrow), inclusion_proof(wide, index));
            }
        }
        assert_eq!(tree.consistency_proof(41, 41), None);
        assert_eq!((tree.root_at(41), tree.inclusion_proof(40, 41)), (None, None));
    }
    let frontier: Frontier = all[..5].iter().copied().collect();
    let tree = GrownTree::new(frontier, all[5..].to_vec());
    assert_eq!(
        (tree.root_at(4), tree.consistency_proof(4, 9), tree.inclusion_proof(4, 9)),
        (None, None, None)
    );
    assert_eq!(Frontier::from_parts(5, vec![all[0]]), None);
}
