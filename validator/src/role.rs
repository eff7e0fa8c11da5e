//! The validator as a process: one step per finalised block, everything durable in between.
//!
//! A step reads the subnet at the newest block and does what is due there, in this order: it follows the publications
//! under way, opens the chain's epoch, runs the rounds that are due, and near the epoch's end weighs the records and
//! publishes. What is due follows from the chain's schedule and the journal alone (`timetable`, `epoch`), so a process
//! that was killed anywhere opens its journal and takes the same step. A trouble of the chain is waited out with a
//! growing, jittered pause; an error of our own state ends the process.
//!
//! Nothing here judges or knows a kind of task: rounds are `round`'s, publications `publish`'s. The role alone writes the
//! journal, and takes note of a record only once it is durable.

use std::collections::BTreeSet;
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
use weighhouse_types::{Block, Epoch, EpochContext, Fields, JudgeIdentity, Record, SubnetState, VoidRound};
use weighhouse_wallet::btauth::Signer;

use crate::closing::{closing_record, void_cause};
use crate::config::Rounds;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::metrics;
use crate::parts::Parts;
use crate::policies::{Policies, PolicyFile};
use crate::publish::{self, PublicationQueue};
use crate::round::RoundPlan;
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
            if self.is_undecided() && self.open.as_ref().is_some_and(OpenEpoch::asks) {
                for round in table.rounds_due(block.0) {
                    self.run_round(round, &state).await?;
                }
            }
            if table.publication_due(block.0) {
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

    /// Opens the epoch that the chain is in, carrying in what the last one in the journal left behind.
    async fn open_epoch(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let epoch = state.schedule.epoch;
        if self.open.as_ref().is_some_and(|open| open.context().epoch >= epoch) {
            return Ok(());
        }
        self.close_undecided(state.head.number).await?;
        let closing = self.open.as_ref().map(OpenEpoch::closing).transpose()?;
        let (carried, trails) =
            closing.map_or_else(Default::default, |closing| (closing.standings, closing.trails));
        let file = self.policy_for(state);
        let context = EpochContext {
            epoch,
            netuid: self.parts.netuid,
            mechanism: self.parts.mechanism,
            genesis: self.parts.chain.genesis(),
            validator: self.parts.keypair.hotkey(),
            state: state.clone(),
            beacon: self.parts.chain.beacon(state.schedule.last_epoch_block).await?,
            policy: file.bytes,
            task: self.parts.task_file.clone(),
            carried,
            software: concat!("weighhouse/", env!("CARGO_PKG_VERSION")).to_owned(),
            judge: Some(JudgeIdentity {
                kind: self.parts.task.file().kind.name().to_owned(),
                version: JudgeIdentity::FIRST_VERSION,
                digest: None,
            }),
            fields: Fields::default(),
        };
        info!(%epoch, block = %state.head.number, neurons = state.metagraph.neurons.len(), "epoch opened");
        let opened = OpenEpoch::new(context, file.policy, trails, &self.parts.task);
        let mut records = opened.records().to_vec();
        records.extend(self.seen.record(state.head.number));
        let journal = self.journal.clone();
        self.parts
            .cpu
            .run(move || {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                journal.begin_epoch(epoch)?;
                write(&mut journal, records)
            })
            .await??;
        self.open = Some(opened);
        Ok(())
    }

    /// Closes an epoch that ended before it was decided. Its file takes the record only while it is the journal's last.
    async fn close_undecided(&mut self, block: Block) -> Result<(), ValidatorError> {
        let Some(open) = &self.open else { return Ok(()) };
        let last = self.journal.lock().unwrap_or_else(PoisonError::into_inner).current_epoch();
        match closing_record(open, block) {
            Some(record) if last == Some(open.context().epoch) => {
                let seen = self.seen.record(block);
                self.record([record].into_iter().chain(seen).collect()).await
            }
            _ => Ok(()),
        }
    }

    /// The policy of the epoch that `state` shows: the live one, or a staged one whose block has come.
    fn policy_for(&mut self, state: &SubnetState) -> PolicyFile {
        let before = self.policies.live().hash();
        match self.policies.follow(self.parts.staged.as_deref(), self.parts.chain.genesis(), state) {
            Err(error) => {
                metrics::rollout_refused();
                warn!(%error, "the staged policy is not taken; the live one stays");
            }
            Ok(Some(block)) => info!(%block, "a staged policy waits for its block"),
            Ok(None) => {}
        }
        let live = self.policies.live();
        let now = live.hash();
        if now != before {
            info!(policy = %now, %before, "the policy changes with this epoch, as the owner signed");
        }
        live.clone()
    }

    /// Runs a round. One that fails through our own trouble is void and not asked again, unless nothing was sent yet and
    /// the next block may go better.
    async fn run_round(&mut self, round: u32, state: &SubnetState) -> Result<(), ValidatorError> {
        if self.open.as_ref().is_some_and(|open| open.is_void(round)) {
            return Ok(());
        }
        let Err(error) = self.ask_round(round, state).await else { return Ok(()) };
        let Some(open) = &self.open else { return Err(error) };
        match void_cause(&error) {
            Some(cause) if !error.is_transient() || open.has_asked(round) => {
                let epoch = open.context().epoch;
                warn!(%epoch, round, %error, "the round is void by our own trouble: nobody is charged for it");
                metrics::round_void();
                let void = VoidRound::new(epoch, round, cause, &error.to_string());
                self.record(vec![Record::VoidRound(void)]).await
            }
            _ => Err(error),
        }
    }

    async fn ask_round(&mut self, round: u32, state: &SubnetState) -> Result<(), ValidatorError> {
        let Some(open) = &self.open else { return Ok(()) };
        let mut done = open.judged_in(round);
        let (rounds, _) = open.rounds();
        if round >= rounds.unwrap_or(self.parts.rounds.per_epoch) {
            done.extend(open.spared(round, &self.parts.keypair)?);
        }
        let Some(plan) = RoundPlan::new(&self.parts, open.context(), round, state, &done).await? else {
            return Ok(());
        };
        self.record(plan.records()).await?;
        let history = self.open.as_ref().and_then(OpenEpoch::history).cloned();
        let judged = plan.run(&self.parts, &self.asker, history).await?;
        let miners = judged.records.iter().filter(|record| matches!(record, Record::Judged(_))).count();
        self.record(judged.records).await?;
        if let Some(open) = &mut self.open {
            open.hear(judged.fingerprints);
        }
        metrics::round_closed();
        info!(epoch = %state.schedule.epoch, round, miners, "round closed");
        Ok(())
    }

    /// Tells whether the open epoch is yet to be weighed; afterwards no verdict counts any more.
    fn is_undecided(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| !open.abstained() && !self.publications.has(open.context().epoch))
    }

    async fn close_epoch(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        if !self.is_undecided() {
            return Ok(());
        }
        let Some(open) = &self.open else { return Ok(()) };
        let epoch = open.context().epoch;
        let who: Vec<_> = open.departed(state).into_iter().map(|(who, _)| who).collect();
        if !who.is_empty() {
            info!(%epoch, left = who.len(), "registrations left since the epoch was opened");
            self.record(vec![Record::Departed { epoch, block: state.head.number, who }]).await?;
        }
        let Some(open) = &self.open else { return Ok(()) };
        let mut records = vec![publish::weigh(open)?];
        if let Some(shadow) = self.policies.shadow(open.records()) {
            metrics::shadow_moved(shadow.moved);
            info!(%epoch, switch_at = %shadow.activation_block, "in the shadow: {}", shadow.summary);
        }
        records.extend(closing_record(open, state.head.number));
        records.extend(self.seen.record(state.head.number));
        self.record(records.clone()).await?;
        self.publications.extend(&records);
        Ok(())
    }

    /// Takes the publications as far as the chain's present state lets them go.
    async fn follow_publications(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let mut waiting = BTreeSet::new();
        while let Some(epoch) = self.publications.next_due(&waiting) {
            let Some(publication) = self.publications.get(epoch).cloned() else { break };
            let next = publish::advance(&self.parts, &publication, self.open.as_ref(), state).await?;
            let Some(next) = next else {
                // A call that is still pending may have been lost on the way; the same bytes again make up for it.
                publish::submit(&self.parts, &publication).await;
                waiting.insert(epoch);
                continue;
            };
            let mut news = vec![publish::update(&publication.intent, next.clone())];
            news.extend(next.block().and_then(|block| self.seen.record(block)));
            self.record(news).await?;
            publish::report(&publication.intent, &next);
            self.publications.update(epoch, next);
            if let Some(advanced) = self.publications.get(epoch).filter(|advanced| advanced.is_in_flight()) {
                publish::submit(&self.parts, advanced).await;
                // Its outcome is in no block before the next.
                waiting.insert(epoch);
            }
        }
        Ok(())
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
