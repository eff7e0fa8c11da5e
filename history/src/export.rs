//! A journal's epochs, one after the other, into the four tables. What is held in memory is one epoch's file, a row
//! group of each table, and a bounded number of epochs whose vector is not settled.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use weighhouse_journal::Segment;
use weighhouse_types::{Digest, Epoch, Hasher, Record, RegistrationId, Uid};

use crate::columns::Cell;
use crate::error::ExportError;
use crate::held::{self, Held, HeldEpoch};
use crate::rows::{self, Addresses, WeightRow};
use crate::schema::{FORMAT_VERSION, Table};
use crate::source::{EpochFile, Source};
use crate::table::{TableWriter, sync_dir};
use crate::words;

/// The largest epoch file that is read into memory.
pub const SEGMENT_BYTES_MAX: u64 = 4 << 30;
/// The most epochs whose rows wait for news of their vector.
pub const HELD_EPOCHS_MAX: usize = 1024;

/// What to export, and where to.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// A validator's journal folder. It is only read, and may be in use.
    pub journal: PathBuf,
    /// Made if need be.
    pub out: PathBuf,
    /// The first epoch; `None`: the journal's.
    pub from: Option<Epoch>,
    /// The last epoch; `None`: the journal's.
    pub to: Option<Epoch>,
    /// Whether tables that are there already are replaced.
    pub overwrite: bool,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportProgress {
    /// The epoch just read.
    pub epoch: Epoch,
    /// Epochs read so far, and to be read in all.
    pub done: usize,
    pub epochs: usize,
    pub judgements: u64,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub first: Epoch,
    pub last: Epoch,
    /// Rows by table.
    pub epochs: u64,
    pub judgements: u64,
    pub standings: u64,
    pub weights: u64,
    /// Epochs whose vector is neither published nor failed, as far as the journal says.
    pub unsettled: u64,
    /// Bytes at the journal's end that were not a whole commit when they were read, and are not in the tables.
    pub unfinished_bytes: u64,
    /// Bytes of the four files.
    pub bytes: u64,
    /// What stands in each file's metadata: a digest of the range and of the evidence read.
    pub export: Digest,
}

/// Exports a journal. Nothing has a table's name before all tables are whole. `progress` is told each epoch that was
/// read, and can stop the export there.
///
/// # Errors
/// When stopped; where the journal can't be read as one validator's, a table exists and may not be replaced, or a file can't be
/// written. The folder then has what it had, unless it was the renaming of finished tables that failed.
pub fn export(
    request: &ExportRequest,
    progress: &mut dyn FnMut(ExportProgress) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    export_holding(request, HELD_EPOCHS_MAX, progress)
}

pub(crate) fn export_holding(
    request: &ExportRequest,
    held_max: usize,
    progress: &mut dyn FnMut(ExportProgress) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    let mut source = Source::open(&request.journal)?;
    let range = range(&source, request)?;
    let (first, last) = (range[0], range[range.len() - 1]);
    check_absent(request)?;
    let mut output = Output::create(&request.out)?;
    let mut held = Held::new(held_max);
    let mut evidence = Hasher::new("weighhouse/history/export/v1")
        .part(FORMAT_VERSION.as_bytes())
        .part(&first.0.to_le_bytes())
        .part(&last.0.to_le_bytes());
    let mut unfinished_bytes = 0;
    for (at, epoch) in range.iter().enumerate() {
        let read = source.read(*epoch)?;
        unfinished_bytes += read.unfinished_bytes;
        evidence = sealed(evidence, &read);
        held.hear(&read.segment)?;
        output.add(&read.segment)?;
        held.push(HeldEpoch::of(&read.segment));
        while let Some(ready) = held.next_ready() {
            output.add_settled(&ready)?;
        }
        let judgements = output.rows(Table::Judgements);
        let reached = ExportProgress { epoch: *epoch, done: at + 1, epochs: range.len(), judgements };
        if progress(reached).is_break() {
            return Err(ExportError::Stopped { after: *epoch });
        }
    }
    let later: Vec<Epoch> = source.epochs.iter().copied().filter(|epoch| *epoch > last).collect();
    for epoch in later {
        if !held.is_waiting() {
            break;
        }
        let read = source.read(epoch)?;
        evidence = sealed(evidence, &read);
        held.hear(&read.segment)?;
        while let Some(ready) = held.next_ready() {
            output.add_settled(&ready)?;
        }
    }
    for rest in held.into_rest() {
        output.add_settled(&rest)?;
    }
    output.finish(Evidence { first, last, unfinished_bytes, digest: evidence.finish() })
}

fn sealed(evidence: Hasher, read: &EpochFile) -> Hasher {
    evidence.part(&read.segment.header().epoch.0.to_le_bytes()).part(read.segment.root().as_bytes())
}

