//! The run itself: build everybody, start the miners, then block by block until the epochs are over.

mod miners;
mod pace;
mod roles;
mod validators;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weighhouse_chain::ledger::Ledger;
use weighhouse_chain::{Chain, SharedChain};
use weighhouse_journal::{Segment, segment_name};
use weighhouse_seams::{Clock, CpuPool, DirStorage, Entropy, SystemClock};
use weighhouse_tasks::TaskLoader;
use weighhouse_tasks::kind::Timing;
use weighhouse_types::profile::Paid;
use weighhouse_types::{Block, Epoch, MechId, Netuid, Record, SubnetState, WeightVector};

use crate::account::Account;
use crate::economy::{Economy, NETUID, Participant, Role};
use crate::error::LocalnetError;
use crate::facts::Facts;
use crate::guests::Guests;
use crate::options::Options;
use crate::report::EpochReport;
use crate::rounds::Rounds;
use crate::served::Served;
use crate::state::KeptState;
use crate::subnet::{SavedJudge, Subnet, SubnetError};
use crate::troubles::{JudgeFault, Troubles};
use roles::Roles;

/// A block that some validator hasn't worked through by then is a bug, not a slow machine.
const BLOCK_DEADLINE: Duration = Duration::from_secs(120);
/// The offline miner answers the first epoch's first round, which runs at this block.
const OFFLINE_AFTER: Block = Block(1);
/// Jobs that may wait for a processor, of everybody together.
const CPU_QUEUE_MAX: usize = 4096;

/// A listener to a run; an error of its own ends the run.
pub trait Observer: Send {
    /// A block is about to be worked through; `next_epoch` ends the epoch.
    fn block(&mut self, epoch: Epoch, block: Block, next_epoch: Block);

    /// An epoch was closed.
    fn epoch_closed(&mut self, report: &EpochReport) -> io::Result<()>;

    /// A subnet's judge or task was saved: the coming epoch is drawn and judged by the files of these digests, or still by
    /// those from before, for the reason told.
    fn judge_saved(&mut self, _coming: Epoch, _taken: Result<SavedJudge, &SubnetError>) {}

    /// A subnet's judge failed in an epoch, at something that it wasn't told to fail at before.
    fn judge_failed(&mut self, _epoch: Epoch, _fault: &JudgeFault) {}
}

/// Rest after each block where answers are committed to on the chain.
const COMMITTING_REST: Duration = Duration::from_millis(200);

/// A localnet with its state open.
#[derive(Debug)]
pub struct Localnet {
    dir: PathBuf,
    kept: KeptState,
    epochs: Option<u64>,
    rounds: u32,
    economy: Economy,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    cpu: CpuPool,
    served: Served,
    guests: Guests,
    subnet: Option<Subnet>,
    troubles: Arc<Troubles>,
    /// Rest after each block, for those who watch.
    rest: Duration,
}

impl Localnet {
    /// Opens the state in a folder, or makes a new one there.
    ///
    /// # Errors
    /// A task that doesn't load, and a state that was made with other choices or is damaged.
    pub fn open(dir: &Path, options: &Options, loader: Arc<dyn TaskLoader>) -> Result<Self, LocalnetError> {
        Self::open_with(dir, options, loader, Guests::default())
    }

    /// Opens the state like [`Localnet::open`], with the user's own miners among the others.
    ///
    /// # Errors
    /// As [`Localnet::open`].
    pub fn open_with(
        dir: &Path,
        options: &Options,
        loader: Arc<dyn TaskLoader>,
        guests: Guests,
    ) -> Result<Self, LocalnetError> {
        let served = Served::load(options, loader)?;
        let root = folder(dir)?;
        let kept = KeptState::settle(&root, options, served.task.file().mode.paid(), &guests)?;
        let economy = Economy::new(kept.seed, &served.task, options, &guests)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let path = dir.join("chain.redb");
        let ledger = Ledger::open(&path, &economy.genesis, clock.clone(), &mut Entropy::system())
            .map_err(LocalnetError::OpenLedger)?;
        let (dir, cpu) = (dir.to_owned(), CpuPool::new(threads, CPU_QUEUE_MAX));
        let (epochs, rounds) = (options.epochs, options.rounds());
        // Blocks come as soon as everybody is done with the one before, and miners' commitments take a moment to the chain.
        let rest = if served.task.commit_blocks().is_some() { COMMITTING_REST } else { Duration::ZERO };
        let (subnet, troubles) = (None, Arc::default());
        Ok(Self {
            dir,
            kept,
            epochs,
            rounds,
            economy,
            ledger,
            clock,
            cpu,
            served,
            guests,
            subnet,
            troubles,
            rest,
        })
    }

