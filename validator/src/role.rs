//! The validator as a process: one step per finalised block, everything durable in between.
//!
//! A step reads the subnet at the newest block and does what is due there, in this order: it follows the publications
//! under way, opens the chain's epoch, asks for the truth about earlier epochs' challenges, runs the rounds that are due, and near the epoch's end weighs the records and
//! publishes. What is due follows from the chain's schedule and the journal alone (`timetable`, `epoch`), so a process
//! that was killed anywhere opens its journal and takes the same step. A trouble of the chain is waited out with a
//! growing, jittered pause; an error of our own state ends the process.
//!
//! Nothing here judges or knows a kind of task: rounds are `round`'s, publications `publish`'s. The role alone writes the
//! journal, and takes note of a record only once it is durable.

mod anchoring;
mod draws;
mod endpoint;
mod epochs;
mod hotkey;
mod keeping;
mod later;
mod machine;
mod neighbours;
mod publications;
mod retention;
mod rounds;
mod trouble;
mod validator;
mod witnessing;

use std::time::Duration;

use rand::{Rng, RngExt as _};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weighhouse_chain::ChainError;
use weighhouse_seams::ClockExt;
use weighhouse_types::{Block, SubnetState};

use crate::config::Rounds;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::metrics;
use crate::timetable::Timetable;
use crate::verdicts::axons;
use rounds::Moment;

pub(crate) use trouble::ChainTrouble;
pub(crate) use validator::write;
pub use validator::{Progress, Validator};

/// Names of states where people are told of them.
const BLOCKS: &str = "blocks";
const PERMIT: &str = "validator permit";
const WITNESSES: &str = "witnesses";

/// The longest wait for one step's reads from the chain.
const CHAIN_DEADLINE: Duration = Duration::from_secs(30);
/// The first wait after a failed step; it doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

impl Validator {
    /// Works through blocks until `shutdown`; a step under way is finished first.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ValidatorError> {
        let mut retry = RETRY_FIRST;
        let mut told = String::new();
        loop {
            let seen = match self.step().await {
                Ok(block) => {
                    (self.finality_broken, self.failing_since) = (None, None);
                    told.clear();
                    if retry > RETRY_FIRST {
                        info!(state = BLOCKS, turned = "good", %block, "blocks are worked through again");
                    }
                    block
                }
                Err(ValidatorError::Chain(error @ ChainError::FinalityBroken { .. }))
                    if self.finality_is_broken(&error) =>
                {
                    return Err(error.into());
                }
                Err(error) if error.is_transient() => {
                    metrics::chain_error();
                    // The same again is no news; what lasts is told once more, as such.
                    if told != error.to_string() {
                        warn!(state = BLOCKS, turned = "bad", %error, retry_ms = retry.as_millis(), "this block failed; trying again (where it lasts: chain.endpoints)");
                        told = error.to_string();
                    }
                    self.step_failed(&error);
                    let wait = jittered(retry, &mut self.parts.entropy);
                    retry = (retry * 2).min(RETRY_MAX);
                    tokio::select! {
                        () = self.parts.clock.sleep(wait) => continue,
                        () = shutdown.cancelled() => return Ok(()),
                    }
                }
                Err(error) => return Err(error),
            };
            retry = RETRY_FIRST;
            tokio::select! {
                () = self.await_block(seen) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
        }
    }

