//! What the reference model says to a challenge, and how that is written into a journal.

use parity_scale_codec::{Decode, DecodeAll, Encode};
use weighhouse_models::digits::{CLASSES, PIXELS};
use weighhouse_models::{Classifier, ModelError};
use weighhouse_types::Digest;

use crate::challenge::Challenge;
use crate::file::ITEMS;
use crate::wire::check_row;

/// Rows of every forward pass over references. Shorter batches are filled up with blank scans, so that a reference's
/// bits don't depend on how many challenges a round had.
const BATCH_ROWS: usize = 256;
const VERSION: u16 = 1;
const BYTES_MAX: usize = 64 + *ITEMS.end() as usize * CLASSES * 4;

/// The reference model's probabilities for one challenge.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    challenge: Digest,
    rows: Vec<[f32; CLASSES]>,
}

/// Why bytes are no recorded reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("a recorded reference of {bytes} bytes is over the limit of {BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("not a recorded reference: {what}")]
    Undecodable { what: String },
    #[error("a recorded reference of version {version}, this program reads {VERSION}")]
    Version { version: u16 },
    #[error("row {row} of a recorded reference is no distribution: {what}")]
    Row { row: usize, what: String },
}

#[derive(Encode, Decode)]
struct Recorded {
    version: u16,
    challenge: Digest,
    rows: Vec<[f32; CLASSES]>,
}

impl Reference {
    /// One reference per challenge, in order.
    pub(crate) fn compute(model: &Classifier, challenges: &[Challenge]) -> Result<Vec<Self>, ModelError> {
        let mut pixels: Vec<f32> = challenges.iter().flat_map(Challenge::pixels).copied().collect();
        pixels.resize(pixels.len().next_multiple_of(BATCH_ROWS * PIXELS), 0.0);
        let mut rows = Vec::with_capacity(pixels.len() / PIXELS);
        for batch in pixels.chunks(BATCH_ROWS * PIXELS) {
            rows.extend(model.forward(batch)?);
        }
        let mut rows = rows.into_iter();
        let own = |challenge: &Challenge| Self {
            challenge: challenge.digest(),
            rows: rows.by_ref().take(challenge.items()).collect(),
        };
        Ok(challenges.iter().map(own).collect())
    }

    /// The digest of the challenge this belongs to.
    pub fn challenge(&self) -> Digest {
        self.challenge
    }

    /// One row of ten probabilities per item.
    pub fn rows(&self) -> &[[f32; CLASSES]] {
        &self.rows
    }

    /// SCALE: version, challenge digest, rows. Goes into the journal as a blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        Recorded { version: VERSION, challenge: self.challenge, rows: self.rows.clone() }.encode()
    }

    /// # Errors
    /// [`ReferenceError`] for anything that [`Reference::to_bytes`] of a sound reference does not give.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReferenceError> {
        if bytes.len() > BYTES_MAX {
            return Err(ReferenceError::TooLong { bytes: bytes.len() });
        }
        let undecodable =
            |error: parity_scale_codec::Error| ReferenceError::Undecodable { what: error.to_string() };
        let version = u16::decode(&mut &bytes[..]).map_err(undecodable)?;
        if version != VERSION {
            return Err(ReferenceError::Version { version });
        }
        let recorded = Recorded::decode_all(&mut &bytes[..]).map_err(undecodable)?;
        for (row, values) in recorded.rows.iter().enumerate() {
            check_row(values).map_err(|what| ReferenceError::Row { row, what })?;
        }
        Ok(Self { challenge: recorded.challenge, rows: recorded.rows })
    }
}
