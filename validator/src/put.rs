//! Weights that other software made, published as the role publishes its own: the same preflight, hiding, retries, journal and
//! confirmation.
//!
//! The journal is a folder of its own. An epoch's file opens with a context that says that its scores were made elsewhere, so that nobody
//! takes the vector for one that records give; then come the intent and its news.
//!
//! **Invariant:** one epoch has one vector: after one was published, or while one is on its way, another is refused.

mod error;
mod table;

use std::sync::Arc;

use weighhouse_chain::explain::{Regime, regime};
use weighhouse_chain::{Chain, Preflight, Refusal, SetWeights};
use weighhouse_journal::{Identity, Journal, Publication};
use weighhouse_scoring::{Limits, conform};
use weighhouse_seams::{Clock, Entropy, Storage};
use weighhouse_types::{
    Block, Epoch, EpochContext, Fields, Intent, IntentState, MechId, Netuid, Record, SubnetState, Uid,
    WeightVector,
};
use weighhouse_wallet::keypair::Keypair;

use crate::moving;
use crate::publish::{PublicationQueue, Publisher, Turns};
use crate::role::write;
use crate::seen::SeenBlocks;

pub use error::PutError;
pub use table::{TABLE_BYTES_MAX, TableError, WeightRow, WeightTable, Whose};

/// Everything that publishing is handed.
#[derive(Clone, Debug)]
pub struct PutParts {
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub keypair: Arc<Keypair>,
    pub chain: Arc<dyn Chain>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Entropy,
    /// The journal's folder, held by this process alone.
    pub storage: Arc<dyn Storage>,
}

/// A journal of published vectors, open.
#[derive(Debug)]
pub struct Put {
    publisher: Publisher,
    netuid: Netuid,
    mechanism: MechId,
    journal: Journal,
    queue: PublicationQueue,
    /// The newest epoch as it was opened.
    open: Option<EpochContext>,
    seen: SeenBlocks,
}

impl Put {
    /// Opens the folder's journal, or an empty one.
    ///
    /// # Errors
    /// A hotkey that isn't registered, a folder that is a judging validator's or was moved, or one that can't be read.
    pub async fn open(parts: PutParts) -> Result<Self, PutError> {
        let PutParts { netuid, mechanism, keypair, chain, clock, entropy, storage } = parts;
        moving::refuse_moved(&*storage)?;
        let state = chain.subnet(netuid).await?;
        let validator = keypair.hotkey();
        if state.metagraph.by_hotkey(&validator).is_none() {
            return Err(PutError::NotRegistered { hotkey: validator, netuid });
        }
        let identity = Identity { genesis: chain.genesis(), netuid, mechanism, validator };
        let folder = storage.describe("");
        let journal = Journal::open(storage, identity)?;
        let open = newest_context(&journal)?;
        if open.as_ref().is_some_and(|context| !context.fields.are_scored_elsewhere()) {
            return Err(PutError::Judges { folder });
        }
        let queue = PublicationQueue::resume(&journal, state.hyperparameters.reveal_period_epochs)?;
        let publisher = Publisher { chain, keypair, clock, entropy };
        Ok(Self { publisher, netuid, mechanism, journal, queue, open, seen: SeenBlocks::default() })
    }

    /// Means to publish these relative weights in the chain's present epoch, and journals it. The same weights again go on with what is
    /// under way.
    ///
    /// # Errors
    /// Weights that no vector can be made of, or that the chain would refuse for another reason than the time; an epoch that has its vector.
    pub async fn intend(&mut self, weights: &[(Uid, f64)]) -> Result<Epoch, PutError> {
        let state = self.publisher.chain.subnet(self.netuid).await?;
        let vector = conform(weights, &Limits::of(&state))?;
        let epoch = state.schedule.epoch;
        let version_key = state.hyperparameters.weights_version_key;
        let supersedes = match self.queue.get(epoch) {
            None => None,
            Some(known) => match &known.state {
                Some(IntentState::Failed { why } | IntentState::Missed { why }) => {
                    Some((known.intent.id, why.clone()))
                }
                _ if known.intent.weights == vector => return Ok(epoch),
                Some(IntentState::Published { block }) => {
                    return Err(PutError::Published {
                        epoch,
                        block: *block,
                        next: state.schedule.next_epoch_block(),
                    });
                }
                _ => return Err(PutError::UnderWay { epoch }),
            },
        };
        self.preflight(&state, &vector, version_key).await?;
        let (netuid, mechanism) = (self.netuid, self.mechanism);
        let id = Intent::digest(epoch, netuid, mechanism, &vector, version_key);
        let intent = Intent { id, epoch, netuid, mechanism, weights: vector, version_key, supersedes };
        self.journal_intent(state, intent).await?;
        Ok(epoch)
    }

