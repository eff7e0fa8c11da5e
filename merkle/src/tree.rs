//! Trees whose leaf hashes are all at hand: roots and proofs by the recursive definitions (RFC 9162, section 2.1).

use sha2::{Digest as _, Sha256};
use weighhouse_types::Digest;

// Different prefixes, so that nobody can pass an inner node off as a leaf.
const LEAF_PREFIX: [u8; 1] = [0];
const NODE_PREFIX: [u8; 1] = [1];

/// The hash of a leaf: SHA-256 of 0x00 and the entry (RFC 9162, section 2.1.1).
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update(LEAF_PREFIX).chain_update(entry).finalize().into())
}

/// The hash of an inner node: SHA-256 of 0x01 and both children (RFC 9162, section 2.1.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let hash =
        Sha256::new().chain_update(NODE_PREFIX).chain_update(left.as_bytes()).chain_update(right.as_bytes());
    Digest(hash.finalize().into())
}

/// The root over leaf hashes in order; the empty tree's is the SHA-256 of nothing.
pub fn root(leaf_hashes: &[Digest]) -> Digest {
    match leaf_hashes {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = split(leaf_hashes);
            node_hash(&root(left), &root(right))
        }
    }
}

/// The audit path of leaf `index` (from 0), from the leaf up (RFC 9162, section 2.1.3.1); `None` where there is no
/// such leaf.
pub fn inclusion_proof(leaf_hashes: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaf_hashes.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut subtree, mut index) = (leaf_hashes, index);
    while subtree.len() > 1 {
        let (left, right) = split(subtree);
        if index < left.len() {
            path.push(root(right));
            subtree = left;
        } else {
            path.push(root(left));
            index -= left.len();
            subtree = right;
        }
    }
    // Collected on the way down; a verifier hashes from the leaf up.
    path.reverse();
    Some(path)
}

/// The audit paths of all leaves, in their order: each inner node is hashed once.
pub fn inclusion_proofs(leaf_hashes: &[Digest]) -> Vec<Vec<Digest>> {
    let mut paths = vec![Vec::new(); leaf_hashes.len()];
    if !leaf_hashes.is_empty() {
        climb(leaf_hashes, &mut paths);
    }
    paths
}

/// Adds to each leaf's path the siblings within this subtree, from the leaf up; gives the subtree's root.
fn climb(leaf_hashes: &[Digest], paths: &mut [Vec<Digest>]) -> Digest {
    if let [leaf] = leaf_hashes {
        return *leaf;
    }
    let (left, right) = split(leaf_hashes);
    let (left_paths, right_paths) = paths.split_at_mut(left.len());
    let (left, right) = (climb(left, left_paths), climb(right, right_paths));
    left_paths.iter_mut().for_each(|path| path.push(right));
    right_paths.iter_mut().for_each(|path| path.push(left));
    node_hash(&left, &right)
}

/// The proof that the tree of the first `size1` leaves is a prefix of the whole (RFC 9162, section 2.1.4.1); `None`
/// where `size1` is 0 or over the number of leaves: nothing is proven about an empty tree.
pub fn consistency_proof(leaf_hashes: &[Digest], size1: usize) -> Option<Vec<Digest>> {
    if size1 == 0 || size1 > leaf_hashes.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut subtree, mut size) = (leaf_hashes, size1);
    // As long as only left turns were taken, the old tree's root is this subtree's and the verifier has it already.
    let mut verifier_has_root = true;
    while size < subtree.len() {
        let (left, right) = split(subtree);
        if size <= left.len() {
            path.push(root(right));
            subtree = left;
        } else {
            path.push(root(left));
            size -= left.len();
            subtree = right;
            verifier_has_root = false;
        }
    }
    if !verifier_has_root {
        path.push(root(subtree));
    }
    path.reverse();
    Some(path)
}

/// Splits two or more leaves after the largest power of two below their number.
fn split(leaf_hashes: &[Digest]) -> (&[Digest], &[Digest]) {
    leaf_hashes.split_at(1 << (leaf_hashes.len() - 1).ilog2())
}
