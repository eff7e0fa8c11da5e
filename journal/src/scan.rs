//! Walking a segment's batches, from memory or from a file, up to the first thing that is wrong.
//!
//! A walk tells a torn last commit, which a crash explains, from damage, which nothing but a fault or a hand does: only the
//! former may be cut off. A whole batch behind a broken one rules a crash out, so the rest of the file is searched for one.

use std::convert::Infallible;
use std::io;
use std::ops::Range;

use weighhouse_merkle::{Frontier, leaf_hash};
use weighhouse_seams::AppendFile;
use weighhouse_types::{Digest, Record};

use crate::error::{Defect, SegmentError};
use crate::format::{
    self, BATCH_HEADER_BYTES, BatchHeader, Form, HEADER_BYTES, LENGTH_BYTES, SEAL_BYTES, seal,
};
use crate::header::SegmentHeader;
use crate::limits::BATCH_BYTES_MAX;
use crate::removed;

/// The smallest unit that a disk writes whole.
const SECTOR_BYTES: u64 = 512;
/// Bytes of a file that are searched at a time for a batch behind a damaged one.
const WINDOW_BYTES: usize = 64 << 10;

/// Bytes of a known length. Reads stay within it.
pub(crate) trait SegmentSource {
    type Error;

    fn length(&self) -> Result<u64, Self::Error>;
    fn fill(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), Self::Error>;
}

impl SegmentSource for &[u8] {
    type Error = Infallible;

    fn length(&self) -> Result<u64, Infallible> {
        Ok(self.len() as u64)
    }

    fn fill(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), Infallible> {
        let start = usize::try_from(offset).expect("an offset within bytes in memory");
        bytes.copy_from_slice(&self[start..start + bytes.len()]);
        Ok(())
    }
}

impl SegmentSource for Box<dyn AppendFile> {
    type Error = io::Error;

    fn length(&self) -> io::Result<u64> {
        self.len()
    }

    fn fill(&mut self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_at(offset, bytes)
    }
}

/// One record of a whole batch.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) leaf: Digest,
    /// The record and the version in which it stands in the file; `None` where it was removed.
    pub(crate) record: Option<(u16, Record)>,
}

/// The beginning of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileStart {
    pub(crate) header: SegmentHeader,
    pub(crate) form: Form,
    pub(crate) first_seal: Digest,
}

/// Place of a record's payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The position among the segment's records.
    pub(crate) index: u64,
    pub(crate) offset: u64,
    pub(crate) length: usize,
}

/// Extent to which a segment can be read.
#[derive(Debug)]
pub(crate) struct ScannedSegment {
    /// The end of the last whole batch.
    pub(crate) end: u64,
    /// That batch's seal.
    pub(crate) seal: Digest,
    pub(crate) log: Frontier,
    /// Why the rest can't be read, if there is a rest.
    pub(crate) stop: Option<ScanStop>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScanStop {
    pub(crate) error: SegmentError,
    /// A crash explains it: this is the last batch and its commit never returned.
    pub(crate) torn: bool,
}

pub(crate) fn read_header<S: SegmentSource>(
    source: &mut S,
) -> Result<Result<FileStart, SegmentError>, S::Error> {
    let present = source.length()?.min(HEADER_BYTES as u64);
    let bytes = read(source, 0, present)?;
    let start = SegmentHeader::from_bytes(&bytes).map(|(header, form)| FileStart {
        header,
        form,
        first_seal: header.first_seal(),
    });
    Ok(start.map_err(|cause| SegmentError { offset: 0, cause }))
}

/// Hands over the records of every whole batch behind the header.
pub(crate) fn scan<S: SegmentSource>(
    source: &mut S,
    start: &FileStart,
    mut keep: impl FnMut(Entry),
) -> Result<ScannedSegment, S::Error> {
    let mut batches = BatchWalk::new(source.length()?, start);
    let mut scanned =
        ScannedSegment { end: batches.at, seal: batches.before, log: Frontier::new(), stop: None };
    while scanned.end < batches.length {
        let read = match batches.read(source)? {
            Ok(batch) => decode(&batch, &start.header, scanned.log.size()).map(|entries| (batch, entries)),
            Err(stop) => Err(stop),
        };
        match read {
            Err(stop) => {
                scanned.stop = Some(stop);
                break;
            }
            Ok((batch, entries)) => {
                // The walk advances only over whole batches, so that a torn one leaves nothing behind.
                batches.advance(&batch);
                (scanned.end, scanned.seal) = (batches.at, batches.before);
                scanned.log.extend(entries.iter().map(|entry| entry.leaf));
                entries.into_iter().for_each(&mut keep);
            }
        }
    }
    Ok(scanned)
}

/// Position of a walk over batches, and the seal that the next batch is checked against.
pub(crate) struct BatchWalk<'a> {
    pub(crate) at: u64,
    /// Where the next batch stood in the file as it was written.
    pub(crate) written_at: u64,
    /// The file's.
    pub(crate) length: u64,
    start: &'a FileStart,
    /// The seal of the batch before.
    before: Digest,
}

