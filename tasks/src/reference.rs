//! The reference's word on a challenge or an answer, and its form in a journal.

mod recorded;

use weighhouse_types::Digest;

pub use recorded::{Recorded, ReferenceError};

/// The reference's word on one challenge, or on one miner's answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    challenge: Digest,
    recorded: Recorded,
}

impl Reference {
    pub(crate) fn new(challenge: Digest, recorded: Recorded) -> Self {
        Self { challenge, recorded }
    }

    /// The digest of the challenge this belongs to.
    pub fn challenge(&self) -> Digest {
        self.challenge
    }

    /// Tells whether the reference is asked about answers, and hasn't been.
    pub fn is_awaited(&self) -> bool {
        matches!(self.recorded, Recorded::Awaited)
    }

    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }
}
