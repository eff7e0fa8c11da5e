//! What holds of a validator whatever befell it, checked by name over its files and the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use weighhouse_chain::{Call, CallOutcome, Chain, SignedCall};
use weighhouse_journal::{Segment, epoch_of_name, segment_name};
use weighhouse_merkle::{Checkpoint, Frontier, SignedNote};
use weighhouse_types::{Block, Digest, Epoch, Intent, IntentState, Mark, Record, Uid};

use super::disk::Disk;
use super::ensure;
use super::weather::Weather;
use crate::audit::{audit, audit_taken_over};
use crate::publish::stored;
use crate::role::Validator;

const KEPT: &str = "no acknowledged record is lost";
const AUDITED: &str = "the audit of every epoch has no problems";
const GROWS: &str = "checkpoints verify and only grow";
const ONE_CALL: &str = "one included call and one payload an epoch";
const SHOWN: &str = "nothing is published that the ledger doesn't show";
const FULL_MARKS: &str = "who answered honestly has full marks";
const TOLD: &str = "every epoch is published or told, with a reason";

/// Records that were visible, by epoch: how many, and the root over them.
#[derive(Debug, Default)]
pub(super) struct History(BTreeMap<Epoch, (u64, Digest)>);

impl History {
    /// Takes note of what a validator shows.
    pub(super) fn note(&mut self, validator: &Validator) {
        let journal = validator.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, log)) = journal.current_epoch().zip(journal.log()) {
            self.0.insert(epoch, (log.size(), log.root()));
        }
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

/// What the journal says of publications, beside what the chain was handed.
pub(super) async fn publications(disk: &Disk, weather: &Weather) -> Result<(), String> {
    let records = records(disk)?;
    let mut intents: BTreeMap<Digest, &Intent> = BTreeMap::new();
    let mut journalled: BTreeMap<Digest, Digest> = BTreeMap::new();
    let mut published: Vec<(Digest, Block)> = Vec::new();
    for record in &records {
        match record {
            Record::Intent(intent) => drop(intents.insert(intent.id, intent)),
            Record::IntentUpdate(update) => match &update.state {
                IntentState::Signed { hash, .. }
                | IntentState::Committing { hash, .. }
                | IntentState::Revealing { hash, .. } => drop(journalled.insert(*hash, update.intent)),
                IntentState::Published { block } => published.push((update.intent, *block)),
                _ => {}
            },
            _ => {}
        }
    }
    let mut included = BTreeMap::new();
    for (call, signed) in weather.handed_in() {
        let (stage, is_weights) = match &call {
            Call::SetWeights(_) | Call::CommitWeights { .. } | Call::CommitTimelockedWeights { .. } => {
                (0, true)
            }
            Call::RevealWeights { .. } => (1, true),
            _ => (2, false),
        };
        if !is_weights {
            continue;
        }
        let Some(intent) = journalled.get(&signed.hash).and_then(|id| intents.get(id)) else {
            // Its epoch's file may have been removed meanwhile.
            ensure(weather.forgets(), || format!("{ONE_CALL}: a call was handed in that no record holds"))?;
            continue;
        };
        if let Call::SetWeights(set) | Call::RevealWeights { weights: set, .. } = &call {
            let same = (&set.uids, &set.values) == (&intent.weights.uids(), &intent.weights.values());
            ensure(same, || format!("{ONE_CALL}: epoch {} has another payload", intent.epoch))?;
        }
        if let CallOutcome::Included { block, .. } = outcome(weather, &signed).await? {
            let before: Option<Block> = included.insert((intent.epoch, stage), block);
            ensure(before.is_none(), || {
                format!("{ONE_CALL}: epoch {} in blocks {before:?} and {block}", intent.epoch)
            })?;
        }
    }
    for (id, block) in published {
        let Some(intent) = intents.get(&id) else { continue };
        let shown = weather.weights_at(block);
        let epoch = intent.epoch;
        ensure(included.contains_key(&(epoch, 0)), || {
            format!("{SHOWN}: no call of epoch {epoch} is in a block")
        })?;
        ensure(shown == stored(intent), || format!("{SHOWN}: epoch {epoch} at block {block}: {shown:?}"))?;
    }
    Ok(())
}

async fn outcome(weather: &Weather, signed: &SignedCall) -> Result<CallOutcome, String> {
    weather.ledger.outcome(signed).await.map_err(|error| error.to_string())
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

/// What became of each epoch's weights, in a word; reasons are never empty.
pub(super) fn outcomes(disk: &Disk) -> Result<BTreeMap<Epoch, String>, String> {
    let mut outcomes = BTreeMap::new();
    for record in records(disk)? {
        let (epoch, word) = match &record {
            Record::EpochOpened(context) => (context.epoch, String::new()),
            Record::Abstained { epoch, why } => (*epoch, format!("abstained: {why}")),
            Record::Intent(intent) => (intent.epoch, "under way".to_owned()),
            Record::IntentUpdate(update) => match &update.state {
                IntentState::Published { .. } => (update.epoch, "published".to_owned()),
                IntentState::Failed { why } => (update.epoch, format!("failed: {why}")),
                IntentState::Missed { why } => (update.epoch, format!("missed: {why}")),
                _ => (update.epoch, "under way".to_owned()),
            },
            _ => continue,
        };
        ensure(!word.ends_with(": "), || format!("{TOLD}: epoch {epoch} {word}without a reason"))?;
        outcomes.insert(epoch, word);
    }
    Ok(outcomes)
}

/// Epochs that are over have ended in a word; those in `decided` in one that says what became of their weights.
pub(super) fn told(disk: &Disk, over: Epoch, decided: &BTreeSet<Epoch>) -> Result<(), String> {
    for (epoch, word) in outcomes(disk)? {
        if epoch >= over {
            continue;
        }
        ensure(word != "under way", || format!("{TOLD}: epoch {epoch} is still under way"))?;
        ensure(!word.is_empty() || !decided.contains(&epoch), || {
            format!("{TOLD}: nothing is told of epoch {epoch}")
        })?;
    }
    Ok(())
}