impl<'a> BatchWalk<'a> {
    pub(crate) fn new(length: u64, start: &'a FileStart) -> Self {
        let at = HEADER_BYTES as u64;
        Self { at, written_at: at, length, start, before: start.first_seal }
    }

    pub(crate) fn read<S: SegmentSource>(
        &self,
        source: &mut S,
    ) -> Result<Result<RecordBatch, ScanStop>, S::Error> {
        match self.start.form {
            Form::Whole => read_batch(source, self),
            Form::WithoutBlobs => removed::read_batch(source, self),
        }
    }

    pub(crate) fn advance(&mut self, batch: &RecordBatch) {
        self.at += batch.bytes;
        self.written_at = batch.header.end();
        self.before = batch.seal;
    }

    /// The header of a batch that was written at this walk's place.
    pub(crate) fn header(&self, bytes: &[u8]) -> Option<BatchHeader> {
        BatchHeader::from_bytes(bytes, self.written_at, &self.start.first_seal)
    }

    /// The seal of a batch with these leaves behind the one before.
    pub(crate) fn seal(&self, header: &BatchHeader, leaves: &[Digest]) -> Digest {
        seal(&self.before, &header.to_bytes(&self.start.first_seal), leaves)
    }

    pub(crate) fn stop(&self, cause: Defect, torn: bool) -> ScanStop {
        ScanStop { error: SegmentError { offset: self.at, cause }, torn }
    }
}

/// A batch whose seal is right.
pub(crate) struct RecordBatch {
    pub(crate) header: BatchHeader,
    /// Bytes that it takes in this file.
    pub(crate) bytes: u64,
    pub(crate) body: Vec<u8>,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) seal: Digest,
}

/// A record's payload, by its leaf.
pub(crate) struct Payload {
    pub(crate) leaf: Digest,
    /// Within the body; `None` where it was removed.
    pub(crate) range: Option<Range<usize>>,
}

fn read_batch<S: SegmentSource>(
    source: &mut S,
    walk: &BatchWalk<'_>,
) -> Result<Result<RecordBatch, ScanStop>, S::Error> {
    let remaining = walk.length - walk.at;
    if remaining < BATCH_HEADER_BYTES as u64 {
        // A crash may cut a write anywhere, within the header too.
        return Ok(Err(walk.stop(Defect::BatchCutShort, true)));
    }
    let header_bytes = read(source, walk.at, BATCH_HEADER_BYTES as u64)?;
    let Some(header) = walk.header(&header_bytes) else {
        // A last batch whose first sector was never written; with another batch behind it, it was not the last.
        let torn = has_unwritten_sector(&header_bytes, walk.at) && !has_batch_behind(source, walk)?;
        return Ok(Err(walk.stop(Defect::BatchHeader, torn)));
    };
    // Checked before the allocation: the length comes from the file, and a header can be forged.
    if u64::from(header.length) > BATCH_BYTES_MAX as u64 {
        return Ok(Err(walk.stop(Defect::BatchTooLarge { bytes: header.length }, false)));
    }
    if header.end() > walk.length {
        return Ok(Err(walk.stop(Defect::BatchCutShort, true)));
    }
    let body_at = walk.at + BATCH_HEADER_BYTES as u64;
    let mut body = read(source, body_at, u64::from(header.length) + SEAL_BYTES as u64)?;
    let written = body.split_off(body.len() - SEAL_BYTES);
    if let Some(payloads) = split(&body, header.records) {
        let leaves: Vec<Digest> = payloads.iter().map(|payload| payload.leaf).collect();
        let computed = walk.seal(&header, &leaves);
        if written == computed.as_bytes() {
            let bytes = header.end() - header.offset;
            return Ok(Ok(RecordBatch { header, bytes, body, payloads, seal: computed }));
        }
    }
    body.extend(written);
    // The sector that holds the end of the intact header was written, whatever else it holds.
    let in_that_sector = (body_at.next_multiple_of(SECTOR_BYTES) - body_at) as usize;
    let rest = body.get(in_that_sector..).unwrap_or_default();
    let torn = header.end() == walk.length && has_unwritten_sector(rest, body_at + in_that_sector as u64);
    Ok(Err(walk.stop(Defect::Seal, torn)))
}

