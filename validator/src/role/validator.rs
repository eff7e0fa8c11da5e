//! The validator's state: its journal, the epoch that is open, and what is under way.
//!
//! **Invariant:** what is in memory follows from what is durable: a record is written first, and taken note of then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};
use weighhouse_ask::Asker;
use weighhouse_journal::{Identity, Journal, JournalError};
use weighhouse_seams::Listener;
use weighhouse_types::{Block, Epoch, Hotkey, LogPlace, Record, VoidCause};
use weighhouse_wallet::btauth::Signer;

use crate::bundles::BundlesParts;
use crate::config::BundlesSection;
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::log::{Gathering, LogOwner, Peer, WitnessBook};
use crate::metrics;
use crate::moving;
use crate::parts::Parts;
use crate::policies::Policies;
use crate::publish::PublicationQueue;
use crate::receipts::Deliveries;
use crate::round::{AnsweredRound, Round};
use crate::seen::SeenBlocks;
use crate::verdicts::{Axons, REQUESTS_MAX, Shelf, VerdictsParts, axons};

use super::anchoring::Anchoring;
use super::endpoint::Endpoint;
use super::hotkey::Updates;
use super::neighbours::WayOut;
use super::trouble::ChainTrouble;

/// Its name where people are told of it.
pub(super) const ROUNDS: &str = "rounds";

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
    pub(super) parts: Parts,
    pub(super) asker: Asker,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) open: Option<OpenEpoch>,
    pub(super) publications: PublicationQueue,
    pub(super) policies: Policies,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) seen: SeenBlocks,
    /// The epoch in which the truth about earlier challenges was last asked for.
    pub(super) truth_asked_in: Option<Epoch>,
    /// The trouble of our own that was told last, and the epoch in which it was: a trouble that lasts is told once.
    trouble_told: Option<(Epoch, VoidCause)>,
    /// Rounds of the open epoch whose answers wait to be judged until their checks are drawn, or trouble of ours has passed.
    pub(super) held: BTreeMap<u32, AnsweredRound>,
    /// Hotkeys of the subnet and their axons, as of the newest block.
    pub(super) registered: watch::Sender<Arc<Axons>>,
    pub(super) endpoint: Option<Endpoint>,
    /// Whether the operator was told of a trouble since the last round that was judged.
    pub(super) in_trouble: bool,
    /// Whether the last block showed a validator permit.
    pub(super) permitted: bool,
    /// Whether most miners refused the newest round for its time.
    pub(super) clock_is_off: bool,
    pub(super) way_out: WayOut,
    /// Whether our own canary failed in the newest round.
    pub(super) canary_failed: bool,
    pub(super) deliveries: Deliveries,
    pub(super) log_owner: LogOwner,
    pub(super) book: Arc<WitnessBook>,
    /// The checkpoint of the newest epoch that was closed.
    pub(super) gathering: Option<Gathering>,
    /// Other validators where the chain says that they serve, as of an epoch.
    pub(super) peers: Option<(Epoch, Vec<Peer>)>,
    /// Whether the newest checkpoint was signed by fewer witnesses than an audit demands.
    pub(super) why_unwitnessed: Option<String>,
    pub(super) anchoring: Anchoring,
    /// The epoch in which the journal's folder was last looked through.
    pub(super) kept_in: Option<Epoch>,
    /// Validators whose logs the operator was told of: see `tell_unjoined`.
    pub(super) told_unjoined: BTreeSet<Hotkey>,
    /// The oldest epoch whose answers weren't removed by this process.
    pub(super) answers_kept_from: Option<Epoch>,
    /// Rounds that wait until commitments have to stand on the chain.
    pub(super) awaiting: BTreeMap<u32, Round>,
    /// Whether less is free than the journal wants.
    pub(super) disk_is_short: bool,
    /// The chain's trouble that was told.
    pub(super) chain_trouble: Option<ChainTrouble>,
    /// When a final block was first another one than before, by the monotonic clock.
    pub(super) finality_broken: Option<Duration>,
    /// When the first of the steps failed that have failed since, by the monotonic clock.
    pub(super) failing_since: Option<Duration>,
    /// The epoch that was opened on blocks which a chain that was put back has no more: nothing is asked in it again.
    pub(super) relived: Option<Epoch>,
    pub(super) updates: Updates,
}

