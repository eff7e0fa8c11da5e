//! The segment that is being written: what is committed, and what waits for the next commit.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use weighhouse_merkle::{Frontier, leaf_hash};
use weighhouse_seams::AppendFile;
use weighhouse_types::{Digest, Record};

use crate::error::{Defect, JournalError, SegmentError};
use crate::format::{self, BATCH_HEADER_BYTES, BatchHeader, Form, HEADER_BYTES, LENGTH_BYTES, seal};
use crate::header::SegmentHeader;
use crate::limits::JournalLimits;
use crate::scan::{self, Entry, Place, ScanStop};

/// Bytes of a batch from which on it is worth threads that hash while the file takes it.
const HASHED_BESIDE_BYTES_MIN: usize = 256 << 10;
const HASHING_THREADS_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) header: SegmentHeader,
    file: Box<dyn AppendFile>,
    first_seal: Digest,
    /// The last batch's.
    seal: Digest,
    end: u64,
    pub(crate) log: Frontier,
    /// Of the committed records, blobs included.
    pub(crate) leaves: Vec<Digest>,
    /// Without the blobs, whose bytes stay in the file.
    pub(crate) records: Vec<Record>,
    blobs: HashMap<Digest, Place>,
    pending: PendingBatch,
}

/// Records of the next batch, encoded as they will stand in the file. Dropped if never committed.
#[derive(Debug)]
struct PendingBatch {
    /// The batch from its header on; the header is filled in by the commit.
    bytes: Vec<u8>,
    /// Of the payloads, within these bytes.
    payloads: Vec<Range<usize>>,
    records: Vec<Record>,
    blobs: HashMap<Digest, Place>,
}

impl PendingBatch {
    fn new() -> Self {
        Self {
            bytes: vec![0; BATCH_HEADER_BYTES],
            payloads: Vec::new(),
            records: Vec::new(),
            blobs: HashMap::new(),
        }
    }
}

/// Works out the leaves of payloads on other threads while `write` runs on this one.
fn hash_beside(
    bytes: &[u8],
    payloads: &[Range<usize>],
    write: impl FnOnce() -> io::Result<()>,
) -> io::Result<Vec<Digest>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, HASHING_THREADS_MAX);
    std::thread::scope(|scope| {
        let hashing: Vec<_> = payloads
            .chunks(payloads.len().div_ceil(threads).max(1))
            .map(|part| {
                scope.spawn(move || {
                    part.iter().map(|payload| leaf_hash(&bytes[payload.clone()])).collect::<Vec<_>>()
                })
            })
            .collect();
        write()?;
        let leaves = hashing.into_iter().flat_map(|part| part.join().expect("hashing doesn't panic"));
        Ok(leaves.collect())
    })
}

/// Why a segment's file does not become the current one.
#[derive(Debug)]
pub(crate) enum LoadError {
    Io(io::Error),
    Segment(SegmentError),
    OtherOwner(SegmentHeader),
}

impl Current {
    /// A segment that holds its header and nothing else.
    pub(crate) fn fresh(file: Box<dyn AppendFile>, header: SegmentHeader) -> Self {
        let first_seal = header.first_seal();
        Self {
            header,
            file,
            first_seal,
            seal: first_seal,
            end: HEADER_BYTES as u64,
            log: Frontier::new(),
            leaves: Vec::new(),
            records: Vec::new(),
            blobs: HashMap::new(),
            pending: PendingBatch::new(),
        }
    }

    /// Reads a segment's file to its end, or up to a torn last batch.
    pub(crate) fn load(
        mut file: Box<dyn AppendFile>,
        expected: SegmentHeader,
    ) -> Result<(Self, Option<ScanStop>), LoadError> {
        let header = scan::read_header(&mut file).map_err(LoadError::Io)?;
        let start = header.map_err(LoadError::Segment)?;
        let header = start.header;
        if header != expected {
            return Err(LoadError::OtherOwner(header));
        }
        if start.form == Form::WithoutBlobs {
            return Err(LoadError::Segment(SegmentError { offset: 0, cause: Defect::BlobsRemoved }));
        }
        let (mut records, mut blobs, mut leaves) = (Vec::new(), HashMap::new(), Vec::new());
        let scanned = scan::scan(&mut file, &start, |Entry { place, leaf, record }| {
            leaves.push(leaf);
            match record {
                Some((_, Record::Blob(blob))) => drop(blobs.insert(blob.digest(), place)),
                Some((_, record)) => records.push(record),
                None => {}
            }
        });
        let scanned = scanned.map_err(LoadError::Io)?;
        match scanned.stop {
            Some(ScanStop { error, torn: false }) => Err(LoadError::Segment(error)),
            torn => {
                let fresh = Self::fresh(file, header);
                let (seal, end, log) = (scanned.seal, scanned.end, scanned.log);
                let loaded = Self { seal, end, log, leaves, records, blobs, ..fresh };
                Ok((loaded, torn))
            }
        }
    }

