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

mod epochs;
mod later;
mod publications;
mod rounds;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weighhouse_ask::Asker;
use weighhouse_chain::ChainError;
use weighhouse_journal::{Identity, Journal, JournalError};
use weighhouse_seams::ClockExt;
use weighhouse_types::{Block, Epoch, Record, SubnetState};
use weighhouse_wallet::btauth::Signer;

use crate::config::Rounds;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::metrics;
use crate::parts::Parts;
use crate::policies::Policies;
use crate::publish::PublicationQueue;
use crate::seen::SeenBlocks;
use crate::timetable::Timetable;

/// The longest wait for one step's reads from the chain.
const CHAIN_DEADLINE: Duration = Duration::from_secs(30);
/// The first wait after a failed step; it doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The progress of a validator: liveness is a block worked through, not a loop that turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The newest block that was worked through.
    pub block: Block,
    /// The newest epoch whose weights the chain shows.
    pub published: Option<Epoch>,
}

/// A validator with its journal open.
#[derive(Debug)]
pub struct Validator {
    parts: Parts,
    asker: Asker,
    journal: Arc<Mutex<Journal>>,
    open: Option<OpenEpoch>,
    publications: PublicationQueue,
    policies: Policies,
    progress: watch::Sender<Progress>,
    seen: SeenBlocks,
    /// The epoch in which the truth about earlier challenges was last asked for.
    truth_asked_in: Option<Epoch>,
}

impl Validator {
    /// Opens the journal and takes up what it holds. Writes nothing before it has read all.
    pub async fn open(parts: Parts) -> Result<Self, ValidatorError> {
        let policies = Policies::new(parts.policy.clone())?;
        let state = parts.chain.subnet(parts.netuid).await?;
        let hotkey = parts.keypair.hotkey();
        let Some(own) = state.metagraph.by_hotkey(&hotkey) else {
            return Err(ValidatorError::NotRegistered { hotkey, netuid: parts.netuid });
        };
        if !own.validator_permit {
            warn!(uid = %own.uid, "no validator permit yet: nothing is asked until an epoch grants one");
        }
        let identity = Identity {
            genesis: parts.chain.genesis(),
            netuid: parts.netuid,
            mechanism: parts.mechanism,
            validator: hotkey,
        };
        let storage = parts.storage.clone();
        let mut journal = parts.cpu.run(move || Journal::open(storage, identity)).await??;
        let epochs = journal.epochs();
        // A crash may have left the newest segment without its context; then the one before holds the standings.
        let mut open = None;
        for epoch in epochs.iter().rev() {
            open = OpenEpoch::resume(&mut journal, *epoch, &parts.task)?;
            if open.is_some() {
                break;
            }
        }
        let publications = PublicationQueue::resume(&journal, state.hyperparameters.reveal_period_epochs)?;
        if let Some(open) = &open {
            let epoch = open.context().epoch;
            info!(%epoch, judged = open.judged().count(), "journal resumed");
            if !open.asks() {
                warn!(%epoch, "the task changed while its epoch was open: nothing more is asked before the next epoch");
            }
        }
        let asker = Asker {
            signer: Arc::new(Signer::new(parts.keypair.clone(), parts.clock.clone())),
            dialer: parts.dialer.clone(),
            clock: parts.clock.clone(),
        };
        let progress = watch::Sender::new(Progress { block: Block(0), published: publications.published() });
        let journal = Arc::new(Mutex::new(journal));
        Ok(Self {
            parts,
            asker,
            journal,
            open,
            publications,
            policies,
            progress,
            seen: SeenBlocks::default(),
            truth_asked_in: None,
        })
    }

    /// Progress after each block, for supervisors.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Works through blocks until `shutdown`; a step under way is finished first.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ValidatorError> {
        let mut retry = RETRY_FIRST;
        loop {
            let seen = match self.step().await {
                Ok(block) => block,
                Err(error) if error.is_transient() => {
                    metrics::chain_error();
                    warn!(%error, retry_ms = retry.as_millis(), "this block failed; trying again");
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
                // An error here shows again, with its retry, in the next step.
                _ = self.parts.chain.next_block(seen) => {}
                () = shutdown.cancelled() => return Ok(()),
            }
        }
    }

    /// Does one block's work, in the order that the module's header tells.
    pub async fn step(&mut self) -> Result<Block, ValidatorError> {
        let state = self.read_subnet().await?;
        let block = state.head.number;
        self.seen.note(block, self.parts.clock.now());
        self.follow_publications(&state).await?;
        let epoch = state.schedule.epoch;
        let own = state.metagraph.by_hotkey(&self.parts.keypair.hotkey());
        // Without a permit miners need not answer and the chain takes no weights: judging would only do harm.
        let permitted = own.is_some_and(|own| own.validator_permit);
        if permitted {
            self.open_epoch(&state).await?;
        }
        let rounds = self.rounds();
        let table = permitted.then(|| Timetable::new(&state.schedule, &rounds, &self.parts.publish));
        if let Some(table) = table.flatten() {
            let is_last_chance = table.publication_due(block.0);
            if self.is_undecided() && self.open.as_ref().is_some_and(OpenEpoch::asks) {
                self.resolve_carried().await?;
                for round in table.rounds_due(block.0) {
                    self.run_round(round, &state, is_last_chance).await?;
                }
            }
            if is_last_chance {
                self.close_epoch(&state).await?;
                self.follow_publications(&state).await?;
            }
        }
        metrics::progress(block.0, epoch);
        let published = self.publications.published();
        self.progress.send_modify(|progress| {
            progress.block = block;
            progress.published = published.or(progress.published);
        });
        Ok(block)
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

    /// Makes records durable, then takes note of them.
    async fn record(&mut self, records: Vec<Record>) -> Result<(), ValidatorError> {
        let noted: Vec<Record> =
            records.iter().filter(|record| !matches!(record, Record::Blob(_))).cloned().collect();
        let journal = self.journal.clone();
        self.parts
            .cpu
            .run(move || write(&mut journal.lock().unwrap_or_else(PoisonError::into_inner), records))
            .await??;
        if let Some(open) = &mut self.open {
            noted.into_iter().for_each(|record| open.take(record, &self.parts.task));
        }
        Ok(())
    }
}

/// One write and one sync for all of the records.
fn write(journal: &mut Journal, records: Vec<Record>) -> Result<(), JournalError> {
    for record in records {
        journal.append(record)?;
    }
    journal.commit()
}

/// Between half and all of a wait, so that validators that failed together don't come back together.
fn jittered(wait: Duration, rng: &mut impl Rng) -> Duration {
    rng.random_range(wait / 2..=wait)
}

#[cfg(test)]
mod tests;
