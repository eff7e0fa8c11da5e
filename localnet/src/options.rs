//! Choices that make a localnet.

use weighhouse_tasks::registry::builtin;
use weighhouse_types::profile::Paid;

use crate::pretending::PretendingMiner;

const ROUNDS_PER_EPOCH: u32 = 3;

/// The task of a localnet that names none.
pub const DIGITS: &str = "digits";

/// A localnet as it is asked for. A kept state has its own seed, and goes on only with the same choices.
#[derive(Clone, Debug)]
pub struct Options {
    /// The task's name, the path of its file, or a subnet's folder: what a kept state remembers it by.
    pub task: String,
    /// The task's file. One that is built in names the reference at hand.
    pub task_file: String,
    /// Weights are committed under a timelock, and the chain opens them in the epoch after.
    pub commit_reveal: bool,
    /// The state's, or a random one, when absent.
    pub seed: Option<u64>,
    /// Epochs of this run; without an end when absent.
    pub epochs: Option<u64>,
    /// Rounds of an epoch, where the policy names none.
    pub rounds: Option<u32>,
    /// Miners that pretend for a while, beside the task's personas. A state with them is not kept.
    pub pretending: Vec<PretendingMiner>,
}

impl Options {
    /// Rounds of an epoch that ask everybody.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(ROUNDS_PER_EPOCH)
    }
}

/// A built-in task file by its name, or by the name that it shares with one that pays for something else: `digits` is
/// `digits-conformance` or `digits-quality`.
pub fn builtin_task(name: &str, paid: Option<Paid>) -> Option<&'static str> {
    let paying = |paid: Paid| builtin(&format!("{name}-{}", paid.name()));
    builtin(name).or_else(|| paying(paid.unwrap_or(Paid::Conformance)))
}