    /// Opens the state of a subnet's folder, with its miners among the guests.
    ///
    /// # Errors
    /// As [`Localnet::open`].
    pub fn open_subnet(
        dir: &Path,
        options: &Options,
        subnet: Subnet,
        guests: Guests,
    ) -> Result<Self, LocalnetError> {
        let localnet = Self::open_with(dir, options, subnet.loader(), guests)?;
        Ok(Self { troubles: subnet.troubles(), subnet: Some(subnet), ..localnet })
    }

    /// Rests after each block, so that somebody who watches can follow.
    pub fn with_rest(self, rest: Duration) -> Self {
        Self { rest: self.rest.max(rest), ..self }
    }

    /// The chain, and the subnet on it.
    pub fn chain(&self) -> (SharedChain, Netuid) {
        (Arc::new(self.ledger.clone()), NETUID)
    }

    /// The journal of the largest honest validator.
    pub fn journal(&self) -> PathBuf {
        self.journal_of(self.largest_validator())
    }

    pub fn seed(&self) -> u64 {
        self.kept.seed
    }

    /// Merit that the task pays for.
    pub fn mode(&self) -> Paid {
        self.kept.mode
    }

    /// Tells whether weights are hidden until the epoch after.
    pub fn commit_reveal(&self) -> bool {
        self.kept.commit_reveal
    }

    /// Epochs within which the truth about a question comes, where it comes later.
    pub fn truth_within(&self) -> Option<u64> {
        match self.served.task.timing() {
            Timing::AtOnce => None,
            Timing::Later { epochs_max } => Some(epochs_max),
        }
    }

    pub fn task(&self) -> &str {
        &self.kept.task
    }

    /// The folder of a subnet, where the run is one's.
    pub fn subnet_folder(&self) -> Option<&Path> {
        self.subnet.as_ref().map(Subnet::path)
    }

    /// Everybody who takes part, by uid.
    pub fn participants(&self) -> &[Participant] {
        &self.economy.participants
    }

    /// The chain's newest block; 0 of a new chain.
    pub async fn head(&self) -> Result<Block, LocalnetError> {
        Ok(self.ledger.head().await?.number)
    }

    /// Runs until the epochs are over or `shutdown`. Returns the closing account; `None` where no epoch was closed.
    pub async fn run(
        mut self,
        observer: &mut dyn Observer,
        shutdown: CancellationToken,
    ) -> Result<Option<Account>, LocalnetError> {
        let first = self.subnet().await?.schedule.epoch;
        let mut roles = Roles::new();
        let outcome = self.drive(first, &mut roles, observer, &shutdown).await;
        let ended = roles.end().await;
        let Some(last) = outcome? else { return ended.map(|()| None) };
        // A role that failed has more to say than an account that looks complete.
        ended?;
        let participants = &self.economy.participants;
        let read = |epoch| self.records(self.largest_validator(), epoch);
        let facts = Facts::gather((first, last.epoch()), self.truth_within(), read)?;
        let mut publishers = BTreeSet::new();
        for validator in participants.iter().filter(|participant| participant.validates()) {
            if !self.ledger.weights(NETUID, MechId(0), validator.uid).await?.is_empty() {
                publishers.insert(validator.uid);
            }
        }
        let said = |participant: &Participant| self.troubles.of_miner(&participant.persona);
        Ok(Some(Account::new(last, &self.kept, participants, facts, &publishers, said)))
    }

