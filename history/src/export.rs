//! A journal's epochs, one after the other, into the four tables. Memory holds one epoch's file, a row group of two tables,
//! and a bounded number of epochs whose vector is not settled.

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Serialize;
use weighhouse_types::{Digest, Epoch, Hasher};

use crate::error::ExportError;
use crate::held::{HeldEpoch, WaitingEpochs};
use crate::limits::HELD_EPOCHS_MAX;
use crate::output::Output;
use crate::schema::{FORMAT_VERSION, TableSchema};
use crate::source::{EpochFile, JournalSource};

/// An export's source, target and range of epochs.
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
    /// Replaces the tables' folders of these epochs where they are there already.
    pub overwrite: bool,
}

/// Progress of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportProgress {
    /// The epoch just read.
    pub epoch: Epoch,
    /// Epochs read so far, and to be read in all.
    pub done: usize,
    pub epochs: usize,
    pub judgements: u64,
}

/// Result of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportReport {
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
    /// Bytes of all files.
    pub bytes: u64,
    /// A digest of the range and of the evidence read.
    pub export: Digest,
}

/// Exports a journal. Nothing has a table's name before everything is whole. `progress` is told each epoch that was
/// read, and can stop the export there.
///
/// # Errors
/// When stopped; where the journal can't be read as one validator's, a table exists and may not be replaced, or a file can't be
/// written. The folder then has what it had, unless it was the renaming of finished tables that failed.
pub fn export(
    request: &ExportRequest,
    progress: &mut dyn FnMut(ExportProgress) -> ControlFlow<()>,
) -> Result<ExportReport, ExportError> {
    export_holding(request, HELD_EPOCHS_MAX, progress)
}

pub(crate) fn export_holding(
    request: &ExportRequest,
    held_max: usize,
    progress: &mut dyn FnMut(ExportProgress) -> ControlFlow<()>,
) -> Result<ExportReport, ExportError> {
    let mut source = JournalSource::open(&request.journal)?;
    let range = range(&source, request)?;
    let (first, last) = (range[0], range[range.len() - 1]);
    // Before anything is made, so that a refused export leaves nothing behind.
    check_absent(request, &range)?;
    let mut output = Output::create(&request.out)?;
    let mut waiting = WaitingEpochs::new(held_max);
    let mut evidence = Hasher::new("weighhouse/history/export/v2")
        // The same evidence in another version's columns is another export.
        .part(FORMAT_VERSION.as_bytes())
        .part(&first.0.to_le_bytes())
        .part(&last.0.to_le_bytes());
    let mut unfinished_bytes = 0;
    for (at, epoch) in range.iter().enumerate() {
        let read = source.read(*epoch)?;
        unfinished_bytes += read.unfinished_bytes;
        evidence = sealed(evidence, &read);
        waiting.take_updates(&read.segment)?;
        output.add(&read.segment)?;
        waiting.push(HeldEpoch::of(&read.segment));
        while let Some(ready) = waiting.next_ready() {
            output.add_settled(&ready)?;
        }
        let judgements = output.rows(TableSchema::Judgements);
        let reached = ExportProgress { epoch: *epoch, done: at + 1, epochs: range.len(), judgements };
        if progress(reached).is_break() {
            return Err(ExportError::Stopped { after: *epoch });
        }
    }
    // Epochs behind the range are read only for news of vectors within it.
    let later: Vec<Epoch> = source.epochs.iter().copied().filter(|epoch| *epoch > last).collect();
    for epoch in later {
        if !waiting.is_waiting() {
            break;
        }
        let read = source.read(epoch)?;
        // Their news ends up in the tables, so they count as evidence.
        evidence = sealed(evidence, &read);
        waiting.take_updates(&read.segment)?;
        while let Some(ready) = waiting.next_ready() {
            output.add_settled(&ready)?;
        }
    }
    for rest in waiting.into_rest() {
        output.add_settled(&rest)?;
    }
    let [epochs, judgements, standings, weights] = TableSchema::ALL.map(|table| output.rows(table));
    let exported = ExportReport {
        first,
        last,
        epochs,
        judgements,
        standings,
        weights,
        unsettled: output.unsettled,
        unfinished_bytes,
        bytes: output.bytes(),
        export: evidence.finish(),
    };
    output.publish()?;
    Ok(exported)
}

fn sealed(evidence: Hasher, read: &EpochFile) -> Hasher {
    evidence.part(&read.segment.header().epoch.0.to_le_bytes()).part(read.segment.root().as_bytes())
}

/// The journal's epochs within the range asked for; at least one.
fn range(source: &JournalSource, request: &ExportRequest) -> Result<Vec<Epoch>, ExportError> {
    let (first, last) = (source.epochs[0], source.epochs[source.epochs.len() - 1]);
    let (from, to) = (request.from.unwrap_or(first), request.to.unwrap_or(last));
    let epochs: Vec<Epoch> =
        source.epochs.iter().copied().filter(|epoch| (from..=to).contains(epoch)).collect();
    if epochs.is_empty() {
        return Err(ExportError::NoEpoch { from, to, first, last });
    }
    Ok(epochs)
}

fn check_absent(request: &ExportRequest, range: &[Epoch]) -> Result<(), ExportError> {
    if request.overwrite {
        return Ok(());
    }
    let mut files =
        range.iter().flat_map(|epoch| TableSchema::ALL.map(|table| table.partition(&request.out, *epoch)));
    match files.find(|file| file.exists()) {
        Some(file) => Err(ExportError::Exists { file }),
        None => Ok(()),
    }
}