impl Validator {
    /// Opens the journal and takes up what it holds. Writes nothing before it has read all.
    pub async fn open(parts: Parts) -> Result<Self, ValidatorError> {
        let policies = Policies::new(parts.policy.clone())?;
        moving::refuse_moved(&*parts.storage)?;
        let state = parts.chain.subnet(parts.netuid).await?;
        let hotkey = parts.keypair.hotkey();
        let Some(own) = state.metagraph.by_hotkey(&hotkey) else {
            return Err(ValidatorError::NotRegistered { hotkey, netuid: parts.netuid });
        };
        let own_permit = own.validator_permit;
        if !own_permit {
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
        if epochs.is_empty() && own.last_update > own.registered_at {
            warn!(
                block = %own.last_update,
                "this journal is empty, and the hotkey has published before: if journal.dir has lost its files (a disk that isn't mounted, \
                 say), stop now and give them back. Without them the averages begin anew"
            );
        }
        let publications = PublicationQueue::resume(&journal, state.hyperparameters.reveal_period_epochs)?;
        if let Some(epoch) = publications.published() {
            metrics::published_before(epoch);
        }
        if let Some(open) = &open {
            let epoch = open.context().epoch;
            info!(%epoch, judged = open.judged().count(), "journal resumed");
            if !open.asks() {
                warn!(%epoch, "the task changed while its epoch was open: nothing more is asked before the next epoch");
            }
        }
        let log_owner = LogOwner {
            storage: parts.storage.clone(),
            keypair: parts.keypair.clone(),
            place: LogPlace {
                genesis: identity.genesis,
                netuid: identity.netuid,
                mechanism: identity.mechanism,
            },
        };
        let book = WitnessBook::open(
            log_owner.clone(),
            state.schedule.epoch,
            parts.clock.clone(),
            &mut parts.entropy.clone(),
        )?;
        let book = Arc::new(book);
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
            trouble_told: None,
            held: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            registered: watch::Sender::new(axons(&state.metagraph)),
            endpoint: None,
            in_trouble: false,
            permitted: own_permit,
            clock_is_off: false,
            way_out: WayOut::default(),
            canary_failed: false,
            deliveries: Deliveries::default(),
            log_owner,
            book,
            gathering: None,
            peers: None,
            why_unwitnessed: None,
            anchoring: Anchoring::default(),
            kept_in: None,
            told_unjoined: BTreeSet::new(),
            answers_kept_from: None,
            disk_is_short: false,
            chain_trouble: None,
            finality_broken: None,
            failing_since: None,
            relived: None,
            updates: Updates::default(),
        })
    }

    /// Progress after each block, for supervisors.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The service that tells miners what became of their answers, on this listener: to be served beside [`Validator::run`].
    pub fn verdicts(&self, listener: Box<dyn Listener>) -> VerdictsParts {
        VerdictsParts {
            netuid: self.parts.netuid,
            keypair: self.parts.keypair.clone(),
            chain: self.parts.chain.clone(),
            dialer: self.parts.dialer.clone(),
            clock: self.parts.clock.clone(),
            listener,
            storage: self.parts.storage.clone(),
            requests_max: REQUESTS_MAX,
            shelf: Shelf::new(self.journal.clone(), self.parts.storage.clone()),
            registered: self.registered.subscribe(),
            book: self.book.clone(),
        }
    }

    /// The server that hands public epochs to auditors, on this listener: to be served beside [`Validator::run`].
    pub fn bundles(&self, listener: Box<dyn Listener>, section: BundlesSection) -> BundlesParts {
        BundlesParts {
            clock: self.parts.clock.clone(),
            listener,
            section,
            storage: self.parts.storage.clone(),
            journal: self.journal.clone(),
            progress: self.progress.subscribe(),
        }
    }

    /// Counts a trouble of our own that the next block may mend, and tells the operator of it once an epoch.
    pub(super) fn postpone(&mut self, cause: VoidCause, error: &ValidatorError) {
        metrics::postponed(cause);
        let Some(open) = &self.open else { return };
        let epoch = open.context().epoch;
        if self.trouble_told.replace((epoch, cause)) != Some((epoch, cause)) {
            let cause = cause.name();
            self.in_trouble = true;
            warn!(state = ROUNDS, turned = "bad", %epoch, cause, %error, "what is due waits for our own trouble to pass; each block tries again");
        }
    }

    /// Makes records durable, then takes note of them.
    pub(super) async fn record(&mut self, records: Vec<Record>) -> Result<(), ValidatorError> {
        if records.is_empty() {
            return Ok(());
        }
        // Blobs stay on the disk alone: they are most of an epoch's bytes.
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
pub(crate) fn write(journal: &mut Journal, records: Vec<Record>) -> Result<(), JournalError> {
    for record in records {
        journal.append(record)?;
    }
    journal.commit()
}
