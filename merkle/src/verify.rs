//! Checking proofs made by somebody else (RFC 9162, sections 2.1.3.2 and 2.1.4.2).

use weighhouse_types::Digest;

use crate::tree::node_hash;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("a tree of {size} leaves has no leaf {index}")]
    NoSuchLeaf { index: u64, size: u64 },
    #[error("a tree of {size1} leaves is no prefix of one of {size2}")]
    Sizes { size1: u64, size2: u64 },
    #[error("nothing can be proven about an empty tree")]
    EmptyTree,
    #[error("a proof of {nodes} nodes does not fit the tree: it has too many or too few")]
    Length { nodes: usize },
    #[error("the proof leads to root {computed}, not to {expected}")]
    Root { expected: Digest, computed: Digest },
}

/// The root that an audit path leads to from a leaf, for a tree of `size` leaves.
///
/// # Errors
/// Where there is no leaf `index`, or the path's length is not the one that the place of the leaf calls for.
pub fn root_from_inclusion(
    leaf_hash: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
) -> Result<Digest, ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let mut walk = ProofWalk { node: index, last: size - 1 };
    let mut hash = *leaf_hash;
    for sibling in path {
        hash = match walk.up().ok_or(ProofError::Length { nodes: path.len() })? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    // A path that is too short ends at an inner node, whose hash is no root.
    if walk.last != 0 {
        return Err(ProofError::Length { nodes: path.len() });
    }
    Ok(hash)
}

/// # Errors
/// As [`root_from_inclusion`], and where the path leads to another root.
pub fn verify_inclusion(
    leaf_hash: &Digest,
    index: u64,
    size: u64,
    path: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    expect_root(root, root_from_inclusion(leaf_hash, index, size, path)?)
}

/// True if the tree of `size1` leaves with `root1` is a prefix of the one of `size2` leaves with `root2`.
///
/// # Errors
/// Where the sizes are out of order, the older tree is empty (its root says nothing about the newer), the proof has
/// the wrong length, or it leads to other roots.
pub fn verify_consistency(
    size1: u64,
    size2: u64,
    root1: &Digest,
    root2: &Digest,
    proof: &[Digest],
) -> Result<(), ProofError> {
    if size1 == 0 {
        return Err(ProofError::EmptyTree);
    }
    if size1 > size2 {
        return Err(ProofError::Sizes { size1, size2 });
    }
    let wrong_length = || ProofError::Length { nodes: proof.len() };
    if size1 == size2 {
        return if proof.is_empty() { expect_root(root1, *root2) } else { Err(wrong_length()) };
    }
    // The older root is itself a node of the newer tree when its size is a power of two; the proof then omits it.
    let (first, rest) = if size1.is_power_of_two() {
        (root1, proof)
    } else {
        proof.split_first().ok_or_else(wrong_length)?
    };
    // Below this level the older tree's last subtree is complete and stands in both trees alike.
    let complete_levels = (size1 - 1).trailing_ones();
    let mut walk = ProofWalk { node: (size1 - 1) >> complete_levels, last: (size2 - 1) >> complete_levels };
    let (mut older, mut newer) = (*first, *first);
    for sibling in rest {
        match walk.up().ok_or_else(wrong_length)? {
            Side::Left => {
                older = node_hash(sibling, &older);
                newer = node_hash(sibling, &newer);
            }
            Side::Right => newer = node_hash(&newer, sibling),
        }
    }
    if walk.last != 0 {
        return Err(wrong_length());
    }
    expect_root(root1, older)?;
    expect_root(root2, newer)
}

fn expect_root(expected: &Digest, computed: Digest) -> Result<(), ProofError> {
    if *expected == computed { Ok(()) } else { Err(ProofError::Root { expected: *expected, computed }) }
}

/// Side on which the sibling stands.
enum Side {
    Left,
    Right,
}

/// A node on its way to the root: its number, and that of the last node, on the current level.
struct ProofWalk {
    node: u64,
    last: u64,
}

impl ProofWalk {
    /// Steps over the next sibling; `None` at the root, which has none.
    fn up(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // The last node of a level without a sibling is carried up unchanged until it has one.
            let carried = self.node.trailing_zeros();
            self.node >>= carried;
            self.last >>= carried;
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Some(side)
    }
}
