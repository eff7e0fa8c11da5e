//! What holds of a validator's publications whatever befell it, checked by name over its journal and the ledger.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_chain::{Call, CallOutcome, Chain as _, SignedCall};
use weighhouse_types::{Block, Digest, Epoch, Intent, IntentState, Record};

use super::disk::Disk;
use super::ensure;
use super::history::records;
use super::weather::Weather;
use crate::publish::stored;

const ONE_CALL: &str = "one included call and one payload an epoch";
const SHOWN: &str = "nothing is published that the ledger doesn't show";
const TOLD: &str = "every epoch is published or told, with a reason";

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
    let included = included(&journalled, &intents, weather).await?;
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

/// The calls in a block, by epoch and stage.
async fn included(
    journalled: &BTreeMap<Digest, Digest>,
    intents: &BTreeMap<Digest, &Intent>,
    weather: &Weather,
) -> Result<BTreeMap<(Epoch, u8), Block>, String> {
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
    Ok(included)
}

async fn outcome(weather: &Weather, signed: &SignedCall) -> Result<CallOutcome, String> {
    weather.ledger.outcome(signed).await.map_err(|error| error.to_string())
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