/// The payloads of a body; `None` unless they fill it exactly.
fn split(body: &[u8], records: u32) -> Option<Vec<Payload>> {
    let mut payloads = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let length: &[u8; LENGTH_BYTES] = body[at..].first_chunk()?;
        let start = at + LENGTH_BYTES;
        at = start.checked_add(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        payloads.push(Payload { leaf: leaf_hash(body.get(start..at)?), range: Some(start..at) });
    }
    (payloads.len() as u64 == u64::from(records)).then_some(payloads)
}

fn decode(batch: &RecordBatch, header: &SegmentHeader, first_index: u64) -> Result<Vec<Entry>, ScanStop> {
    let mut entries = Vec::with_capacity(batch.payloads.len());
    for (index, Payload { leaf, range }) in (first_index..).zip(&batch.payloads) {
        let leaf = *leaf;
        let offset = batch.header.offset + BATCH_HEADER_BYTES as u64;
        let Some(range) = range else {
            entries.push(Entry { place: Place { index, offset, length: 0 }, leaf, record: None });
            continue;
        };
        let offset = offset + range.start as u64;
        let stop = |cause| ScanStop { error: SegmentError { offset, cause }, torn: false };
        let read = format::record(&batch.body[range.clone()], index).map_err(stop)?;
        // A seal says that the bytes are intact, not that they belong here.
        if !header.owns(&read.1) {
            return Err(stop(Defect::Misplaced { index }));
        }
        entries.push(Entry { place: Place { index, offset, length: range.len() }, leaf, record: Some(read) });
    }
    Ok(entries)
}

pub(crate) fn read<S: SegmentSource>(source: &mut S, offset: u64, length: u64) -> Result<Vec<u8>, S::Error> {
    let mut bytes = vec![0; usize::try_from(length).expect("files fit the address space")];
    source.fill(offset, &mut bytes)?;
    Ok(bytes)
}

/// True if some sector's share of these bytes of a file is all zeros.
fn has_unwritten_sector(bytes: &[u8], offset: u64) -> bool {
    let to_boundary = (SECTOR_BYTES - offset % SECTOR_BYTES) as usize;
    let (first, rest) = bytes.split_at(to_boundary.min(bytes.len()));
    let mut sectors = std::iter::once(first).chain(rest.chunks(SECTOR_BYTES as usize));
    sectors.any(|sector| !sector.is_empty() && sector.iter().all(|byte| *byte == 0))
}

fn has_batch_behind<S: SegmentSource>(source: &mut S, walk: &BatchWalk<'_>) -> Result<bool, S::Error> {
    let mut at = walk.at + 1;
    while at < walk.length {
        // Windows overlap by a header, so that one across a border is found.
        let window = read(source, at, (walk.length - at).min((WINDOW_BYTES + BATCH_HEADER_BYTES) as u64))?;
        // Batches start at any byte, so every offset is tried; the magic bytes rule nearly all of them out.
        for start in 0..window.len().min(WINDOW_BYTES) {
            let bytes = &window[start..];
            let offset = at + start as u64;
            if BatchHeader::could_start(bytes)
                && BatchHeader::from_bytes(bytes, offset, &walk.start.first_seal).is_some()
            {
                return Ok(true);
            }
        }
        at += WINDOW_BYTES as u64;
    }
    Ok(false)
}
