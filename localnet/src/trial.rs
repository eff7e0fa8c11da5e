//! One miner before it goes live: asked and judged for one epoch by the validator of a subnet of its own, over a real socket.
//!
//! Miner and validator are the ones that are run; the chain is a ledger in memory whose blocks come as fast as the two are
//! done with them. So the marks, and why, are those that a validator of this task would give. Both keys are the trial's.

mod error;
mod parts;

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_journal::{read_segment, segment_name};
use weighhouse_miner::config::Config;
use weighhouse_miner::engine::Catalogue;
use weighhouse_miner::{MinerError, server};
use weighhouse_scoring::statement::statement;
use weighhouse_seams::ClockExt as _;
use weighhouse_tasks::Task;
use weighhouse_tasks::kind::Timing;
use weighhouse_types::{Epoch, PayStatement, Record};
use weighhouse_validator::Validator;

use error::READY_WITHIN;
pub use error::TrialError;
use parts::TrialParts;

/// A miner and what it is asked.
#[derive(Debug)]
pub struct Trial {
    /// The miner's own; wallet, chain, address and quota are the trial's.
    pub config: Config,
    pub models: Catalogue,
    pub task_file: String,
    pub task: Task,
    /// Rounds of asking, of one challenge each; at most [`Trial::ROUNDS_MAX`].
    pub rounds: u16,
    /// Time for an answer.
    pub deadline: Duration,
    /// Decides which challenges are drawn.
    pub seed: u64,
    /// An empty folder, for the journal and the miner's state.
    pub dir: PathBuf,
}

impl Trial {
    /// As many as a statement lists.
    pub const ROUNDS_MAX: u16 = 1_000;

    /// Runs the epoch and gives the miner's statement, in which shares are of a subnet of one. `progress` is told how many of
    /// the epoch's blocks are done, and how many there are.
    ///
    /// # Errors
    /// A task that can't be judged of one miner alone, or trouble that is no answer's fault.
    pub async fn run(
        self,
        shutdown: &CancellationToken,
        mut progress: impl FnMut(u32, u32),
    ) -> Result<PayStatement, TrialError> {
        if let Timing::Later { .. } = self.task.timing() {
            return Err(TrialError::Later);
        }
        let blocks = u32::from(self.tempo()) + 2;
        let stop = shutdown.child_token();
        let (parts, miner, mut ready) = TrialParts::of(self, &stop).await?;
        let mut serving = JoinSet::new();
        serving.spawn(server::run(miner));
        let is_ready = async {
            tokio::select! {
                ready = ready.wait_for(|ready| *ready) => ready.is_ok(),
                () = shutdown.cancelled() => false,
            }
        };
        match parts.clock.timeout(READY_WITHIN, is_ready).await {
            Ok(true) => {}
            Ok(false) | Err(_) => {
                stop.cancel();
                return Err(ended(&mut serving).await.err().unwrap_or(TrialError::NotReady));
            }
        }
        let mut validator = Validator::open(parts.validator()?).await?;
        for block in 1..=blocks {
            validator.step().await?;
            parts.ledger.produce_block().await?;
            progress(block, blocks);
            if shutdown.is_cancelled() {
                return Err(TrialError::Interrupted);
            }
        }
        stop.cancel();
        // Its journal's folder is free then.
        drop(validator);
        ended(&mut serving).await?;
        judged(&read_segment(&parts.journal.join(segment_name(Epoch(0))))?)
    }

    /// Blocks of the epoch: one for each round, and those until checks are drawn and weights published.
    fn tempo(&self) -> u16 {
        const MORE: u16 = 40;
        self.rounds.min(Self::ROUNDS_MAX) + MORE
    }
}

/// Waits for the miner's end.
async fn ended(serving: &mut JoinSet<Result<(), MinerError>>) -> Result<(), TrialError> {
    match serving.join_next().await {
        Some(Ok(outcome)) => Ok(outcome?),
        Some(Err(_)) => Err(TrialError::Panicked),
        None => Ok(()),
    }
}

fn judged(records: &[Record]) -> Result<PayStatement, TrialError> {
    if records.iter().any(|record| matches!(record, Record::JudgedTogether(_))) {
        return Err(TrialError::Together);
    }
    let void: Vec<&String> = records
        .iter()
        .filter_map(|record| match record {
            Record::VoidRound(void) => Some(&void.why),
            _ => None,
        })
        .collect();
    if let Some(why) = void.last() {
        return Err(TrialError::Void { rounds: void.len(), why: (*why).clone() });
    }
    Ok(statement(records, parts::MINER)?)
}

#[cfg(test)]
mod tests;