    /// Bytes behind the last whole batch.
    pub(crate) fn tail(&mut self) -> io::Result<Vec<u8>> {
        let length = self.file.len()?.saturating_sub(self.end);
        scan::read(&mut self.file, self.end, length)
    }

    pub(crate) fn cut_tail(&mut self) -> io::Result<()> {
        self.file.truncate(self.end)
    }

    /// A process that was killed leaves whole batches that no sync has reached.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    pub(crate) fn uncommitted(&self) -> usize {
        self.pending.payloads.len()
    }

    /// The record's index; a blob that the segment has keeps the index it has.
    pub(crate) fn append(&mut self, record: Record, limits: &JournalLimits) -> Result<u64, JournalError> {
        if !self.header.owns(&record) {
            return Err(JournalError::Misplaced { epoch: self.header.epoch });
        }
        let blob = match &record {
            Record::Blob(blob) => Some(blob.digest()),
            _ => None,
        };
        // Miners often give the same answer: its bytes are stored once for all of them.
        if let Some(known) = blob.and_then(|digest| self.place(&digest)) {
            return Ok(known.index);
        }
        let payload = format::payload(&record);
        if payload.len() > limits.record_bytes {
            return Err(JournalError::RecordTooLarge { bytes: payload.len(), limit: limits.record_bytes });
        }
        // A batch is read and checked in memory as a whole, so its size is bounded when it is written.
        if self.pending.bytes.len() + LENGTH_BYTES + payload.len() > limits.batch_bytes {
            return Err(JournalError::BatchFull { limit: limits.batch_bytes });
        }
        let index = self.log.size() + self.pending.payloads.len() as u64;
        if index >= limits.segment_records {
            return Err(JournalError::SegmentFull {
                epoch: self.header.epoch,
                limit: limits.segment_records,
            });
        }
        let length = u32::try_from(payload.len()).expect("the record limit is below 4 GiB");
        self.pending.bytes.extend(length.to_le_bytes());
        // The pending bytes begin with room for the batch's header, so this is the place in the file.
        let offset = self.end + self.pending.bytes.len() as u64;
        let start = self.pending.bytes.len();
        self.pending.bytes.extend(&payload);
        self.pending.payloads.push(start..self.pending.bytes.len());
        match blob {
            Some(digest) => {
                self.pending.blobs.insert(digest, Place { index, offset, length: payload.len() });
            }
            None => self.pending.records.push(record),
        }
        Ok(index)
    }

    fn place(&self, digest: &Digest) -> Option<&Place> {
        self.blobs.get(digest).or_else(|| self.pending.blobs.get(digest))
    }

    /// Writes what is pending as one batch and syncs it. After an error the file's tail is unknown.
    pub(crate) fn commit(&mut self) -> io::Result<()> {
        if self.pending.payloads.is_empty() {
            return Ok(());
        }
        let PendingBatch { mut bytes, payloads, records, blobs } =
            std::mem::replace(&mut self.pending, PendingBatch::new());
        let header = BatchHeader {
            offset: self.end,
            length: u32::try_from(bytes.len() - BATCH_HEADER_BYTES).expect("the batch limit is below 4 GiB"),
            records: u32::try_from(payloads.len()).expect("each record takes bytes of a batch below 4 GiB"),
        };
        let header_bytes = header.to_bytes(&self.first_seal);
        bytes[..BATCH_HEADER_BYTES].copy_from_slice(&header_bytes);
        // The seal comes last, and one sync behind it: a crash leaves either the seal or an end that is recognised as torn.
        let (leaves, seal) = if bytes.len() < HASHED_BESIDE_BYTES_MIN {
            let leaves: Vec<Digest> =
                payloads.into_iter().map(|payload| leaf_hash(&bytes[payload])).collect();
            let seal = seal(&self.seal, &header_bytes, &leaves);
            bytes.extend(seal.as_bytes());
            self.file.append(&bytes)?;
            (leaves, seal)
        } else {
            let file = &mut self.file;
            let leaves = hash_beside(&bytes, &payloads, || file.append(&bytes))?;
            let seal = seal(&self.seal, &header_bytes, &leaves);
            self.file.append(seal.as_bytes())?;
            (leaves, seal)
        };
        self.file.sync()?;
        // Only after the sync: a record that is visible here has outlived a crash.
        self.end = header.end();
        self.seal = seal;
        self.log.extend(leaves.iter().copied());
        self.leaves.extend(leaves);
        self.records.extend(records);
        self.blobs.extend(blobs);
        Ok(())
    }

    /// The bytes of a committed blob, `None` where there is none; read from the file and checked anew.
    pub(crate) fn blob(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, LoadError> {
        let Some(Place { index, offset, length }) = self.blobs.get(digest).copied() else {
            return Ok(None);
        };
        let payload = scan::read(&mut self.file, offset, length as u64).map_err(LoadError::Io)?;
        match format::record(&payload, index) {
            Ok((_, Record::Blob(blob))) if blob.digest() == *digest => Ok(Some(blob.bytes().to_vec())),
            _ => Err(LoadError::Segment(SegmentError { offset, cause: Defect::Seal })),
        }
    }
}
