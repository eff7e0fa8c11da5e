//! The root of a growing tree, in memory logarithmic in its size.

use weighhouse_types::Digest;

use crate::tree::node_hash;

/// The roots of the complete subtrees that a tree of this size is made of, largest first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One per set bit of `size`.
    subtrees: Vec<Digest>,
}

impl Frontier {
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    pub fn subtrees(&self) -> &[Digest] {
        &self.subtrees
    }

    /// The frontier of a tree of `size` leaves with these subtrees; `None` where such a tree has others in number.
    pub fn from_parts(size: u64, subtrees: Vec<Digest>) -> Option<Self> {
        (u32::try_from(subtrees.len()) == Ok(size.count_ones())).then_some(Self { size, subtrees })
    }

    /// The root of the leaves from `low` to before `high`, where these are one of the complete subtrees.
    pub(crate) fn subtree(&self, low: u64, high: u64) -> Option<Digest> {
        let mut start = 0;
        for (subtree, bit) in self.subtrees.iter().zip((0..64).rev().filter(|bit| self.size >> bit & 1 == 1))
        {
            let end = start + (1 << bit);
            if (start, end) == (low, high) {
                return Some(*subtree);
            }
            start = end;
        }
        None
    }

    pub fn append(&mut self, leaf_hash: Digest) {
        let mut node = leaf_hash;
        // As a carry in binary: each trailing one is a subtree that the new leaf makes twice as large.
        for _ in 0..self.size.trailing_ones() {
            let left = self.subtrees.pop().expect("one subtree per set bit of the size");
            node = node_hash(&left, &node);
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    /// The same root as [`root`](crate::root) of all leaves appended so far.
    pub fn root(&self) -> Digest {
        // From the right, because each node's right child is everything behind its left subtree.
        let smallest_first = self.subtrees.iter().rev().copied();
        smallest_first.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| Digest::of(&[]))
    }
}

impl Extend<Digest> for Frontier {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, leaf_hashes: I) {
        leaf_hashes.into_iter().for_each(|leaf| self.append(leaf));
    }
}

impl FromIterator<Digest> for Frontier {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaf_hashes: I) -> Self {
        let mut frontier = Self::new();
        frontier.extend(leaf_hashes);
        frontier
    }
}
