//! One epoch's evidence as an auditor reads it: from the bytes of one file, with nothing else at hand.

use std::collections::HashMap;

use weighhouse_merkle as merkle;
use weighhouse_types::{Digest, RECORD_VERSION, Record};

use crate::error::SegmentError;
use crate::format::{self, BatchHeader, Form};
use crate::header::SegmentHeader;
use crate::scan::{self, ScanStop};

/// A segment's bytes over any records, in one batch: its seals are no signature, so that whoever holds a journal can write what it
/// likes. What an audit is held against.
pub fn sealed(header: SegmentHeader, records: &[Record]) -> Vec<u8> {
    let (mut bytes, first_seal) = (header.to_bytes(Form::Whole), header.first_seal());
    let payloads: Vec<_> = records.iter().map(format::payload).collect();
    let length = payloads.iter().map(|payload| format::LENGTH_BYTES + payload.len()).sum::<usize>();
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let batch =
        BatchHeader { offset: bytes.len() as u64, length: size(length), records: size(payloads.len()) };
    let batch = batch.to_bytes(&first_seal);
    bytes.extend(batch);
    for payload in &payloads {
        bytes.extend(size(payload.len()).to_le_bytes());
        bytes.extend(payload);
    }
    let leaves: Vec<_> = payloads.iter().map(|payload| merkle::leaf_hash(payload)).collect();
    bytes.extend(format::seal(&first_seal, &batch, &leaves).as_bytes());
    bytes
}

/// The header of a segment alone: what follows it isn't looked at.
///
/// # Errors
/// A header that is missing, damaged, or of another version.
pub fn read_header(mut bytes: &[u8]) -> Result<SegmentHeader, SegmentError> {
    let Ok(header) = scan::read_header(&mut bytes);
    Ok(header?.header)
}

/// A whole and undamaged segment.
#[derive(Clone, Debug)]
pub struct Segment {
    header: SegmentHeader,
    records: Vec<Record>,
    /// The records' leaves, by position; empty where no record was removed.
    places: Vec<usize>,
    leaves: Vec<Digest>,
    /// Positions among the records.
    blobs: HashMap<Digest, usize>,
    oldest_version: u16,
}

impl Segment {
    /// # Errors
    /// The first thing that is wrong with the bytes, a torn last batch included.
    pub fn read(bytes: &[u8]) -> Result<Self, SegmentError> {
        match Self::read_up_to(bytes)? {
            (segment, _, None) => Ok(segment),
            (.., Some(stop)) => Err(stop.error),
        }
    }

    /// Reads the whole commits of a file whose owner may be in the midst of one, or was killed in it; the number of bytes of
    /// that last commit comes with them.
    ///
    /// # Errors
    /// Whatever else is wrong with the bytes.
    pub fn read_whole_commits(bytes: &[u8]) -> Result<(Self, u64), SegmentError> {
        match Self::read_up_to(bytes)? {
            (segment, end, None | Some(ScanStop { torn: true, .. })) => {
                Ok((segment, bytes.len() as u64 - end))
            }
            (.., Some(stop)) => Err(stop.error),
        }
    }

    /// The end of the last whole batch, and why the rest can't be read.
    fn read_up_to(mut bytes: &[u8]) -> Result<(Self, u64, Option<ScanStop>), SegmentError> {
        let Ok(header) = scan::read_header(&mut bytes);
        let start = header?;
        let mut segment = Self {
            header: start.header,
            records: Vec::new(),
            places: Vec::new(),
            leaves: Vec::new(),
            blobs: HashMap::new(),
            oldest_version: RECORD_VERSION,
        };
        let Ok(scanned) = scan::scan(&mut bytes, &start, |entry| {
            segment.leaves.push(entry.leaf);
            let Some((version, record)) = entry.record else { return };
            if let Record::Blob(blob) = &record {
                segment.blobs.insert(blob.digest(), segment.records.len());
            }
            segment.oldest_version = segment.oldest_version.min(version);
            segment.records.push(record);
            segment.places.push(segment.leaves.len() - 1);
        });
        if segment.places.len() == segment.leaves.len() {
            segment.places = Vec::new();
        }
        Ok((segment, scanned.end, scanned.stop))
    }

    pub fn header(&self) -> &SegmentHeader {
        &self.header
    }

    /// Every record, blobs included where they weren't removed.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Blobs that were removed: their leaves alone are left.
    pub fn removed(&self) -> usize {
        self.leaves.len() - self.records.len()
    }

    /// The index in the Merkle tree of the record at this position.
    pub fn leaf_index(&self, position: usize) -> usize {
        self.places.get(position).copied().unwrap_or(position)
    }

    /// The oldest version among the records: what it had no records for, the epoch can't show.
    pub fn oldest_record_version(&self) -> u16 {
        self.oldest_version
    }

    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    pub fn blob(&self, digest: &Digest) -> Option<&[u8]> {
        match &self.records[*self.blobs.get(digest)?] {
            Record::Blob(blob) => Some(blob.bytes()),
            _ => None,
        }
    }

    /// The hashes of all records, blobs included, in order.
    pub fn leaves(&self) -> &[Digest] {
        &self.leaves
    }

    /// The root of the Merkle tree over all records.
    pub fn root(&self) -> Digest {
        merkle::root(&self.leaves)
    }

    /// Shows that record `index` is under [`root`](Self::root): checked with [`merkle::verify_inclusion`], the
    /// record's [`leaf`](Self::leaf) and the number of records. `None` where there is no such record.
    pub fn inclusion_proof(&self, index: u64) -> Option<Vec<Digest>> {
        merkle::inclusion_proof(&self.leaves, usize::try_from(index).ok()?)
    }

    /// Shows that the tree of the first `size` records is a prefix of this one: checked with
    /// [`merkle::verify_consistency`]. `None` for no records, or more than there are.
    pub fn consistency_proof(&self, size: u64) -> Option<Vec<Digest>> {
        merkle::consistency_proof(&self.leaves, usize::try_from(size).ok()?)
    }

    /// The leaf hash of a record as it is written today: a record of an older version has another.
    pub fn leaf(record: &Record) -> Digest {
        merkle::leaf_hash(&format::payload(record))
    }
}
