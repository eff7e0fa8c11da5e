//! The checkpoint behind an epoch's end: signed, taken to the subnet's other validators, and recorded with their signatures.

use std::sync::PoisonError;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tracing::{info, warn};
use weighhouse_ask::Target;
use weighhouse_ask::verdicts::ENDPOINT_VERSION;
use weighhouse_chain::{Chain, ChainError};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Epoch, Hotkey, LogKeyUse, LogOpening, Netuid, Record, SubnetState};

use super::{Validator, WITNESSES};
use crate::error::ValidatorError;
use crate::log::{Gathering, Means, Peer, exchange, load, opening, witnesses_of};
use crate::metrics;

/// Validators that the chain is asked about at once.
const AT_ONCE: usize = 16;
const PEERS_DEADLINE: Duration = Duration::from_secs(10);

impl Validator {
    /// Signs the log behind the open epoch's closing record, and asks for the signatures that are missing. What a witness doesn't sign
    /// holds nothing up: the next block asks again, until the next epoch is open.
    pub(super) async fn witness_epoch(&mut self, state: &SubnetState) -> Result<(), ValidatorError> {
        let Some(open) = self.open.as_ref().filter(|open| open.is_closed()) else { return Ok(()) };
        let Some(log) = open.context().fields.log() else { return Ok(()) };
        let epoch = open.context().epoch;
        if self.journal.lock().unwrap_or_else(PoisonError::into_inner).current_epoch() != Some(epoch) {
            return Ok(());
        }
        let is_new = self.gathering.as_ref().is_none_or(|gathering| gathering.epoch != epoch);
        if is_new {
            self.gathering = self.begin_gathering(epoch, &log).await?.or(self.gathering.take());
        }
        let Some(mut gathering) = self.gathering.take().filter(|gathering| gathering.epoch == epoch) else {
            return Ok(());
        };
        let peers = self.peers(state).await;
        let (asker, journal, cpu) = (self.asker.clone(), self.journal.clone(), self.parts.cpu.clone());
        gathering.ask(Means { asker, journal, cpu }, &peers).await;
        if is_new && !peers.is_empty() {
            exchange(&self.asker, &self.book, &self.parts.cpu, self.log_owner.place, peers).await;
            self.tell_unjoined().await?;
        }
        let record = (!gathering.is_recorded).then(|| gathering.record());
        gathering.is_recorded = true;
        self.gathering = Some(gathering);
        self.record(record.into_iter().collect()).await
    }

    /// Where an epoch's records begin in the log, which goes on from the newest file.
    pub(super) async fn log_opening(&mut self, epoch: Epoch) -> Result<LogOpening, ValidatorError> {
        let (journal, owner) = (self.journal.clone(), self.log_owner.clone());
        let mut entropy = self.parts.entropy.clone();
        let open = move || {
            let end = journal.lock().unwrap_or_else(PoisonError::into_inner).log_end()?;
            opening(&owner, epoch, end, &mut entropy)
        };
        self.parts.cpu.run(open).await?
    }

    /// Tells whether the checkpoint of the epoch that ends here has the witnesses that an audit demands.
    pub(super) fn tell_witnesses(&mut self) {
        let (Some(gathering), Some(open)) = (&self.gathering, &self.open) else { return };
        if gathering.epoch != open.context().epoch {
            return;
        }
        let epoch = gathering.epoch;
        let wanted = witnesses_of(open.context());
        let signed = wanted.who.iter().filter(|hotkey| gathering.has_signed(hotkey)).count();
        metrics::witnesses(signed, wanted.quorum);
        let why = (signed < wanted.quorum).then(|| gathering.why_missing(&wanted.who));
        let told = std::mem::replace(&mut self.why_unwitnessed, why.clone());
        match (told, why) {
            (None, Some(why)) => warn!(
                state = WITNESSES,
                turned = "bad",
                %epoch,
                why,
                "this epoch's checkpoint has {signed} of the {} signatures that an audit demands, of {} other validators",
                wanted.quorum,
                wanted.who.len()
            ),
            (Some(told), Some(why)) if told != why => {
                warn!(%epoch, why, "this epoch's checkpoint lacks signatures too, for another reason now");
            }
            (Some(_), None) => {
                info!(state = WITNESSES, turned = "good", %epoch, "enough validators have signed the epoch's checkpoint");
            }
            _ => {}
        }
    }

