//! A file whose blobs were removed: the hash of its leaf stands where a blob stood, and all else is as it was written.
//!
//! So seals, roots and proofs are those of the whole file. It is written in one piece, and nothing in it is ever torn.

use weighhouse_types::{Digest, Record};

use crate::error::{Defect, SegmentError};
use crate::format::{self, BATCH_HEADER_BYTES, Form, LENGTH_BYTES, SEAL_BYTES};
use crate::limits::BATCH_BYTES_MAX;
use crate::scan::{self, BatchWalk, Payload, RecordBatch, ScanStop, SegmentSource, read};

/// In a payload's length: it was removed, and its leaf hash follows. Payloads are far shorter.
const REMOVED: u32 = 1 << 31;
const LEAF_BYTES: usize = 32;

/// The file without its blobs; `None` where they are removed already.
pub(crate) fn without_blobs(mut file: &[u8]) -> Result<Option<Vec<u8>>, SegmentError> {
    let Ok(start) = scan::read_header(&mut file);
    let start = start?;
    if start.form == Form::WithoutBlobs {
        return Ok(None);
    }
    let mut bytes = start.header.to_bytes(Form::WithoutBlobs);
    let mut walk = BatchWalk::new(file.len() as u64, &start);
    let mut index = 0;
    while walk.at < walk.length {
        let Ok(batch) = walk.read(&mut file);
        let batch = batch.map_err(|stop| stop.error)?;
        let offset = walk.at;
        let stop = |cause| SegmentError { offset, cause };
        let mut body = Vec::new();
        for Payload { leaf, range } in &batch.payloads {
            let payload = &batch.body[range.clone().unwrap_or_default()];
            let length = u32::try_from(payload.len()).expect("a record's limit is far below 2 GiB");
            let (_, record) = format::record(payload, index).map_err(stop)?;
            if matches!(record, Record::Blob(_)) {
                body.extend((length | REMOVED).to_le_bytes());
                body.extend(leaf.as_bytes());
            } else {
                body.extend(length.to_le_bytes());
                body.extend(payload);
            }
            index += 1;
        }
        bytes.extend(batch.header.to_bytes(&start.first_seal));
        bytes.extend(u32::try_from(body.len()).expect("no longer than a batch may be").to_le_bytes());
        bytes.extend(body);
        bytes.extend(batch.seal.as_bytes());
        walk.advance(&batch);
    }
    Ok(Some(bytes))
}

/// A batch as [`without_blobs`] writes it: its first header, the length of what is left, that, and its first seal.
pub(crate) fn read_batch<S: SegmentSource>(
    source: &mut S,
    walk: &BatchWalk<'_>,
) -> Result<Result<RecordBatch, ScanStop>, S::Error> {
    const HEAD: usize = BATCH_HEADER_BYTES + LENGTH_BYTES;
    let stop = |cause| Ok(Err(walk.stop(cause, false)));
    let remaining = walk.length - walk.at;
    if remaining < HEAD as u64 {
        return stop(Defect::BatchCutShort);
    }
    let head = read(source, walk.at, HEAD as u64)?;
    let Some(header) = walk.header(&head) else { return stop(Defect::BatchHeader) };
    let length = head.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    // Before the allocation: the header may be forged.
    if u64::from(header.length.max(length)) > BATCH_BYTES_MAX as u64 {
        return stop(Defect::BatchTooLarge { bytes: header.length.max(length) });
    }
    let bytes = HEAD as u64 + u64::from(length) + SEAL_BYTES as u64;
    if bytes > remaining {
        return stop(Defect::BatchCutShort);
    }
    let mut body = read(source, walk.at + HEAD as u64, u64::from(length) + SEAL_BYTES as u64)?;
    let written = body.split_off(body.len() - SEAL_BYTES);
    let Some(payloads) = split(&body, header.records, header.length) else { return stop(Defect::Seal) };
    let leaves: Vec<Digest> = payloads.iter().map(|payload| payload.leaf).collect();
    let seal = walk.seal(&header, &leaves);
    if written != seal.as_bytes() {
        return stop(Defect::Seal);
    }
    Ok(Ok(RecordBatch { header, bytes, body, payloads, seal }))
}

/// The payloads of a body and the places of those that were removed; `None` unless they fill it exactly, and took as much as the
/// header says.
fn split(body: &[u8], records: u32, written: u32) -> Option<Vec<Payload>> {
    let mut payloads = Vec::new();
    let (mut at, mut took) = (0, 0_u64);
    while at < body.len() {
        let length = u32::from_le_bytes(*body[at..].first_chunk::<LENGTH_BYTES>()?);
        let start = at + LENGTH_BYTES;
        took += LENGTH_BYTES as u64 + u64::from(length & !REMOVED);
        if length & REMOVED != 0 {
            at = start + LEAF_BYTES;
            let leaf = Digest(body.get(start..at)?.try_into().ok()?);
            payloads.push(Payload { leaf, range: None });
        } else {
            at = start.checked_add(usize::try_from(length).ok()?)?;
            let leaf = weighhouse_merkle::leaf_hash(body.get(start..at)?);
            payloads.push(Payload { leaf, range: Some(start..at) });
        }
    }
    (payloads.len() as u64 == u64::from(records) && took == u64::from(written)).then_some(payloads)
}
