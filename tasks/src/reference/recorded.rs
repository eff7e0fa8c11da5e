//! References as blobs of a journal.

use parity_scale_codec::{Decode, DecodeAll, Encode};
use weighhouse_models::digits::CLASSES;
use weighhouse_types::Digest;
use weighhouse_types::scans::check_row;

use super::Reference;
use crate::file::ITEMS;
use crate::generate::witness::Testimony;

/// Rows of probabilities, as the first version wrote them.
const VERSION_ROWS: u16 = 1;
/// Testimonies and vectors, as the second did.
const VERSION_TEXTS: u16 = 2;
/// Everything else: the kind's name and its bytes.
const VERSION: u16 = 3;
/// Numbers of one reference at most.
const VALUES_MAX: usize = 1 << 20;
const BYTES_MAX: usize = 1 << 23;

/// Why bytes are no recorded reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("a recorded reference of {bytes} bytes is over the limit of {BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("not a recorded reference: {what}")]
    Undecodable { what: String },
    #[error("a recorded reference of version {version}, this program reads up to {VERSION}")]
    Version { version: u16 },
    #[error("row {row} of a recorded reference is no distribution: {what}")]
    Row { row: usize, what: String },
    #[error("a recorded vector has a number that is not finite")]
    Vector,
    #[error("a recorded testimony contradicts itself: {what}")]
    Testimony { what: &'static str },
}

#[derive(Encode, Decode)]
struct RecordedRows {
    version: u16,
    challenge: Digest,
    rows: Vec<[f32; CLASSES]>,
}

#[derive(Encode, Decode)]
struct RecordedText {
    version: u16,
    challenge: Digest,
    word: RecordedWord,
}

#[derive(Encode, Decode)]
struct RecordedOwn {
    version: u16,
    challenge: Digest,
    kind: String,
    word: Vec<u8>,
}

/// A reference's word as journals hold it: the forms of the first three kinds, and one for all others.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// A row of ten probabilities per scan.
    Rows(Vec<[f32; CLASSES]>),
    /// A row per text.
    Vectors(Vec<Vec<f32>>),
    /// The reference is asked once the answer is there.
    Awaited,
    /// Its word then.
    Testimony(Testimony),
    /// A word of the kind of this name, as that kind writes it.
    Own { kind: String, word: Vec<u8> },
}

#[derive(Encode, Decode)]
enum RecordedWord {
    #[codec(index = 0)]
    Awaited,
    #[codec(index = 1)]
    Testimony {
        prompt_tokens: u32,
        margins: Vec<f32>,
        log_probs: Vec<f32>,
        first_end: Option<u32>,
        text: String,
    },
    #[codec(index = 2)]
    Vectors { rows: Vec<Vec<f32>> },
}

impl Reference {
    /// SCALE: version, challenge digest, and the rest. Goes into the journal as a blob.
    pub fn to_bytes(&self) -> Vec<u8> {
        let word = match &self.recorded {
            Recorded::Rows(rows) => {
                let rows = rows.clone();
                return RecordedRows { version: VERSION_ROWS, challenge: self.challenge, rows }.encode();
            }
            Recorded::Own { kind, word } => {
                let (version, kind, word) = (VERSION, kind.clone(), word.clone());
                return RecordedOwn { version, challenge: self.challenge, kind, word }.encode();
            }
            Recorded::Awaited => RecordedWord::Awaited,
            Recorded::Vectors(rows) => RecordedWord::Vectors { rows: rows.clone() },
            Recorded::Testimony(testimony) => {
                let Testimony { prompt_tokens, margins, log_probs, first_end, text } = testimony.clone();
                RecordedWord::Testimony { prompt_tokens, margins, log_probs, first_end, text }
            }
        };
        RecordedText { version: VERSION_TEXTS, challenge: self.challenge, word }.encode()
    }

    /// # Errors
    /// [`ReferenceError`] for anything that [`Reference::to_bytes`] of a sound reference does not give.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReferenceError> {
        if bytes.len() > BYTES_MAX {
            return Err(ReferenceError::TooLong { bytes: bytes.len() });
        }
        let undecodable =
            |error: parity_scale_codec::Error| ReferenceError::Undecodable { what: error.to_string() };
        // Every form begins with its version.
        match u16::decode(&mut &bytes[..]).map_err(undecodable)? {
            VERSION_ROWS => {
                let RecordedRows { challenge, rows, .. } =
                    RecordedRows::decode_all(&mut &bytes[..]).map_err(undecodable)?;
                if rows.len() > *ITEMS.end() as usize {
                    return Err(ReferenceError::TooLong { bytes: bytes.len() });
                }
                for (row, values) in rows.iter().enumerate() {
                    check_row(values).map_err(|what| ReferenceError::Row { row, what })?;
                }
                Ok(Self { challenge, recorded: Recorded::Rows(rows) })
            }
            VERSION_TEXTS => {
                let RecordedText { challenge, word, .. } =
                    RecordedText::decode_all(&mut &bytes[..]).map_err(undecodable)?;
                Ok(Self { challenge, recorded: word.check(bytes.len())? })
            }
            VERSION => {
                let RecordedOwn { challenge, kind, word, .. } =
                    RecordedOwn::decode_all(&mut &bytes[..]).map_err(undecodable)?;
                Ok(Self { challenge, recorded: Recorded::Own { kind, word } })
            }
            version => Err(ReferenceError::Version { version }),
        }
    }
}

impl RecordedWord {
    fn check(self, bytes: usize) -> Result<Recorded, ReferenceError> {
        match self {
            Self::Awaited => Ok(Recorded::Awaited),
            Self::Vectors { rows } => {
                let values: usize = rows.iter().map(Vec::len).sum();
                if values > VALUES_MAX {
                    return Err(ReferenceError::TooLong { bytes });
                }
                if !rows.iter().flatten().all(|value| value.is_finite()) {
                    return Err(ReferenceError::Vector);
                }
                Ok(Recorded::Vectors(rows))
            }
            Self::Testimony { prompt_tokens, margins, log_probs, first_end, text } => {
                if margins.len() != log_probs.len() {
                    return Err(ReferenceError::Testimony {
                        what: "margins and log-probabilities differ in number",
                    });
                }
                // Samplers give margins of at least 0; NaN is refused too.
                if !margins.iter().all(|margin| *margin >= 0.0) {
                    return Err(ReferenceError::Testimony { what: "a margin below 0" });
                }
                Ok(Recorded::Testimony(Testimony { prompt_tokens, margins, log_probs, first_end, text }))
            }
        }
    }
}
