//! A validator that goes on on another machine: one file carries what a start reads of its journal, verbatim.
//!
//! That is the file of the newest epoch (context, carried standings, trails, checks, challenges that await their truth with their blobs), and
//! those before it in which an intent may still be open. What was signed for an epoch stands in them, so that the new machine
//! publishes no epoch a second time.
//!
//! **Invariant:** of the old folder and the new one, at most one can be run. The old one is marked before the file is made, and the new one
//! until it is whole: two machines with one hotkey would miss each other's commits.

mod container;
mod error;
mod mark;

use std::io::{Read, Write};

use weighhouse_journal::{Identity, Journal, Segment, publications, segment_name};
use weighhouse_seams::Storage;
use weighhouse_types::{Digest, Epoch, Record};

use container::Reader;

pub use container::{CONTAINER_VERSION, HighWater};
pub use error::MovingError;
pub use mark::{MarkError, refuse_moved};

/// The most files that are carried: the longest reveal period of a chain, and a few around it.
const FILES_MAX: usize = 128;

/// What was carried.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Carried {
    pub validator: weighhouse_types::Hotkey,
    pub netuid: weighhouse_types::Netuid,
    pub mechanism: weighhouse_types::MechId,
    pub genesis: Digest,
    pub epochs: Vec<Epoch>,
    pub bytes: u64,
    pub high_water: HighWater,
    /// Epochs whose weights are on their way to the chain.
    pub open_intents: Vec<Epoch>,
}

/// Writes the container of a folder's journal, and marks the folder as moved `to` that file.
///
/// The caller holds the folder, so that no validator runs on it, and puts the file in its place only once this has returned; where that
/// fails, [`take_back`] unmarks the folder.
///
/// # Errors
/// A folder of somebody else, without a journal, or moved already; one that can't be read or written. The folder then stays as it was.
pub fn export(
    storage: std::sync::Arc<dyn Storage>,
    expected: &Expected,
    to: &str,
    out: &mut impl Write,
) -> Result<Carried, MovingError> {
    refuse_moved(&*storage)?;
    let identity = newest_identity(&*storage)?;
    expected.check(&identity)?;
    // Cuts off a torn end as a start would, so that the file is the one that a start reads.
    let journal = Journal::open(storage.clone(), identity)?;
    let needed = needed(&journal)?;
    mark::set(&*storage, &mark::Mark::Moved { to: to.to_owned() })?;
    let written = container::write(&*storage, identity, &needed, out);
    if written.is_err() {
        // What can't be unmarked either says by itself how to take it back.
        let _ = mark::clear(&*storage);
    }
    written
}

/// Unmarks a folder that was moved, for a file that was imported nowhere.
///
/// # Errors
/// A folder that wasn't moved, or can't be written.
pub fn take_back(storage: &dyn Storage) -> Result<(), MovingError> {
    mark::clear_moved(storage)
}

/// Reads a container into an empty folder. It is whole or can't be run: an import that was cut off is begun anew by importing again.
///
/// # Errors
/// A container of another version, validator or subnet, a damaged one, or a folder that holds anything. Nothing is changed then.
pub fn import(
    storage: &dyn Storage,
    expected: &Expected,
    from: &mut (impl Read + std::io::Seek),
) -> Result<Carried, MovingError> {
    refuse_filled(storage)?;
    // Twice through the file: everything is checked before the first byte is written.
    let manifest = Reader::open(from)?.check(expected)?;
    mark::set(storage, &mark::Mark::Importing)?;
    // Of an import that was cut off, and perhaps of another file.
    for name in segment_files(storage)? {
        let failed = |source| MovingError::Write { file: storage.describe(&name), source };
        storage.remove(&name).map_err(failed)?;
    }
    let mut reader = Reader::open(from)?;
    while let Some((file, bytes)) = reader.next_file()? {
        storage.write_atomic(&segment_name(file.epoch), &bytes).map_err(|source| MovingError::Write {
            file: storage.describe(&segment_name(file.epoch)),
            source,
        })?;
    }
    // The bytes may have changed since they were checked; then the mark stays.
    reader.finish()?;
    mark::clear(storage)?;
    Ok(manifest)
}

/// Whose validator a configuration is.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub validator: weighhouse_types::Hotkey,
    pub netuid: weighhouse_types::Netuid,
    pub mechanism: weighhouse_types::MechId,
    /// Where the configuration pins it.
    pub genesis: Option<Digest>,
}