    /// Does one block's work, in the order that the module's header tells.
    pub async fn step(&mut self) -> Result<Block, ValidatorError> {
        let state = self.read_subnet().await?;
        let block = state.head.number;
        self.seen.note(block, self.parts.clock.now());
        self.book.note_epoch(state.schedule.epoch);
        self.registered.send_replace(axons(&state.metagraph));
        if self.is_behind(&state) {
            return Ok(block);
        }
        // What one publication fails with keeps no epoch from being opened and asked in; it is told at the end.
        let followed = match self.follow_publications(&state).await {
            Err(error) if !error.is_transient() => return Err(error),
            Ok(()) => self.watch_hotkey(&state).await,
            failed => failed,
        };
        let epoch = state.schedule.epoch;
        let own = state.metagraph.by_hotkey(&self.parts.keypair.hotkey());
        // Without a permit miners need not answer and the chain takes no weights: judging would only do harm.
        let permitted = own.is_some_and(|own| own.validator_permit);
        self.tell_permit(permitted, own.is_some());
        let is_open = permitted && self.open_epoch(&state).await?;
        // After the epoch was opened, since its policy may say how many rounds there are.
        let rounds = self.rounds();
        let table = is_open.then(|| Timetable::new(&state.schedule, &rounds, &self.parts.publish)).flatten();
        let table = table.map(|table| table.with_commitments(self.parts.task.commit_blocks()));
        if let Some(table) = table {
            let is_last_chance = table.publication_due(block.0);
            if self.is_undecided() && self.open.as_ref().is_some_and(OpenEpoch::asks) {
                self.resolve_carried().await?;
                self.run_rounds(Moment { state: &state, table: &table, is_last_chance }).await?;
            }
            if is_last_chance && self.is_undecided() {
                // Rounds may have taken minutes: what is decided and signed now is by the chain as it is now.
                let state = self.read_subnet().await?;
                if state.schedule.epoch == epoch {
                    self.close_epoch(&state).await?;
                    // Once more, so that the new intent is signed and submitted in this very block.
                    self.follow_publications(&state).await?;
                }
            }
        }
        self.witness_epoch(&state).await?;
        self.tell_endpoint(block).await;
        self.anchor(&state).await;
        self.keep_house().await?;
        metrics::progress(block, epoch, self.parts.clock.now());
        let published = self.publications.published();
        self.progress.send_modify(|progress| {
            progress.block = block;
            // A newer intent that isn't through yet may have taken the published one's place in the queue.
            progress.published = published.or(progress.published);
        });
        followed?;
        if is_open || !permitted {
            self.chain_is_good(block);
        }
        Ok(block)
    }

    /// Tells when the permit comes and goes.
    fn tell_permit(&mut self, permitted: bool, registered: bool) {
        metrics::permitted(permitted);
        match (std::mem::replace(&mut self.permitted, permitted), permitted) {
            (true, false) if !registered => warn!(
                state = PERMIT,
                turned = "bad",
                "the hotkey was pruned from the subnet: nothing is asked or published until it is registered again \
                 (weighhouse chain register)"
            ),
            (true, false) => warn!(
                state = PERMIT,
                turned = "bad",
                "the validator permit is lost: nothing is asked or published until an epoch grants one, which more stake does"
            ),
            (false, true) => info!(state = PERMIT, turned = "good", "the validator permit is there"),
            _ => {}
        }
    }

    /// Rounds of this epoch: as many as its policy asks for, or as are configured, and the policy's spot rounds.
    fn rounds(&self) -> Rounds {
        let configured = self.parts.rounds.per_epoch;
        let per_epoch = self.open.as_ref().map_or(configured, |open| {
            let (rounds, spot_rounds) = open.rounds();
            rounds.unwrap_or(configured).saturating_add(spot_rounds)
        });
        Rounds { per_epoch, ..self.parts.rounds }
    }

    async fn read_subnet(&self) -> Result<SubnetState, ValidatorError> {
        let read = self.parts.chain.subnet(self.parts.netuid);
        match self.parts.clock.timeout(CHAIN_DEADLINE, read).await {
            Ok(state) => Ok(state?),
            Err(_) => Err(ChainError::TimedOut {
                endpoint: "at the configured endpoint".into(),
                seconds: CHAIN_DEADLINE.as_secs(),
            }
            .into()),
        }
    }
}

/// Between half and all of a wait, so that validators that failed together don't come back together.
fn jittered(wait: Duration, rng: &mut impl Rng) -> Duration {
    rng.random_range(wait / 2..=wait)
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
