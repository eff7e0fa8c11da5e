mod checkpoints;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde::Deserialize;
use weighhouse_types::Digest;

use crate::{
    Frontier, ProofError, consistency_proof, inclusion_proof, leaf_hash, node_hash, root,
    root_from_inclusion, verify_consistency, verify_inclusion,
};

/// The vector folder's file, else the crate's own copy; `None` where neither has it.
fn vectors(name: &str) -> Option<serde_json::Value> {
    let given =
        std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| PathBuf::from(folder).join("tlog").join(name));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tlog").join(name);
    let path = given.into_iter().chain([own]).find(|path| path.exists())?;
    let text = std::fs::read_to_string(&path).expect("a readable vector file");
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|number| leaf_hash(&number.to_le_bytes())).collect()
}

#[derive(Deserialize)]
struct Proof {
    #[serde(alias = "index", alias = "size1")]
    part: usize,
    #[serde(alias = "size", alias = "size2")]
    whole: usize,
    proof: Vec<Digest>,
}

#[derive(Deserialize)]
struct SmallTree {
    leaves_hex: Vec<String>,
    leaf_hashes: Vec<Digest>,
    roots_by_size: Vec<Digest>,
    inclusion: Vec<Proof>,
    consistency: Vec<Proof>,
}

#[test]
fn the_known_eight_leaf_tree_has_its_roots_and_proofs() {
    let file = vectors("rfc6962_tree.json").expect("the crate's own copy");
    let tree: SmallTree = serde_json::from_value(file["rfc6962_8_leaf_tree"].clone()).expect("a tree");
    let hashes: Vec<Digest> = tree.leaves_hex.iter().map(|leaf| leaf_hash(&from_hex(leaf))).collect();
    assert_eq!(hashes, tree.leaf_hashes);

    let mut frontier = Frontier::new();
    for (size, expected) in tree.roots_by_size.iter().enumerate() {
        assert_eq!(root(&hashes[..size]), *expected, "size {size}");
        assert_eq!(frontier.root(), *expected, "frontier of {size}");
        hashes.get(size).into_iter().for_each(|leaf| frontier.append(*leaf));
    }
    assert!(!tree.inclusion.is_empty() && !tree.consistency.is_empty());
    for Proof { part: index, whole: size, proof } in &tree.inclusion {
        assert_eq!(inclusion_proof(&hashes[..*size], *index).as_ref(), Some(proof));
        let expected = &tree.roots_by_size[*size];
        assert_eq!(verify_inclusion(&hashes[*index], *index as u64, *size as u64, proof, expected), Ok(()));
    }
    for Proof { part: size1, whole: size2, proof } in &tree.consistency {
        assert_eq!(consistency_proof(&hashes[..*size2], *size1).as_ref(), Some(proof));
        let (older, newer) = (&tree.roots_by_size[*size1], &tree.roots_by_size[*size2]);
        assert_eq!(verify_consistency(*size1 as u64, *size2 as u64, older, newer, proof), Ok(()));
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).expect("a digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn the_known_tree_of_seventy_thousand_leaves_has_its_root() {
    let file = vectors("rfc6962_tree.json").expect("the crate's own copy");
    let known = &file["tlog_tiles_70000"];
    let size = known["size"].as_u64().expect("a size");
    let expected: Digest = known["root"].as_str().expect("a root").parse().expect("a digest");
    let hashes: Vec<Digest> =
        (0..size).map(|number| leaf_hash(format!("entry-{number}").as_bytes())).collect();
    assert_eq!(root(&hashes), expected);
    assert_eq!(hashes.into_iter().collect::<Frontier>().root(), expected);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForeignInclusion {
    file: String,
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForeignConsistency {
    file: String,
    size1: u64,
    size2: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

/// A leaf or node that isn't 32 bytes is refused here, before any proof is looked at.
fn foreign_digest(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok().map(Digest)
}

/// The authors compare given roots as opaque bytes, of any length: one that no tree can have is stood for by its
/// hash, which no tree of the cases has either.
fn foreign_root(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text).ok()?;
    Some(<[u8; 32]>::try_from(&bytes[..]).map_or_else(|_| Digest::of(&bytes), Digest))
}

fn foreign_proof(proof: Option<&Vec<String>>) -> Option<Vec<Digest>> {
    proof.into_iter().flatten().map(|node| foreign_digest(node)).collect()
}

fn accepts_inclusion(case: &ForeignInclusion) -> Option<()> {
    let leaf = foreign_digest(case.leaf_hash.as_deref()?)?;
    let expected = foreign_root(case.root.as_deref()?)?;
    let proof = foreign_proof(case.proof.as_ref())?;
    verify_inclusion(&leaf, case.leaf_idx, case.tree_size, &proof, &expected).ok()
}

fn accepts_consistency(case: &ForeignConsistency) -> Option<()> {
    let (root1, root2) = (foreign_root(&case.root1)?, foreign_root(&case.root2)?);
    let proof = foreign_proof(case.proof.as_ref())?;
    verify_consistency(case.size1, case.size2, &root1, &root2, &proof).ok()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped vector file must be seen")]
fn foreign_inclusion_proofs_are_judged_as_their_authors_say() {
    let Some(file) = vectors("merged_inclusion.json") else {
        eprintln!("SKIPPED: tlog/merged_inclusion.json is not in the folder that WEIGHHOUSE_VECTORS names");
        return;
    };
    let cases: Vec<ForeignInclusion> = serde_json::from_value(file["cases"].clone()).expect("cases");
    assert!(!cases.is_empty());
    for case in &cases {
        assert_eq!(accepts_inclusion(case).is_none(), case.want_err, "{}", case.file);
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped vector file must be seen")]
fn foreign_consistency_proofs_are_judged_as_their_authors_say() {
    let Some(file) = vectors("merged_consistency.json") else {
        eprintln!("SKIPPED: tlog/merged_consistency.json is not in the folder that WEIGHHOUSE_VECTORS names");
        return;
    };
    let cases: Vec<ForeignConsistency> = serde_json::from_value(file["cases"].clone()).expect("cases");
    assert!(!cases.is_empty());
    for case in &cases {
        assert_eq!(accepts_consistency(case).is_none(), case.want_err, "{}", case.file);
    }
}

#[test]
fn every_leaf_of_every_small_tree_is_included() {
    let all = leaves(70);
    for size in 1..=all.len() {
        let (tree, expected) = (&all[..size], root(&all[..size]));
        assert_eq!(inclusion_proof(tree, size), None);
        for index in 0..size {
            let path = inclusion_proof(tree, index).expect("a leaf of the tree");
            assert_eq!(verify_inclusion(&tree[index], index as u64, size as u64, &path, &expected), Ok(()));
        }
    }
}

#[test]
fn every_small_tree_is_consistent_with_each_of_its_prefixes() {
    let all = leaves(70);
    for size2 in 1..=all.len() {
        let (tree, root2) = (&all[..size2], root(&all[..size2]));
        assert_eq!(consistency_proof(tree, 0), None);
        assert_eq!(consistency_proof(tree, size2 + 1), None);
        for size1 in 1..=size2 {
            let proof = consistency_proof(tree, size1).expect("a prefix");
            let root1 = root(&all[..size1]);
            assert_eq!(verify_consistency(size1 as u64, size2 as u64, &root1, &root2, &proof), Ok(()));
        }
    }
}

#[test]
fn paths_of_a_wrong_length_are_refused() {
    let tree = leaves(7);
    let mut path = inclusion_proof(&tree, 6).expect("a leaf");
    assert_eq!(root_from_inclusion(&tree[6], 6, 7, &path), Ok(root(&tree)));
    let short = root_from_inclusion(&tree[6], 6, 7, &path[1..]);
    assert_eq!(short, Err(ProofError::Length { nodes: path.len() - 1 }));
    path.push(path[0]);
    assert_eq!(root_from_inclusion(&tree[6], 6, 7, &path), Err(ProofError::Length { nodes: path.len() }));
    assert_eq!(root_from_inclusion(&tree[6], 7, 7, &path), Err(ProofError::NoSuchLeaf { index: 7, size: 7 }));
    assert_eq!(root_from_inclusion(&tree[6], 0, 0, &[]), Err(ProofError::NoSuchLeaf { index: 0, size: 0 }));
}

#[test]
fn an_empty_older_tree_and_a_shrinking_one_prove_nothing() {
    let (none, some) = (root(&[]), root(&leaves(3)));
    assert_eq!(verify_consistency(0, 3, &none, &some, &[]), Err(ProofError::EmptyTree));
    assert_eq!(verify_consistency(0, 0, &none, &none, &[]), Err(ProofError::EmptyTree));
    assert_eq!(verify_consistency(3, 2, &some, &some, &[]), Err(ProofError::Sizes { size1: 3, size2: 2 }));
}

#[test]
fn an_inner_node_is_no_leaf() {
    let tree = leaves(2);
    let pair = [tree[0].0, tree[1].0].concat();
    assert_ne!(leaf_hash(&pair), node_hash(&tree[0], &tree[1]));
}

fn flip(digest: &mut Digest, bit: usize) {
    digest.0[bit / 8] ^= 1 << (bit % 8);
}

proptest! {
    #[test]
    fn any_flipped_bit_breaks_an_inclusion_proof(size in 1_u64..70, leaf in any::<u64>(), bit in any::<usize>()) {
        let (tree, index) = (leaves(size), leaf % size);
        let mut path = inclusion_proof(&tree, index as usize).expect("a leaf of the tree");
        let (mut leaf, mut expected) = (tree[index as usize], root(&tree));
        let bit = bit % ((path.len() + 2) * 256);
        let target = path.iter_mut().chain([&mut leaf, &mut expected]).nth(bit / 256).expect("a digest");
        flip(target, bit % 256);
        prop_assert!(verify_inclusion(&leaf, index, size, &path, &expected).is_err());
    }

    #[test]
    fn no_leaf_passes_for_another_place(size in 2_u64..70, leaf in any::<u64>(), other in any::<u64>()) {
        let (tree, index, other) = (leaves(size), leaf % size, other % size);
        prop_assume!(index != other);
        let path = inclusion_proof(&tree, index as usize).expect("a leaf of the tree");
        prop_assert!(verify_inclusion(&tree[index as usize], other, size, &path, &root(&tree)).is_err());
    }

    #[test]
    fn any_flipped_bit_breaks_a_consistency_proof(size2 in 2_u64..70, older in any::<u64>(), bit in any::<usize>()) {
        let (tree, size1) = (leaves(size2), 1 + older % size2);
        let mut proof = consistency_proof(&tree, size1 as usize).expect("a prefix");
        let (mut root1, mut root2) = (root(&tree[..size1 as usize]), root(&tree));
        let bit = bit % ((proof.len() + 2) * 256);
        let target = proof.iter_mut().chain([&mut root1, &mut root2]).nth(bit / 256).expect("a digest");
        flip(target, bit % 256);
        prop_assert!(verify_consistency(size1, size2, &root1, &root2, &proof).is_err());
    }

    #[test]
    fn the_frontier_agrees_with_the_whole_tree(size in 0_u64..300) {
        let tree = leaves(size);
        let frontier: Frontier = tree.iter().copied().collect();
        prop_assert_eq!(frontier.root(), root(&tree));
        prop_assert_eq!(frontier.size(), size);
    }

    #[test]
    fn foreign_numbers_and_paths_never_panic(
        numbers in any::<(u64, u64)>(),
        path in prop::collection::vec(any::<[u8; 32]>().prop_map(Digest), 0..70),
    ) {
        let (low, high) = numbers;
        let leaf = leaf_hash(b"");
        prop_assert!(verify_inclusion(&leaf, low, high, &path, &leaf).is_err() || high == 1);
        prop_assert!(verify_consistency(low, high, &leaf, &leaf, &path).is_err() || low == high);
    }
}
