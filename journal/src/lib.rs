//! The validator's append-only evidence log: one file an epoch, and the Merkle tree over each file's records.
//!
//! # What is promised
//! - A record is visible once [`Journal::commit`] has returned, and from then on survives a crash. A commit is one
//!   write and one sync, and all of it survives or none.
//! - Nothing unreadable becomes a default. The only repair is to cut off a last commit that a crash left half written;
//!   the cut bytes are kept beside the file. Whatever else is wrong with a file stops the journal from opening.
//! - After a write that failed the journal refuses every further call: what is on the disk is then unknown until it is
//!   opened again.
//! - A file is self-contained (a blob that two epochs name is in both), so that handing over one file hands over one
//!   epoch's evidence: [`Segment::read`] needs nothing else.
//!
//! # The file format, version 1
//! `epoch-<20 digits>.wj`; all numbers are little-endian. A header of 117 bytes, made whole before the file gets its
//! name:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `weighjnl` |
//! | 2 | format version |
//! | 75 | SCALE of [`SegmentHeader`]: epoch, genesis, netuid, mechanism, validator |
//! | 32 | SHA-256 of the above: the first seal |
//!
//! Then one batch per commit:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `wjb1` |
//! | 4 | length of the body |
//! | 4 | number of records, at least 1 |
//! | 8 | a checksum, so that a damaged length is never believed |
//! | .. | the body: per record four bytes of length and the payload: the record version (2) and the SCALE of the record |
//! | 32 | the seal |
//!
//! The checksum is the first 8 bytes of [`Hasher`](weighhouse_types::Hasher) in the domain
//! `weighhouse/journal/batch/v1` over the first seal, the batch's offset in the file (8 bytes) and the 12 bytes before
//! the checksum. The seal is SHA-256 over `weighhouse/journal/seal/v1`, the seal before, the 20 bytes of the batch's
//! header and the leaf hashes of its payloads: no batch can be changed, dropped or moved unnoticed. The leaves of the
//! Merkle tree (RFC 6962) are the payloads in order.
//!
//! # Version 2: without blobs
//! [`Journal::remove_blobs`] makes a file smaller once its epoch is old. The header says version 2, under a checksum of its own;
//! the first seal stays that of version 1. Behind a batch's header stands the length of what is left of its body (4), then that,
//! then the seal as it was. In the body a removed payload has the highest bit of its length set, and its leaf hash (32) in its
//! place. Such a file is written in one piece, and never appended to.
//!
//! # A torn commit and damage
//! A last batch is taken for torn only where a crash explains it: the file ends before the batch does, or a sector of
//! it was never written and reads as zeros. A flipped bit looks like neither, and is refused even in the last batch.
//!
//! # The log over all files
//! The leaves of all files in the order of their epochs are one more tree, the log. A file says in its epoch's opening where in the
//! log it begins: size and frontier of the tree over the files before. So each file alone gives the log's root at any of
//! its records, and two files in a row the proof that the log only grew.
//!
//! Evidence is kept until its owner has an epoch's blobs removed, or the whole epoch ([`Journal::remove_epoch`]).

mod header;
mod limits;

mod format;
mod removed;

mod scan;
mod segment;

mod ahead;
mod current;
mod folder;
mod journal;
mod log;

mod publication;
mod receipts;

mod error;

pub use ahead::{read_in_order, read_segment};
pub use error::{Defect, JournalError, ReadError, SegmentError};
pub use folder::segments;
pub use format::{payload as record_payload, read_record};
pub use header::{
    FORMAT_VERSION, Identity, SegmentHeader, WITHOUT_BLOBS_VERSION, epoch_of_name, segment_name,
};
pub use journal::{Journal, RecordIndex, SegmentReport, verify};
pub use limits::{BATCH_BYTES_MAX, RECORD_BYTES_MAX, SEGMENT_RECORDS_MAX};
pub use log::{LogEnd, opening};
pub use publication::{Publication, open_intents, publications, published};
pub use receipts::{receipt_leaf, receipt_proof, receipts_root};
pub use segment::{Segment, read_header, sealed};

#[cfg(test)]
mod tests;
