//! The bytes of a segment: headers, batches, seals, records. The table is in the crate's own documentation.

use parity_scale_codec::{DecodeAll, Encode};
use sha2::{Digest as _, Sha256};
use weighhouse_types::{Digest, Hasher, RECORD_VERSION, Record, v1};

use crate::error::Defect;
use crate::header::{FORMAT_VERSION, Identity, SegmentHeader, WITHOUT_BLOBS_VERSION};
use crate::limits::RECORD_BYTES_MAX;

const MAGIC: [u8; 8] = *b"weighjnl";
const BATCH_MAGIC: [u8; 4] = *b"wjb1";
const SCALE_HEADER_BYTES: usize = 8 + 32 + 2 + 1 + 32;
pub(crate) const HEADER_BYTES: usize = 8 + 2 + SCALE_HEADER_BYTES + 32;
pub(crate) const BATCH_HEADER_BYTES: usize = 20;
pub(crate) const SEAL_BYTES: usize = 32;
pub(crate) const LENGTH_BYTES: usize = 4;

/// What a file holds of its epoch's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Whole,
    /// A leaf hash stands where a blob stood.
    WithoutBlobs,
}

impl Form {
    fn version(self) -> u16 {
        match self {
            Self::Whole => FORMAT_VERSION,
            Self::WithoutBlobs => WITHOUT_BLOBS_VERSION,
        }
    }

    fn of_version(found: u16) -> Result<Self, Defect> {
        let forms = [Self::Whole, Self::WithoutBlobs];
        forms.into_iter().find(|form| form.version() == found).ok_or(Defect::FormatVersion { found })
    }
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self, form: Form) -> Vec<u8> {
        let mut bytes = self.to_unsealed_bytes(form);
        bytes.extend(Digest::of(&bytes).as_bytes());
        bytes
    }

    /// What the first batch's seal goes on from, in either form of the file.
    pub(crate) fn first_seal(self) -> Digest {
        Digest::of(&self.to_unsealed_bytes(Form::Whole))
    }

    fn to_unsealed_bytes(self, form: Form) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(form.version().to_le_bytes());
        self.encode_to(&mut bytes);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<(Self, Form), Defect> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(match bytes.len() {
            0..HEADER_BYTES => Defect::HeaderMissing,
            _ => Defect::Magic,
        })?;
        let (version, _) = rest.split_first_chunk().ok_or(Defect::HeaderMissing)?;
        let form = Form::of_version(u16::from_le_bytes(*version))?;
        let header = bytes.get(..HEADER_BYTES).ok_or(Defect::HeaderMissing)?;
        let (body, checksum) = header.split_at(HEADER_BYTES - SEAL_BYTES);
        if Digest::of(body).as_bytes() != checksum {
            return Err(Defect::HeaderChecksum);
        }
        let decoded = Self::decode_all(&mut &body[MAGIC.len() + size_of::<u16>()..]);
        Ok((decoded.map_err(|_| Defect::HeaderChecksum)?, form))
    }

    /// True if a record may stand in this segment. News of an intent may come after its epoch has ended.
    pub(crate) fn owns(&self, record: &Record) -> bool {
        match record {
            Record::Blob(_) | Record::BlockSeen { .. } => true,
            Record::EpochOpened(context) => {
                let identity = Identity {
                    genesis: context.genesis,
                    netuid: context.netuid,
                    mechanism: context.mechanism,
                    validator: context.validator,
                };
                *self == Self { epoch: context.epoch, identity }
            }
            Record::Asked(asked) => asked.epoch == self.epoch,
            // Earlier epochs' challenges are judged here where their truth came later.
            Record::Judged(judged) => judged.epoch == self.epoch && judged.asked_in <= self.epoch,
            Record::Intent(intent) => intent.epoch == self.epoch,
            Record::IntentUpdate(update) => update.epoch <= self.epoch,
            Record::Likeness(likeness) => likeness.epoch == self.epoch,
            Record::Evidence(evidence) => evidence.epoch == self.epoch,
            Record::FollowUp(follow_up) => follow_up.epoch == self.epoch,
            Record::Answered(answered) => answered.epoch == self.epoch,
            Record::JudgedTogether(joint) => joint.epoch == self.epoch,
            Record::EarlierChecks(checks) => checks.epoch == self.epoch,
            Record::CheckDraw(draw) => draw.epoch == self.epoch,
            Record::RoundReceipts(receipts) => receipts.epoch == self.epoch,
            Record::PhaseChange(change) => change.epoch == self.epoch && change.asked_in <= self.epoch,
            Record::CarriedChallenge(carried) => {
                carried.epoch == self.epoch && carried.asked.epoch < self.epoch
            }
            Record::VoidRound(void) => void.epoch == self.epoch,
            Record::EpochClosed(closed) => closed.epoch == self.epoch,
            Record::Checkpoint(checkpoint) => checkpoint.epoch == self.epoch,
            Record::Extension(extension) => extension.epoch == self.epoch,
            Record::Abstained { epoch, .. }
            | Record::Departed { epoch, .. }
            | Record::Trails { epoch, .. } => *epoch == self.epoch,
        }
    }
}