impl Expected {
    fn check(&self, found: &Identity) -> Result<(), MovingError> {
        let differs = |what, found: String, expected: String| {
            if found == expected { Ok(()) } else { Err(MovingError::Foreign { what, found, expected }) }
        };
        differs("hotkey", found.validator.to_string(), self.validator.to_string())?;
        differs("netuid", found.netuid.to_string(), self.netuid.to_string())?;
        differs("mechanism", found.mechanism.to_string(), self.mechanism.to_string())?;
        match self.genesis {
            Some(genesis) => differs("genesis", found.genesis.to_string(), genesis.to_string()),
            None => Ok(()),
        }
    }
}

/// Epochs whose files a start reads, ascending.
fn needed(journal: &Journal) -> Result<Vec<Epoch>, MovingError> {
    let epochs = journal.epochs();
    let (mut needed, mut context_seen, mut span) = (Vec::new(), false, 2);
    for epoch in epochs.iter().rev().take(FILES_MAX) {
        let records = journal.read_epoch(*epoch)?;
        let reveal_period = records.iter().find_map(|record| match record {
            Record::EpochOpened(context) => Some(context.state.hyperparameters.reveal_period_epochs),
            _ => None,
        });
        needed.push(*epoch);
        if let Some(period) = reveal_period {
            context_seen = true;
            // As many as hold the news of an intent: its own, those until its reveal, and one more.
            span = span.max(usize::try_from(period).unwrap_or(FILES_MAX).saturating_add(2));
        }
        if context_seen && needed.len() >= span {
            break;
        }
    }
    if needed.is_empty() {
        return Err(MovingError::NoJournal);
    }
    needed.reverse();
    Ok(needed)
}

fn newest_identity(storage: &dyn Storage) -> Result<Identity, MovingError> {
    let newest = segment_files(storage)?.pop().ok_or(MovingError::NoJournal)?;
    let bytes = storage
        .read(&newest)
        .map_err(|source| MovingError::Read { file: storage.describe(&newest), source })?;
    weighhouse_journal::read_header(&bytes.unwrap_or_default())
        .map(|header| header.identity)
        .map_err(|source| MovingError::Segment { file: storage.describe(&newest), source })
}

/// Names of a folder's segments, ascending by epoch.
fn segment_files(storage: &dyn Storage) -> Result<Vec<String>, MovingError> {
    let names = storage.list().map_err(|source| MovingError::Read { file: storage.describe(""), source })?;
    Ok(names.into_iter().filter(|name| weighhouse_journal::epoch_of_name(name).is_some()).collect())
}

/// Refuses a folder that holds anything but its lock, or the beginning of an import.
fn refuse_filled(storage: &dyn Storage) -> Result<(), MovingError> {
    let folder = storage.describe("");
    if mark::is_importing(storage)? {
        return Ok(());
    }
    if let Some(newest) = segment_files(storage)?.pop() {
        return Err(MovingError::HoldsJournal { folder, newest });
    }
    let names = storage.list().map_err(|source| MovingError::Read { file: folder.clone(), source })?;
    match names.into_iter().find(|name| name != LOCK && !name.starts_with('.')) {
        Some(name) => Err(MovingError::NotEmpty { folder, name }),
        None => Ok(()),
    }
}

/// The file by which a process holds the folder.
const LOCK: &str = "LOCK";

/// The last epoch that anything was signed for, and the intent; and what is still open.
fn high_water(segments: &[Record], epochs: &[Epoch]) -> (HighWater, Vec<Epoch>) {
    let publications = publications(segments);
    let signed = publications.values().rev().find(|publication| publication.state.is_some());
    let open = publications.values().filter(|publication| !publication.is_closed());
    let open = open.map(|publication| publication.intent.epoch).collect();
    let high_water = HighWater {
        epoch: epochs.last().copied().unwrap_or_default(),
        signed: signed.map(|publication| (publication.intent.epoch, publication.intent.id)),
    };
    (high_water, open)
}

/// The intents of a segment and their news.
fn of_intents(segment: Segment) -> Vec<Record> {
    let mut records = segment.into_records();
    records.retain(|record| matches!(record, Record::Intent(_) | Record::IntentUpdate(_)));
    records
}

#[cfg(test)]
mod tests;