    /// Tells once of each log that keeps two records, as far as a witness can see it.
    async fn tell_unjoined(&mut self) -> Result<(), ValidatorError> {
        let book = self.book.clone();
        let unjoined = self.parts.cpu.run(move || book.unjoined()).await?;
        metrics::logs_unjoined(unjoined.len());
        for (validator, size) in &unjoined {
            if !self.told_unjoined.contains(validator) {
                warn!(
                    %validator,
                    size,
                    "this validator's log doesn't show that it grew from the checkpoint that another witness has signed, so it isn't \
                     signed here any more: it may show two records to two people. Compare its bundles as two of you have them (weighhouse \
                     audit FILE FILE)"
                );
            }
        }
        self.told_unjoined = unjoined.into_iter().map(|(validator, _)| validator).collect();
        Ok(())
    }

    /// The checkpoint on record, or a new one; `None` where the log's key isn't here, which begins a new log with the next epoch.
    async fn begin_gathering(
        &self,
        epoch: Epoch,
        log: &LogOpening,
    ) -> Result<Option<Gathering>, ValidatorError> {
        let recorded = self.open.as_ref().and_then(|open| {
            open.records().iter().rev().find_map(|record| match record {
                Record::Checkpoint(checkpoint) => Some(checkpoint.clone()),
                _ => None,
            })
        });
        let held = self.gathering.as_ref().map(Gathering::held).unwrap_or_default();
        let (owner, journal, book) = (self.log_owner.clone(), self.journal.clone(), self.book.clone());
        let (log, place) = (log.clone(), self.log_owner.place);
        let begin = move || -> Result<Option<Gathering>, ValidatorError> {
            let key = load(&owner, LogKeyUse::Log)?.filter(|key| key.certified.key == log.key.key);
            let Some(key) = key else { return Ok(None) };
            if let Some(recorded) = recorded {
                return Ok(Gathering::resume(place, &log.key, &recorded));
            }
            let tree = journal.lock().unwrap_or_else(PoisonError::into_inner).log_since(log.size)?;
            let signed = tree.and_then(|tree| Some((epoch, tree.size(), tree.root_at(tree.size())?)));
            let Some(signed) = signed else { return Ok(None) };
            let gathering = Gathering::new(place, &key, log.key, signed, held);
            // It serves to find others out, and is no reason to leave the epoch without a checkpoint.
            if let Err(error) = book.keep_own(&gathering) {
                warn!(%error, "our own checkpoint isn't kept beside those of others");
            }
            Ok(Some(gathering))
        };
        self.parts.cpu.run(begin).await?
    }

    /// Other validators with a permit, where the chain says that they serve; looked up once an epoch.
    async fn peers(&mut self, state: &SubnetState) -> Vec<Peer> {
        let epoch = state.schedule.epoch;
        if let Some((known, peers)) = &self.peers
            && *known == epoch
        {
            return peers.clone();
        }
        let own = self.parts.keypair.hotkey();
        let neurons = state.metagraph.neurons.iter();
        let others = neurons.filter(|neuron| neuron.validator_permit && neuron.hotkey != own);
        let others: Vec<Hotkey> = others.map(|neuron| neuron.hotkey).collect();
        let asking = stream::iter(others).map(|hotkey| {
            let (chain, netuid) = (self.parts.chain.clone(), self.parts.netuid);
            async move { peer(&*chain, netuid, hotkey).await }
        });
        let asking = asking.buffered(AT_ONCE).collect::<Vec<_>>();
        let asked = self.parts.clock.timeout(PEERS_DEADLINE, asking).await.unwrap_or_default();
        // Where the chain has not told of all, the next block asks again.
        let is_whole = !asked.is_empty() && asked.iter().all(Result::is_ok);
        let peers: Vec<Peer> = asked.into_iter().filter_map(|peer| peer.ok().flatten()).collect();
        if is_whole {
            self.peers = Some((epoch, peers.clone()));
        }
        peers
    }
}

async fn peer(chain: &dyn Chain, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Peer>, ChainError> {
    let endpoint = match chain.prometheus(netuid, hotkey).await {
        Err(ChainError::Unsupported { .. }) => None,
        endpoint => endpoint?,
    };
    let serves = endpoint.filter(|endpoint| endpoint.version == ENDPOINT_VERSION);
    Ok(serves.map(|endpoint| {
        let target = Target { address: endpoint.address(), hotkey, pin: None };
        Peer { hotkey, target }
    }))
}
