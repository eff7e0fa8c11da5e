//! Checkpoints (c2sp.org/tlog-checkpoint): a log's origin, size and root as a note's text; and what two of them prove that no
//! log could have made both of.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weighhouse_types::Digest;

use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::verify::{ProofError, verify_consistency};

/// What a log says of itself at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    pub root: Digest,
}

impl Checkpoint {
    /// Reads a note's text. Lines behind the third are a log's own matter, and signed all the same.
    ///
    /// # Errors
    /// The first line that no log writes.
    pub fn of(note: &SignedNote) -> Result<Self, NoteError> {
        let mut lines = note.text().split('\n');
        let wrong = |line| NoteError::Checkpoint { line };
        let origin = lines.next().filter(|origin| !origin.is_empty()).ok_or(wrong(1))?;
        let size = lines.next().and_then(number).ok_or(wrong(2))?;
        let root = lines.next().and_then(|line| STANDARD.decode(line).ok()).ok_or(wrong(3))?;
        let root = Digest(root.try_into().map_err(|_| wrong(3))?);
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// As a note that nobody has signed yet.
    pub fn unsigned(&self) -> SignedNote {
        SignedNote::unsigned(self.to_string())
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }
}

/// A number in the one way in which it can be written.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Why two checkpoints prove no fork.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFork {
    #[error("a checkpoint: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoints are of two logs, {0} and {1}")]
    Origins(String, String),
    #[error("they are one checkpoint")]
    Same,
    #[error("the proof: {0}")]
    Proof(#[from] ProofError),
}

/// Checks that a log has signed two checkpoints that no tree has both of: two roots at one size; or of the larger one's tree,
/// shown by a consistency proof, another root at the smaller one's size.
///
/// # Errors
/// Where they prove nothing of the kind.
pub fn verify_fork(
    log: &VerifierKey,
    smaller: &SignedNote,
    larger: &SignedNote,
    (other_root, proof): (&Digest, &[Digest]),
) -> Result<(), NoFork> {
    log.verify(smaller)?;
    log.verify(larger)?;
    let (older, newer) = (Checkpoint::of(smaller)?, Checkpoint::of(larger)?);
    if older.origin != newer.origin || older.origin != log.name() {
        return Err(NoFork::Origins(older.origin, newer.origin));
    }
    if older.size == newer.size {
        return if older.root == newer.root { Err(NoFork::Same) } else { Ok(()) };
    }
    verify_consistency(older.size, newer.size, other_root, &newer.root, proof)?;
    if *other_root == older.root { Err(NoFork::Same) } else { Ok(()) }
}
