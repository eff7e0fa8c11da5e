//! Why an export did not happen, and what to do about it.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use weighhouse_journal::{SegmentError, SegmentHeader};
use weighhouse_types::Epoch;

use crate::limits::{HELD_EPOCHS_MAX, SEGMENT_BYTES_MAX};

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}: can't {doing}: {source}", file.display())]
    Io { file: PathBuf, doing: &'static str, source: io::Error },
    #[error("{}: no journal is there (no epoch-*.wj): name the validator's journal folder", dir.display())]
    NoJournal { dir: PathBuf },
    #[error("no epoch from {from} to {to} in this journal, which has {first} to {last}")]
    NoEpoch { from: Epoch, to: Epoch, first: Epoch, last: Epoch },
    #[error(
        "{}: {source}; nothing was exported: restore the file from a copy, or leave its epoch out of the range",
        file.display()
    )]
    Damaged { file: PathBuf, source: SegmentError },
    #[error(
        "{}: over {SEGMENT_BYTES_MAX} bytes, more than is read into memory: leave its epoch out of the range",
        file.display()
    )]
    TooLarge { file: PathBuf },
    #[error(
        "{}: is the journal of {found}, the files before it of {expected}: keep each validator's journal in a \
         folder of its own",
        file.display()
    )]
    OtherOwner { file: PathBuf, expected: Box<SegmentHeader>, found: Box<SegmentHeader> },
    #[error(
        "epoch {told_in} has news of a vector of epoch {of}, more than {HELD_EPOCHS_MAX} unsettled epochs \
         before: begin the range after epoch {of}"
    )]
    LateNews { of: Epoch, told_in: Epoch },
    #[error("epoch {epoch}: {what} is {value}, more than a signed 64-bit column holds")]
    OutOfRange { epoch: Epoch, what: &'static str, value: u64 },
    #[error(
        "{}: exists already and was left as it is: choose another folder, or allow overwriting (--force)",
        file.display()
    )]
    Exists { file: PathBuf },
    #[error("{}: another export is writing into this folder: wait for it, or choose another", dir.display())]
    Busy { dir: PathBuf },
    #[error("{}: can't write Parquet: {source}", file.display())]
    Parquet { file: PathBuf, source: ParquetError },
    #[error("stopped after epoch {after}; nothing was exported")]
    Stopped { after: Epoch },
}
