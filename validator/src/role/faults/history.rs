//! What holds of a validator's files whatever befell it, checked by name.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use weighhouse_journal::{Segment, epoch_of_name, segment_name};
use weighhouse_merkle::{Checkpoint, Frontier, SignedNote};
use weighhouse_types::{Digest, Epoch, Mark, Record, Uid};

use super::disk::Disk;
use super::ensure;
use crate::audit::{audit, audit_taken_over};
use crate::publish::stored;
use crate::role::Validator;

const KEPT: &str = "no acknowledged record is lost";
const AUDITED: &str = "the audit of every epoch has no problems";
const GROWS: &str = "checkpoints verify and only grow";
const FULL_MARKS: &str = "who answered honestly has full marks";

/// Records that were visible, by epoch: how many, and the root over them.
#[derive(Debug, Default)]
pub(super) struct History(BTreeMap<Epoch, (u64, Digest)>);

impl History {
    /// Takes note of what a validator shows.
    pub(super) fn note(&mut self, validator: &Validator) {
        let journal = validator.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, log)) = journal.current_epoch().zip(journal.log()) {
            self.saw(epoch, log.size(), log.root());
        }
    }

    pub(super) fn saw(&mut self, epoch: Epoch, size: u64, root: Digest) {
        self.0.insert(epoch, (size, root));
    }

    /// What was visible is a prefix of what the files hold. Files before the newest two may have been removed.
    pub(super) fn check(&self, disk: &Disk, removes: bool) -> Result<(), String> {
        let newest = files(disk)?.keys().next_back().map_or(0, |epoch| epoch.0);
        for (epoch, (size, root)) in &self.0 {
            let Some(file) = disk.file(&segment_name(*epoch)) else {
                ensure(removes && epoch.0 + 2 <= newest, || {
                    format!("{KEPT}: the file of epoch {epoch} is gone")
                })?;
                continue;
            };
            let segment = Segment::read(&file).map_err(|error| format!("{KEPT}: epoch {epoch}: {error}"))?;
            let mut log = Frontier::new();
            let size_in_memory = usize::try_from(*size).expect("few");
            log.extend(segment.leaves().iter().take(size_in_memory).copied());
            ensure((log.size(), log.root()) == (*size, *root), || {
                format!(
                    "{KEPT}: {size} records of epoch {epoch} were visible, {} are there",
                    segment.leaves().len()
                )
            })?;
        }
        Ok(())
    }
}

fn files(disk: &Disk) -> Result<BTreeMap<Epoch, Vec<u8>>, String> {
    let names = disk.names().into_iter().filter_map(|name| Some((epoch_of_name(&name)?, disk.file(&name)?)));
    Ok(names.collect())
}

/// All records on the disk, in the order of their files.
pub(super) fn records(disk: &Disk) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for (epoch, file) in files(disk)? {
        let segment = Segment::read(&file).map_err(|error| format!("{KEPT}: epoch {epoch}: {error}"))?;
        records.extend(segment.into_records());
    }
    Ok(records)
}

/// Every file is sound by itself and goes on from the one before.
pub(super) fn audits(disk: &Disk) -> Result<(), String> {
    let files = files(disk)?;
    let mut before: Option<&Vec<u8>> = None;
    for (epoch, file) in &files {
        let segment = Segment::read(file).map_err(|error| format!("{AUDITED}: epoch {epoch}: {error}"))?;
        // A power cut may leave the newest file without a context.
        let is_opened = segment.records().iter().any(|record| matches!(record, Record::EpochOpened(_)));
        if !is_opened && files.keys().next_back() == Some(epoch) {
            continue;
        }
        let audited = audit(file).map_err(|error| format!("{AUDITED}: epoch {epoch}: {error}"))?;
        ensure(audited.problems.is_empty(), || format!("{AUDITED}: epoch {epoch}: {:?}", audited.problems))?;
        if let Some(before) = before.replace(file) {
            let found = audit_taken_over(before, file).map_err(|error| format!("{AUDITED}: {error}"))?;
            ensure(found.problems.is_empty() && found.fork.is_none(), || {
                format!("{AUDITED}: epoch {epoch} after the one before: {:?}", found.problems)
            })?;
            // Neither a key nor an end that can't be read becomes a new log.
            let anew = found.changed.iter().find(|what| what.contains("log"));
            ensure(anew.is_none(), || {
                format!("a fault is no default: epoch {epoch}: {}", anew.map_or("", |what| what))
            })?;
        }
    }
    grows(&records(disk)?)
}

fn grows(records: &[Record]) -> Result<(), String> {
    let mut last = (Epoch(0), 0);
    for record in records {
        let Record::Checkpoint(checkpoint) = record else { continue };
        let note = SignedNote::parse(&checkpoint.note).map_err(|error| format!("{GROWS}: {error}"))?;
        let size = Checkpoint::of(&note).map_err(|error| format!("{GROWS}: {error}"))?.size;
        let is_more = size > last.1 || (checkpoint.epoch, size) == last;
        ensure(is_more, || {
            format!("{GROWS}: {size} records in epoch {} after {}", checkpoint.epoch, last.1)
        })?;
        last = (checkpoint.epoch, size);
    }
    Ok(())
}

/// Verdicts on those who answer, and the weights that follow.
pub(super) fn full_marks(disk: &Disk, honest: &[Uid]) -> Result<(), String> {
    for record in records(disk)? {
        match record {
            Record::Judged(judged) if honest.contains(&judged.uid) => {
                let judgement = &judged.judgement;
                ensure(judgement.mark == Mark::MAX, || {
                    format!("{FULL_MARKS}: uid {} in epoch {}: {judgement:?}", judged.uid, judged.epoch)
                })?;
            }
            Record::Intent(intent) => {
                let expected: Vec<_> = honest.iter().map(|uid| (*uid, u16::MAX)).collect();
                let mut shown = stored(&intent);
                shown.retain(|(_, weight)| *weight > 0);
                ensure(shown == expected, || {
                    format!("{FULL_MARKS}: epoch {} weighs {shown:?}", intent.epoch)
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}
