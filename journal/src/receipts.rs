//! The Merkle tree over an epoch's receipts: with its root on record, leaving out an acknowledged answer can be shown.

use parity_scale_codec::Encode;
use weighhouse_merkle as merkle;
use weighhouse_types::{Digest, Receipt};

/// The root over receipts in their order; an epoch without answers has the root of the empty tree.
pub fn receipts_root(receipts: &[Receipt]) -> Digest {
    merkle::root(&leaves(receipts))
}

/// Shows that receipt `index` is under [`receipts_root`]: checked with [`merkle::verify_inclusion`], [`receipt_leaf`] and
/// the number of receipts. `None` where there is no such receipt.
pub fn receipt_proof(receipts: &[Receipt], index: usize) -> Option<Vec<Digest>> {
    merkle::inclusion_proof(&leaves(receipts), index)
}

/// The leaf hash of a receipt.
pub fn receipt_leaf(receipt: &Receipt) -> Digest {
    merkle::leaf_hash(&receipt.encode())
}

fn leaves(receipts: &[Receipt]) -> Vec<Digest> {
    receipts.iter().map(receipt_leaf).collect()
}
