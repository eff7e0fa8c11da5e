//! How many answers of a statement its validator has signed for.

use std::path::Path;

use serde::Serialize;
use weighhouse_miner::receipts::{file_name, read};
use weighhouse_types::PayStatement;
use weighhouse_wallet::receipt::verify_acknowledgement;

/// Of the answers that the epoch asked for and the validator says it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Receipted {
    pub(super) answers: usize,
    pub(super) acknowledged: usize,
}

impl Receipted {
    /// By the receipts in the miner's state folder.
    pub(super) fn of(state: &Path, statement: &PayStatement) -> Self {
        let file = state.join(file_name(&statement.validator, statement.epoch));
        let held = std::fs::read(file).map(|bytes| read(&bytes)).unwrap_or_default();
        let of_miner = held.iter().filter(|held| held.receipt.hotkey == statement.who.hotkey);
        let rounds: std::collections::BTreeSet<u32> = of_miner
            .filter(|held| verify_acknowledgement(held).is_ok())
            .map(|held| held.round.round)
            .collect();
        // What is left out of the list lost nothing, so that it was received.
        let silent = |listed: &&weighhouse_types::JudgedAnswer| {
            listed.asked_in == statement.epoch && listed.latency_us.is_none()
        };
        let elsewhere = statement.verdicts.iter().filter(|listed| listed.asked_in != statement.epoch).count();
        let silent = statement.verdicts.iter().filter(silent).count();
        let answers = (statement.answers as usize).saturating_sub(silent + elsewhere);
        Self { answers, acknowledged: rounds.len().min(answers) }
    }

    pub(super) fn line(self) -> String {
        let Self { answers, acknowledged } = self;
        let withheld = match answers - acknowledged {
            0 => String::new(),
            withheld => format!(
                "; {withheld} withheld or lost on the way, of which its record is its word alone (weighhouse audit --receipts)"
            ),
        };
        format!("receipts {acknowledged} of {answers} answers are signed for{withheld}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_withheld_is_counted() {
        let line = |answers, acknowledged| Receipted { answers, acknowledged }.line();
        assert_eq!(line(12, 12), "receipts 12 of 12 answers are signed for");
        assert!(line(12, 10).contains("; 2 withheld"), "{}", line(12, 10));
    }
}