/// A batch's header: enough to skip it without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    /// Offset of the batch in the file.
    pub(crate) offset: u64,
    /// Bytes of the body.
    pub(crate) length: u32,
    pub(crate) records: u32,
}

impl BatchHeader {
    /// `first_seal` is the file header's.
    pub(crate) fn to_bytes(self, first_seal: &Digest) -> [u8; BATCH_HEADER_BYTES] {
        let mut bytes = [0; BATCH_HEADER_BYTES];
        bytes[..4].copy_from_slice(&BATCH_MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.records.to_le_bytes());
        let check = Hasher::new("weighhouse/journal/batch/v1")
            .part(first_seal.as_bytes())
            .part(&self.offset.to_le_bytes())
            .part(&bytes[..12])
            .finish();
        // Eight bytes do against damage; the seal covers the header as well.
        bytes[12..].copy_from_slice(&check.as_bytes()[..8]);
        bytes
    }

    /// `None` unless these bytes are the intact header of a batch at this offset.
    pub(crate) fn from_bytes(bytes: &[u8], offset: u64, first_seal: &Digest) -> Option<Self> {
        let bytes: &[u8; BATCH_HEADER_BYTES] = bytes.first_chunk()?;
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (records, _) = rest.split_first_chunk()?;
        let header =
            Self { offset, length: u32::from_le_bytes(*length), records: u32::from_le_bytes(*records) };
        (*magic == BATCH_MAGIC && header.records > 0 && header.to_bytes(first_seal) == *bytes)
            .then_some(header)
    }

    /// Offset of the next batch.
    pub(crate) fn end(&self) -> u64 {
        self.offset + (BATCH_HEADER_BYTES + SEAL_BYTES) as u64 + u64::from(self.length)
    }

    pub(crate) fn could_start(bytes: &[u8]) -> bool {
        bytes.starts_with(&BATCH_MAGIC)
    }
}

/// The hash that closes a batch.
pub(crate) fn seal(before: &Digest, header: &[u8; BATCH_HEADER_BYTES], leaves: &[Digest]) -> Digest {
    let mut hash = Sha256::new().chain_update(b"weighhouse/journal/seal/v1").chain_update(before.as_bytes());
    hash.update(header);
    leaves.iter().for_each(|leaf| hash.update(leaf.as_bytes()));
    Digest(hash.finalize().into())
}

/// The bytes that a record's leaf is the hash of.
pub fn payload(record: &Record) -> Vec<u8> {
    let mut bytes = RECORD_VERSION.to_le_bytes().to_vec();
    record.encode_to(&mut bytes);
    bytes
}

/// Reads one record's payload as it stands in a segment: its version, and the record.
///
/// # Errors
/// The [`Defect`] for anything that is not one whole record of a version, and with names, that this program knows.
pub fn read_record(payload: &[u8]) -> Result<Record, Defect> {
    record(payload, 0).map(|(_, record)| record)
}

/// A record, in whatever version it stands in the file, and that version.
pub(crate) fn record(payload: &[u8], index: u64) -> Result<(u16, Record), Defect> {
    if payload.len() > RECORD_BYTES_MAX {
        return Err(Defect::RecordTooLarge { index, bytes: payload.len() });
    }
    let Some((version, mut rest)) = payload.split_first_chunk() else {
        return Err(Defect::Record { index, why: "it has no version".to_owned() });
    };
    let found = u16::from_le_bytes(*version);
    let record = match found {
        v1::RECORD_VERSION => v1::decode(rest),
        RECORD_VERSION => Record::decode_all(&mut rest),
        _ => return Err(Defect::RecordVersion { index, found, supported: RECORD_VERSION }),
    };
    let record = record.map_err(|error| Defect::Record { index, why: error.to_string() })?;
    match record.unknown() {
        Some(name) => Err(Defect::UnknownField { index, name }),
        None => Ok((found, record)),
    }
}