    /// Produces blocks until the epochs are over or `shutdown`; the last closed epoch, if any closed.
    async fn drive(
        &mut self,
        first: Epoch,
        roles: &mut Roles,
        observer: &mut dyn Observer,
        shutdown: &CancellationToken,
    ) -> Result<Option<EpochReport>, LocalnetError> {
        let end = self.epochs.map(|epochs| first.0.saturating_add(epochs));
        let offline = self.start_miners(roles).await?;
        self.start_validators(roles).await?;
        self.start_copier(roles);
        let mut epoch = first;
        let mut report = None;
        loop {
            let head = self.ledger.head().await?.number;
            // Read before the block's work, so that a report shows the epoch as it closed.
            let state = self.subnet().await?;
            if let Some(next) = state.schedule.next_epoch_block() {
                observer.block(state.schedule.epoch, head, next);
            }
            if state.schedule.epoch > epoch {
                let closed = self.report(epoch, &state).await?;
                observer.epoch_closed(&closed)?;
                report = Some(closed);
                epoch = Epoch(epoch.0 + 1);
            }
            if end.is_some_and(|end| epoch.0 >= end) || shutdown.is_cancelled() {
                return Ok(report);
            }
            tokio::select! {
                worked = self.work_through((epoch, head), roles, observer) => worked?,
                () = shutdown.cancelled() => return Ok(report),
            }
            // Not from the start: a miner that was never up would not even be asked.
            if head >= OFFLINE_AFTER {
                offline.cancel();
            }
            // Between two epochs, when nothing is asked.
            if state.schedule.next_epoch_block() == Some(Block(head.0 + 1)) {
                tokio::select! {
                    () = self.pause() => {}
                    () = shutdown.cancelled() => return Ok(report),
                }
                self.take_up_judge(Epoch(state.schedule.epoch.0 + 1), roles, observer).await?;
            }
            tokio::select! {
                () = self.clock.sleep(self.rest) => {}
                () = shutdown.cancelled() => return Ok(report),
            }
            // Only once everybody has worked through the one before: that makes two runs of a seed alike.
            self.ledger.produce_block().await?;
        }
    }

    async fn subnet(&self) -> Result<SubnetState, LocalnetError> {
        Ok(self.ledger.subnet(NETUID).await?)
    }

    fn validators(&self) -> impl Iterator<Item = &Participant> {
        self.economy.participants.iter().filter(|participant| matches!(participant.role, Role::Validator))
    }

    fn largest_validator(&self) -> &Participant {
        // Position is the uid, and the cast begins with the largest.
        &self.economy.participants[0]
    }

    fn journal_of(&self, validator: &Participant) -> PathBuf {
        self.dir.join("validators").join(&validator.persona)
    }

    /// An epoch's records as a validator journalled them, read while it may still be running.
    fn records(&self, validator: &Participant, epoch: Epoch) -> Result<Vec<Record>, LocalnetError> {
        let path = self.journal_of(validator).join(segment_name(epoch));
        let segment = Segment::read(&std::fs::read(&path)?);
        let segment =
            segment.map_err(|source| LocalnetError::Journal { path: path.display().to_string(), source })?;
        Ok(segment.into_records())
    }

    async fn report(&self, epoch: Epoch, state: &SubnetState) -> Result<EpochReport, LocalnetError> {
        let largest = self.largest_validator();
        let records = self.records(largest, epoch)?;
        let decision = weighhouse_scoring::weigh(&records)?;
        let mut weights = BTreeMap::new();
        for validator in self.economy.participants.iter().filter(|participant| participant.validates()) {
            let row = self.ledger.weights(NETUID, MechId(0), validator.uid).await?;
            weights.insert(validator.uid, row);
        }
        let own = WeightVector::new(weights.get(&largest.uid).cloned().unwrap_or_default()).ok();
        let weighed = (decision.scores(), own.as_ref());
        let report =
            EpochReport::new(epoch, state, &self.economy.participants, weighed, Rounds::of(&records));
        Ok(EpochReport { weights, ..report })
    }
}

pub(crate) fn folder(dir: &Path) -> Result<DirStorage, LocalnetError> {
    DirStorage::open(dir).map_err(|source| LocalnetError::Folder { dir: dir.display().to_string(), source })
}
