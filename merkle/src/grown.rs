//! A tree whose first leaves are known by their frontier alone: what a log's owner needs to go on and to prove that it did.

use weighhouse_types::Digest;

use crate::frontier::Frontier;
use crate::tree::{node_hash, root};

/// A tree as it has grown from a frontier by the leaves behind it. Proofs from any size since then can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrownTree {
    before: Frontier,
    leaves: Vec<Digest>,
}

impl GrownTree {
    pub fn new(before: Frontier, leaves: Vec<Digest>) -> Self {
        Self { before, leaves }
    }

    pub fn size(&self) -> u64 {
        self.before.size() + self.leaves.len() as u64
    }

    /// Adds leaves at the end.
    pub fn extend(&mut self, leaves: &[Digest]) {
        self.leaves.extend(leaves);
    }

    /// The root of the first `size` leaves; `None` of a size before the frontier, or beyond the tree.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        if size < self.before.size() {
            return None;
        }
        if size == 0 { Some(root(&[])) } else { self.node(0, size) }
    }

    /// The proof that the tree of the first `size1` leaves is a prefix of that of `size2`; `None` where `size1` is 0 or before the
    /// frontier, or `size2` is beyond the tree.
    pub fn consistency_proof(&self, size1: u64, size2: u64) -> Option<Vec<Digest>> {
        if size1 == 0 || size1 < self.before.size() || size1 > size2 || size2 > self.size() {
            return None;
        }
        let (mut low, mut high, mut path) = (0, size2, Vec::new());
        // As long as only left turns were taken, the old tree's root is this subtree's and the verifier has it already.
        let mut verifier_has_root = true;
        while size1 < high {
            let middle = low + split(high - low);
            if size1 <= middle {
                path.push(self.node(middle, high)?);
                high = middle;
            } else {
                path.push(self.node(low, middle)?);
                low = middle;
                verifier_has_root = false;
            }
        }
        if !verifier_has_root {
            path.push(self.node(low, high)?);
        }
        path.reverse();
        Some(path)
    }

    /// The audit path of leaf `index` in the tree of the first `size` leaves; `None` for a leaf before the frontier.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if index < self.before.size() || index >= size || size > self.size() {
            return None;
        }
        let (mut low, mut high, mut path) = (0, size, Vec::new());
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                path.push(self.node(middle, high)?);
                high = middle;
            } else {
                path.push(self.node(low, middle)?);
                low = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The root of the leaves from `low` to before `high`, where it follows from what is known.
    fn node(&self, low: u64, high: u64) -> Option<Digest> {
        let known = self.before.size();
        if low >= known {
            let place = |at: u64| usize::try_from(at - known).ok();
            return Some(root(self.leaves.get(place(low)?..place(high)?)?));
        }
        if high <= known {
            let subtree = self.before.subtree(low, high);
            // A subtree's own leaves are not known.
            if subtree.is_some() || high - low == 1 {
                return subtree;
            }
        }
        let middle = low + split(high - low);
        Some(node_hash(&self.node(low, middle)?, &self.node(middle, high)?))
    }
}

/// The largest power of two below a number of two or more.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}
