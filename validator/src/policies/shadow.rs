//! An epoch weighed under the staged policy beside the live one, so that the owner sees what a switch will move.

use weighhouse_scoring::Decision;
use weighhouse_scoring::diff::{Change, Differ};
use weighhouse_scoring::replay::Replay;
use weighhouse_types::{Block, Record};

use super::Policies;

/// The difference that a staged policy would have made in an epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShadowReport {
    pub(crate) activation_block: Block,
    /// Share of emission that would have moved, in [0, 1].
    pub(crate) moved: f64,
    /// A sentence on it for the log.
    pub(crate) summary: String,
}

impl Policies {
    /// Weighs an epoch under the waiting policy and compares it with the live one. `None` where none waits.
    pub(crate) fn shadow(&mut self, records: &[Record]) -> Option<ShadowReport> {
        let live = &self.live.bytes;
        let staged = self.staged.as_mut().filter(|staged| staged.file.bytes != *live)?;
        // A shadow is only told of: its failure must not keep the live weights back.
        let waiting = staged.shadow.epoch(records).ok()?;
        let live = Replay::recorded().epoch(records).ok()?;
        let mut differ = Differ::new();
        differ.epoch(&live, &waiting);
        let diff = differ.finish();
        let summary = match (&live.decision, &waiting.decision) {
            (_, Decision::Abstain { why, .. }) => {
                format!("it would publish nothing: {why}")
            }
            (Decision::Abstain { .. }, _) => "it would publish where the live one abstains".to_owned(),
            _ => {
                let name = |change: &Change| format!("uid {} {:+.2} %", change.uid, change.gain() * 100.0);
                let ends = [diff.changes.first(), diff.changes.last()];
                let ends: Vec<_> = ends.into_iter().flatten().map(name).collect();
                format!("{:.2} % of emission would move; {}", diff.moved * 100.0, ends.join(", "))
            }
        };
        Some(ShadowReport { activation_block: staged.rollout.activation_block, moved: diff.moved, summary })
    }
}
