//! The proof that a validator has kept two records: two checkpoints of its log that no tree has both of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use weighhouse_merkle::{Checkpoint, NoFork, NoteError, SignedNote, verify_fork};
use weighhouse_types::{CertifiedKey, Digest, Hotkey, LogKeyUse, LogPlace};
use weighhouse_wallet::certified::verify_certified;
use weighhouse_wallet::keypair::SignatureError;

use super::keys::verifier;

/// Whoever holds this needs nobody's word for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    pub place: LogPlace,
    /// The key of the log, certified by its validator.
    pub key: CertifiedKey,
    /// A signed note, of the smaller size.
    pub smaller: String,
    pub larger: String,
    /// The root of the larger one's tree at the smaller one's size: another than it signed.
    pub other_root: Digest,
    /// Leads from that root to the larger checkpoint's.
    pub proof: Vec<Digest>,
    /// The keys of witnesses whose signatures stand on the checkpoints.
    pub witnesses: Vec<CertifiedKey>,
}

/// Why a file proves no fork.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForkError {
    #[error("the log's key: {0}")]
    Certificate(#[from] SignatureError),
    #[error("the log's key has no name")]
    Name,
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error(transparent)]
    NoFork(#[from] NoFork),
}

impl Fork {
    /// Two checkpoints of one size, or of two with the proof that joins the larger to another root than the smaller's.
    pub(crate) fn new(
        (place, key): (&LogPlace, &CertifiedKey),
        (one, other): (&SignedNote, &SignedNote),
        (other_root, proof): (Digest, Vec<Digest>),
        witnesses: impl IntoIterator<Item = CertifiedKey>,
    ) -> Option<Self> {
        let size = |note: &SignedNote| Checkpoint::of(note).map(|checkpoint| checkpoint.size).ok();
        let (smaller, larger) = if size(one)? <= size(other)? { (one, other) } else { (other, one) };
        let mut known: Vec<CertifiedKey> = Vec::new();
        for witness in witnesses {
            if !known.contains(&witness) {
                known.push(witness);
            }
        }
        let fork = Self {
            place: *place,
            key: key.clone(),
            smaller: smaller.to_string(),
            larger: larger.to_string(),
            other_root,
            proof,
            witnesses: known,
        };
        fork.verify().is_ok().then_some(fork)
    }

    /// Checks the proof; gives the witnesses that have signed both checkpoints, who have broken their word too.
    ///
    /// # Errors
    /// Where it proves nothing.
    pub fn verify(&self) -> Result<BTreeSet<Hotkey>, ForkError> {
        verify_certified(&self.key, &self.place, LogKeyUse::Log)?;
        let log = verifier(&self.key, &self.place, LogKeyUse::Log).ok_or(ForkError::Name)?;
        let (smaller, larger) = (SignedNote::parse(&self.smaller)?, SignedNote::parse(&self.larger)?);
        verify_fork(&log, &smaller, &larger, (&self.other_root, &self.proof))?;
        let has_signed_both = |key: &&CertifiedKey| {
            let is_certified = verify_certified(key, &self.place, LogKeyUse::Witness).is_ok();
            verifier(key, &self.place, LogKeyUse::Witness).is_some_and(|witness| {
                is_certified && [&smaller, &larger].iter().all(|note| witness.verify(note).is_ok())
            })
        };
        Ok(self.witnesses.iter().filter(has_signed_both).map(|key| key.hotkey).collect())
    }

    /// The name of the file that holds it.
    pub fn file_name(&self) -> String {
        let id = Digest::of(format!("{}{}", self.smaller, self.larger).as_bytes());
        format!("fork-{}.json", &id.to_string()[..16])
    }
}
