//! Records a second that the journal makes durable, against the same bytes written and synced by hand in equal batches.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use weighhouse_journal::{BATCH_BYTES_MAX, Identity, Journal, segment_name};
use weighhouse_seams::DirStorage;
use weighhouse_types::{Blob, Digest, Epoch, Hotkey, MechId, Netuid, Record};

use crate::median::median;
use crate::{result, say};

/// Turns that both take.
const TURNS: usize = 15;
/// A round of 256 miners: an answer and a verdict each, of the bytes that digits have.
const RECORDS: usize = 512;
const RECORD_BYTES: usize = 2_300;
const BATCHES: usize = 12;
const GOAL: f64 = 0.8;

pub(crate) fn run() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir_in(std::env::current_dir()?)?;
    let (mut ours, mut theirs, mut file_bytes) = (Vec::new(), Vec::new(), 0);
    say("writing both by turns");
    for turn in 0..TURNS {
        let folder = scratch.path().join(turn.to_string());
        let (time, bytes) = journalled(&folder, turn)?;
        ours.push(time);
        file_bytes = bytes;
        theirs.push(by_hand(&scratch.path().join("by-hand"), bytes)?);
        std::fs::remove_dir_all(&folder).context("the journal's folder")?;
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let a_second = |time: Duration| file_bytes as f64 / time.as_secs_f64();
    let ratio = a_second(ours) / a_second(theirs);
    result(&serde_json::json!({
        "name": "journal", "ours": a_second(ours), "peer": a_second(theirs), "ratio": ratio, "goal": format!("at least {GOAL}"),
        "unit": "bytes a second", "batches": BATCHES, "records_of_a_batch": RECORDS, "bytes": file_bytes,
        "batch_bytes_max": BATCH_BYTES_MAX,
    }));
    Ok(())
}

/// The time of all batches, from the first record to the last sync, and the file's length.
fn journalled(folder: &Path, turn: usize) -> anyhow::Result<(Duration, usize)> {
    let identity = Identity {
        genesis: Digest::of(b"genesis"),
        netuid: Netuid(1),
        mechanism: MechId(0),
        validator: Hotkey([7; 32]),
    };
    let epoch = Epoch(1);
    let mut journal = Journal::open(Arc::new(DirStorage::open(folder)?), identity)?;
    journal.begin_epoch(epoch)?;
    let records: Vec<Vec<Record>> = (0..BATCHES).map(|batch| of_batch(turn * BATCHES + batch)).collect();
    let start = Instant::now();
    for batch in records {
        for record in batch {
            journal.append(record)?;
        }
        journal.commit()?;
    }
    let time = start.elapsed();
    drop(journal);
    let length = std::fs::metadata(folder.join(segment_name(epoch)))?.len();
    Ok((time, usize::try_from(length)?))
}

/// Bytes that no other batch has: what a journal holds already isn't written again.
fn of_batch(batch: usize) -> Vec<Record> {
    let record = |record: usize| {
        let seed = Digest::of(format!("{batch}.{record}").as_bytes());
        let bytes: Vec<u8> = seed.as_bytes().iter().copied().cycle().take(RECORD_BYTES).collect();
        Record::Blob(Blob::new(bytes))
    };
    (0..RECORDS).map(record).collect()
}

/// The time that as many bytes take in as many writes, each followed by `fdatasync`.
fn by_hand(path: &Path, bytes: usize) -> anyhow::Result<Duration> {
    let piece = vec![0x5A; bytes / BATCHES];
    let mut file = File::create(path)?;
    file.sync_all()?;
    let start = Instant::now();
    for _ in 0..BATCHES {
        file.write_all(&piece)?;
        file.sync_data()?;
    }
    Ok(start.elapsed())
}