    /// Refuses what no later block of the epoch would take either.
    async fn preflight(
        &self,
        state: &SubnetState,
        vector: &WeightVector,
        version_key: u64,
    ) -> Result<(), PutError> {
        let (chain, hotkey) = (self.publisher.chain.as_ref(), self.publisher.keypair.hotkey());
        let preflight = Preflight::read(chain, state, self.mechanism, &hotkey).await?;
        let weights = SetWeights {
            netuid: self.netuid,
            mechanism: self.mechanism,
            uids: vector.uids(),
            values: vector.values(),
            version_key,
        };
        let checked = match regime(chain, &state.hyperparameters).await? {
            Regime::Plain => preflight.set(&weights),
            Regime::Timelocked { .. } | Regime::Hashed { .. } => preflight.commit(&weights),
        };
        match checked {
            Err(Refusal::SettingWeightsTooFast { .. } | Refusal::CommittingWeightsTooFast { .. })
            | Ok(()) => Ok(()),
            Err(refusal) => Err(PutError::Refused(refusal)),
        }
    }

    async fn journal_intent(&mut self, state: SubnetState, intent: Intent) -> Result<(), PutError> {
        let epoch = intent.epoch;
        let mut records = Vec::new();
        let is_open = self.open.as_ref().is_some_and(|open| open.epoch == epoch);
        if !is_open {
            let context = self.context(state).await?;
            records.push(Record::EpochOpened(Box::new(context)));
        }
        records.push(Record::Intent(intent));
        // A crash between the two leaves a file without a context, which the next life writes into it.
        self.journal.begin_epoch(epoch)?;
        write(&mut self.journal, records.clone())?;
        for record in &records {
            if let Record::EpochOpened(context) = record {
                self.open = Some(context.as_ref().clone());
            }
        }
        self.queue.extend(&records);
        Ok(())
    }

    async fn context(&self, state: SubnetState) -> Result<EpochContext, PutError> {
        let chain = &self.publisher.chain;
        Ok(EpochContext {
            epoch: state.schedule.epoch,
            netuid: self.netuid,
            mechanism: self.mechanism,
            genesis: chain.genesis(),
            validator: self.publisher.keypair.hotkey(),
            beacon: chain.beacon(state.schedule.last_epoch_block).await?,
            state,
            policy: Vec::new(),
            task: Vec::new(),
            carried: Vec::new(),
            software: concat!("weighhouse/", env!("CARGO_PKG_VERSION")).to_owned(),
            judge: None,
            fields: Fields::scored_elsewhere(),
        })
    }

    /// Takes every publication as far as the chain's newest block lets it go, and returns that block.
    ///
    /// # Errors
    /// A chain that can't be read ([`PutError::passes`]), or a journal that can't be written.
    pub async fn step(&mut self) -> Result<Block, PutError> {
        let state = self.publisher.chain.subnet(self.netuid).await?;
        let block = state.head.number;
        self.seen.note(block, self.publisher.clock.now());
        let mut turns = Turns::default();
        while let Some(news) =
            turns.next(&self.publisher, &mut self.queue, self.open.as_ref(), &state).await?
        {
            let mut records = vec![news.record()];
            records.extend(news.block().and_then(|block| self.seen.record(block)));
            write(&mut self.journal, records)?;
            turns.take(&self.publisher, &mut self.queue, news).await;
        }
        Ok(block)
    }

    /// Waits for the block after one that was worked through.
    ///
    /// # Errors
    /// As [`Put::step`].
    pub async fn next_block(&self, after: Block) -> Result<Block, PutError> {
        Ok(self.publisher.chain.next_block(after).await?.number)
    }

    /// The newest epoch's publication, and those before it with something left to do.
    pub fn publications(&self) -> impl Iterator<Item = &Publication> {
        self.queue.all()
    }
}

/// The newest epoch's context, passing over a file in which a crash left none.
fn newest_context(journal: &Journal) -> Result<Option<EpochContext>, PutError> {
    for epoch in journal.epochs().into_iter().rev() {
        let context = journal.read_epoch(epoch)?.into_iter().find_map(|record| match record {
            Record::EpochOpened(context) => Some(*context),
            _ => None,
        });
        if context.is_some() {
            return Ok(context);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
