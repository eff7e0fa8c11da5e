//! The validator's own word on its weights, from its journal.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use weighhouse_journal::read_segment;
use weighhouse_types::{Epoch, Hotkey, IntentState, Netuid, Record};

use crate::commands::policy::epochs::epochs;
use crate::failure::Failure;

/// Epochs that are looked at, the newest first.
const EPOCHS_MAX: usize = 8;

/// The newest epoch that was weighed, and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct LastWord {
    epoch: Epoch,
    outcome: Outcome,
    /// Rounds of that epoch that are void by the validator's own trouble, with the last one's cause.
    void_rounds: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    void_because: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Abstained { why: String },
    Published { block: u64 },
    Failed { why: String },
    UnderWay,
}

/// Reads the newest epochs of a journal; `None` where none of this hotkey on this subnet was weighed yet.
pub(super) fn last_word(dir: &Path, netuid: Netuid, hotkey: Hotkey) -> Result<Option<LastWord>, Failure> {
    let files = epochs(dir)?;
    for (_, file) in files.iter().rev().take(EPOCHS_MAX) {
        let word = in_epoch(&read_segment(file)?, netuid, hotkey);
        if word.is_some() {
            return Ok(word);
        }
    }
    Ok(None)
}

fn in_epoch(records: &[Record], netuid: Netuid, hotkey: Hotkey) -> Option<LastWord> {
    let epoch = records.iter().find_map(|record| match record {
        Record::EpochOpened(context) if (context.validator, context.netuid) == (hotkey, netuid) => {
            Some(context.epoch)
        }
        _ => None,
    })?;
    let outcome = records.iter().rev().find_map(|record| match record {
        Record::Abstained { epoch: of, why } if *of == epoch => Some(Outcome::Abstained { why: why.clone() }),
        Record::Intent(intent) if intent.epoch == epoch => Some(Outcome::UnderWay),
        // News of an earlier epoch's intent may stand here as well.
        Record::IntentUpdate(update) if update.epoch == epoch => Some(match &update.state {
            IntentState::Published { block } => Outcome::Published { block: block.0 },
            IntentState::Failed { why } => Outcome::Failed { why: why.clone() },
            _ => Outcome::UnderWay,
        }),
        _ => None,
    })?;
    let void: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::VoidRound(void) => Some(void.why.clone()),
            _ => None,
        })
        .collect();
    Some(LastWord { epoch, outcome, void_rounds: void.len(), void_because: void.into_iter().next_back() })
}

impl fmt::Display for LastWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its journal: in epoch {} ", self.epoch)?;
        match &self.outcome {
            Outcome::Abstained { why } => write!(f, "the validator published nothing: {why}")?,
            Outcome::Published { block } => write!(f, "its weights were published, seen at block {block}")?,
            Outcome::Failed { why } => write!(f, "its weights were not published: {why}")?,
            Outcome::UnderWay => f.write_str("its weights are under way")?,
        }
        match &self.void_because {
            Some(why) => write!(f, "; {} rounds were void, the last because {why}", self.void_rounds),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
