//! Defects of a journal, each with its remedy.

use std::io;
use std::path::PathBuf;

use weighhouse_types::{Digest, Epoch};

use crate::header::{FORMAT_VERSION, SegmentHeader, WITHOUT_BLOBS_VERSION};
use crate::limits::{BATCH_BYTES_MAX, RECORD_BYTES_MAX};

/// A defect of a segment, and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause} at byte {offset}")]
pub struct SegmentError {
    pub offset: u64,
    pub cause: Defect,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    #[error("the file header is cut short or missing")]
    HeaderMissing,
    #[error("not a journal segment (wrong magic)")]
    Magic,
    #[error("format version {found}, this program reads {FORMAT_VERSION} and {WITHOUT_BLOBS_VERSION}")]
    FormatVersion { found: u16 },
    #[error("the file header's checksum is wrong")]
    HeaderChecksum,
    #[error("a batch header is damaged")]
    BatchHeader,
    #[error("a batch of {bytes} bytes is over the limit of {BATCH_BYTES_MAX}")]
    BatchTooLarge { bytes: u32 },
    #[error("the file ends within a batch")]
    BatchCutShort,
    #[error("a batch's seal is wrong: its bytes were changed, lost or moved")]
    Seal,
    #[error("record {index} has version {found}, this program reads up to {supported}")]
    RecordVersion { index: u64, found: u16, supported: u16 },
    #[error("record {index} of {bytes} bytes is over the limit of {RECORD_BYTES_MAX}")]
    RecordTooLarge { index: u64, bytes: usize },
    #[error("record {index} can't be decoded: {why}")]
    Record { index: u64, why: String },
    #[error("record {index} carries `{name}`, which this program doesn't know")]
    UnknownField { index: u64, name: String },
    #[error("its blobs were removed, which the newest epoch's never are")]
    BlobsRemoved,
    #[error("record {index} belongs to another epoch or validator than its file")]
    Misplaced { index: u64 },
}

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{file}: can't {doing}: {source}")]
    Io { file: String, doing: &'static str, source: io::Error },
    #[error(
        "{file}: {source}; nothing was changed: `weighhouse audit` says which epochs are readable, then \
         restore this file from a copy, or move it out of the folder knowing that its epoch's records are lost"
    )]
    Damaged { file: String, source: SegmentError },
    #[error(
        "{file}: {source}; run the version of weighhouse that wrote it or a later one, nothing was changed"
    )]
    Version { file: String, source: SegmentError },
    #[error(
        "{file}: is the journal of {found}, not of {expected}; give this validator a folder of its own, or correct \
         its wallet, netuid or chain, nothing was changed"
    )]
    OtherOwner { file: String, expected: Box<SegmentHeader>, found: Box<SegmentHeader> },
    #[error("{file}: an earlier write failed ({cause}), so what it holds is unknown; restart to recover it")]
    Poisoned { file: String, cause: String },
    #[error(
        "{file}: is gone while it is written; give the folder back (is its disk mounted?), or start again, and the epoch is asked anew"
    )]
    Vanished { file: String },
    #[error("no epoch was begun: there is no file to append to")]
    NoEpoch,
    #[error("epoch {asked} can't follow epoch {current}: journals only go forward")]
    EpochOrder { current: Epoch, asked: Epoch },
    #[error("{records} records are not committed: commit them before the next epoch begins")]
    Uncommitted { records: usize },
    #[error("the record is of another epoch or validator than the file of epoch {epoch}")]
    Misplaced { epoch: Epoch },
    #[error("a record of {bytes} bytes is over the limit of {limit}")]
    RecordTooLarge { bytes: usize, limit: usize },
    #[error("more than {limit} bytes in one commit: commit before appending further")]
    BatchFull { limit: usize },
    #[error("epoch {epoch} has its {limit} records: no more fit its file")]
    SegmentFull { epoch: Epoch, limit: u64 },
    #[error("no records of epoch {epoch} in this journal")]
    UnknownEpoch { epoch: Epoch },
    #[error("epoch {epoch} is one of the newest two, of which nothing is ever removed")]
    Needed { epoch: Epoch },
    #[error("no blob {digest} in the records of epoch {epoch}")]
    UnknownBlob { epoch: Epoch, digest: Digest },
}

impl JournalError {
    pub(crate) fn segment(file: String, source: SegmentError) -> Self {
        match source.cause {
            Defect::FormatVersion { .. } | Defect::RecordVersion { .. } | Defect::UnknownField { .. } => {
                Self::Version { file, source }
            }
            _ => Self::Damaged { file, source },
        }
    }
}

/// Refusal of one file of a journal.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{}: {source}", .file.display())]
    Io { file: PathBuf, source: std::io::Error },
    #[error("{}: {source}", .file.display())]
    Damaged { file: PathBuf, source: SegmentError },
}