/// The journal's epochs within the range asked for; at least one.
fn range(source: &Source, request: &ExportRequest) -> Result<Vec<Epoch>, ExportError> {
    let (first, last) = (source.epochs[0], source.epochs[source.epochs.len() - 1]);
    let (from, to) = (request.from.unwrap_or(first), request.to.unwrap_or(last));
    let epochs: Vec<Epoch> =
        source.epochs.iter().copied().filter(|epoch| (from..=to).contains(epoch)).collect();
    if epochs.is_empty() {
        return Err(ExportError::NoEpoch { from, to, first, last });
    }
    Ok(epochs)
}

fn check_absent(request: &ExportRequest) -> Result<(), ExportError> {
    let existing = Table::ALL.map(|table| table.path(&request.out)).into_iter().find(|path| path.exists());
    match existing {
        Some(file) if !request.overwrite => Err(ExportError::Exists { file }),
        _ => Ok(()),
    }
}

/// What the tables were made from.
struct Evidence {
    first: Epoch,
    last: Epoch,
    unfinished_bytes: u64,
    digest: Digest,
}

/// The four tables being written.
struct Output<'a> {
    dir: &'a Path,
    /// By table.
    tables: [TableWriter; 4],
    unsettled: u64,
    addresses: Addresses,
}

impl<'a> Output<'a> {
    fn create(dir: &'a Path) -> Result<Self, ExportError> {
        std::fs::create_dir_all(dir).map_err(|source| ExportError::Io {
            file: dir.to_owned(),
            doing: "make the folder",
            source,
        })?;
        let create = |table| TableWriter::create(dir, table);
        let [epochs, judgements, standings, weights] = Table::ALL;
        let tables = [create(epochs)?, create(judgements)?, create(standings)?, create(weights)?];
        Ok(Self { dir, tables, unsettled: 0, addresses: Addresses::default() })
    }

    fn rows(&self, table: Table) -> u64 {
        self.tables[table as usize].rows
    }

    fn push<const N: usize>(&mut self, table: Table, row: [Cell; N]) -> Result<(), ExportError> {
        self.tables[table as usize].push(row)
    }

    /// Writes an epoch's judgements and standings, which nothing later changes.
    fn add(&mut self, segment: &Segment) -> Result<(), ExportError> {
        for record in segment.records() {
            let Record::Judged(judged) = record else { continue };
            let row = rows::judgement(judged, &mut self.addresses)?;
            self.push(Table::Judgements, row)?;
        }
        let Some(context) = held::context(segment) else { return Ok(()) };
        let neurons = &context.state.metagraph.neurons;
        let uids: HashMap<RegistrationId, Uid> =
            neurons.iter().map(|neuron| (neuron.registration(), neuron.uid)).collect();
        for standing in &context.carried {
            let uid = uids.get(&standing.who).copied();
            let row = rows::standing(context.epoch, uid, standing, &mut self.addresses)?;
            self.push(Table::Standings, row)?;
        }
        Ok(())
    }

    /// Writes what became of an epoch, and its vectors.
    fn add_settled(&mut self, held: &HeldEpoch) -> Result<(), ExportError> {
        self.unsettled += u64::from(held.is_unsettled());
        let row = rows::epoch(&held.row, &held.outcome(), &mut self.addresses)?;
        self.push(Table::Epochs, row)?;
        for (at, of) in held.intents.iter().enumerate() {
            let entries = of.intent.weights.entries();
            let intent = of.intent.id.to_string().into_bytes().into();
            let total = entries.iter().map(|(_, weight)| u64::from(*weight)).sum();
            for (uid, weight) in entries {
                let row = WeightRow {
                    epoch: held.row.epoch,
                    intent: &intent,
                    uid: *uid,
                    hotkey: held.hotkeys.get(uid.index()),
                    weight: *weight,
                    total,
                    state: words::state(of.state.as_ref()),
                    superseded: at + 1 < held.intents.len(),
                };
                let row = rows::weight(&row, &mut self.addresses)?;
                self.push(Table::Weights, row)?;
            }
        }
        Ok(())
    }

    fn finish(self, evidence: Evidence) -> Result<Exported, ExportError> {
        let Self { dir, tables, unsettled, .. } = self;
        let Evidence { first, last, unfinished_bytes, digest: export } = evidence;
        let [epochs, judgements, standings, weights] = tables.each_ref().map(|table| table.rows);
        let mut finished = Vec::with_capacity(tables.len());
        for table in tables {
            finished.push(table.finish(dir, &export.to_string())?);
        }
        let bytes = finished.iter().map(|table| table.bytes).sum();
        for table in finished {
            table.publish()?;
        }
        sync_dir(dir).map_err(|source| ExportError::Io {
            file: dir.to_owned(),
            doing: "sync the folder",
            source,
        })?;
        Ok(Exported {
            first,
            last,
            epochs,
            judgements,
            standings,
            weights,
            unsettled,
            unfinished_bytes,
            bytes,
            export,
        })
    }
}
