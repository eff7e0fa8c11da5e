//! The memory of an epoch's checks: how sure the sequential test is of each miner, and what was said before.
//!
//! The validator keeps it as the epoch goes on; a restarted one and an auditor rebuild the same from the records.

use weighhouse_tasks::Task;
use weighhouse_tasks::sequential::{Repetitions, Watch};
use weighhouse_types::{Digest, Evidence, Standing};

/// The state of an epoch's checks after the records so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckHistory {
    pub(crate) watch: Watch,
    pub(crate) repetitions: Repetitions,
}

/// One answer's fingerprint, and which question it was given to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    pub(crate) round: u32,
    pub(crate) challenge: Digest,
    pub(crate) said: Digest,
}

impl CheckHistory {
    /// The state at an epoch's beginning; `None` where the task checks every answer and nothing needs to be kept.
    pub(crate) fn new(task: &Task, carried: &[Standing]) -> Option<Self> {
        let budget = task.budget()?;
        Some(Self { watch: Watch::new(budget, carried), repetitions: Repetitions::default() })
    }

    /// Takes in one check's outcome.
    pub(crate) fn take(&mut self, task: &Task, evidence: &Evidence) {
        if let Some(budget) = task.budget() {
            self.watch.take(budget, evidence.who, &evidence.bins);
        }
    }

    /// Takes note of what an answer said, which counts from the next round on.
    pub(crate) fn note(&mut self, fingerprint: Fingerprint) {
        let Fingerprint { round, challenge, said } = fingerprint;
        self.repetitions.take(round, challenge, said);
    }
}
