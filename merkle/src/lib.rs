//! Merkle trees as RFC 6962 and RFC 9162 define them, over SHA-256: roots, inclusion and consistency proofs, and
//! an incremental root in logarithmic memory. Over them, a log's checkpoints as C2SP writes them: notes that the log signs and
//! witnesses cosign, and the proof that a log has forked.
//!
//! Leaves and inner nodes are hashed under different prefixes, so that no inner node passes for a leaf. Proofs are
//! foreign bytes: verifying one never panics, and its work is bounded by the length of the proof. A node is a
//! [`Digest`](weighhouse_types::Digest) by type, so hashes of any other length are refused where they are decoded.

pub mod commitments;
mod tree;

mod frontier;
mod grown;
mod verify;

mod note;
mod sign;

mod checkpoint;

pub use checkpoint::{Checkpoint, NoFork, verify_fork};
pub use frontier::Frontier;
pub use grown::GrownTree;
pub use note::{
    KeyKind, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, NoteError, NoteSignature, SignedNote, VerifierKey,
};
pub use sign::SigningKey;
pub use tree::{consistency_proof, inclusion_proof, inclusion_proofs, leaf_hash, node_hash, root};
pub use verify::{ProofError, root_from_inclusion, verify_consistency, verify_inclusion};

#[cfg(test)]
mod tests;
