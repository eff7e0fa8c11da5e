//! Bittensor itself as a [`Chain`]: its nodes' JSON-RPC, and subxt's dynamic API over the live metadata.
//!
//! Calls and storage are found by name in the metadata of the runtime that made the block, and their shapes are
//! checked when a runtime is first met; a new runtime is taken up without a restart. What is read is read at one
//! finalised block that all reachable endpoints agree on; what was signed is looked for in finalised blocks.
//!
//! This module alone knows subxt. Nothing here trusts a node beyond what it can't check: headers must have the hash
//! they are named by, the genesis is pinned, the finalised head never goes back.

mod network;

mod choice;
mod endpoint;
mod endpoints;
mod fetch;
mod health;
mod socket;

mod calls;
mod client;
mod items;
mod metadata;
mod runtime;
mod stored;

mod columns;
mod limits;
mod read;
mod rows;
mod rules;
mod schedule;
mod shape;

mod events;
mod refusal;

mod outgoing;
mod sign;
mod submit;

mod costs;
mod extra;
mod verify;

#[cfg(any(test, feature = "conformance"))]
mod development;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use weighhouse_types::{
    Axon, Beacon, Block, Certificate, Coldkey, Commitment, Delegation, Digest, Hasher, Head, Hotkey, MechId,
    MechanismRows, Mechanisms, Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use crate::{Call, CallOutcome, Chain, ChainError, Event, SignedCall};
use client::storage_index;
use endpoint::Version;
use endpoints::Endpoints;
use fetch::StorageBatch;
use items::Key;
use metadata::Demand;
use read::Question;
use runtime::Runtime;
use sign::Nonces;
use stored::CertificateInfo;
use submit::{PoolVerdict, Searches};

#[cfg(any(test, feature = "conformance"))]
pub use development::Development;
pub use network::Network;

/// For how long a wait for the next block outlasts unreachable endpoints.
const PATIENCE: Duration = Duration::from_secs(120);
/// Subnets whose question is kept.
const QUESTIONS_MAX: usize = 16;

/// A connection to a subtensor network. Clones share it.
#[derive(Clone, Debug)]
pub struct Subtensor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    endpoints: Endpoints,
    genesis: Digest,
    demand: Demand,
    poll: Duration,
    /// The newest last.
    runtimes: Mutex<Vec<Arc<Runtime>>>,
    /// The block, other than the newest, whose runtime was asked for last; and its version.
    asked: Mutex<Option<(Digest, Version)>>,
    questions: Mutex<HashMap<Netuid, Arc<Question>>>,
    nonces: Mutex<Nonces>,
    searches: Mutex<Searches>,
}

fn certificate(info: CertificateInfo) -> Certificate {
    Certificate { algorithm: info.algorithm, public_key: info.public_key }
}

fn undecodable(what: &str, error: &dyn std::fmt::Display) -> ChainError {
    ChainError::Undecodable(format!("{what}: {error}"))
}

#[async_trait]
impl Chain for Subtensor {
    fn genesis(&self) -> Digest {
        self.0.genesis
    }

    async fn head(&self) -> Result<Head, ChainError> {
        self.0.endpoints.head().await
    }

    async fn next_block(&self, after: Block) -> Result<Head, ChainError> {
        let mut failing_since = None;
        loop {
            match self.0.endpoints.head().await {
                Ok(head) if head.number > after => return Ok(head),
                Ok(_) => failing_since = None,
                Err(error @ (ChainError::Unreachable { .. } | ChainError::TimedOut { .. })) => {
                    let since = *failing_since.get_or_insert_with(tokio::time::Instant::now);
                    if since.elapsed() > PATIENCE {
                        return Err(error);
                    }
                    tracing::debug!(%error, "waiting for the chain");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(self.0.poll).await;
        }
    }

    async fn subnet(&self, netuid: Netuid) -> Result<SubnetState, ChainError> {
        // A new block is asked the same as the one before, along with its header.
        let known = self.0.questions.lock().await.get(&netuid).cloned();
        let along = |at| known.as_ref().map_or_else(Vec::new, |question| question.requests(at));
        let (head, answers) = self.0.endpoints.head_along(&along).await?;
        let runtime = self.runtime(head.hash).await?;
        if !runtime.layout.subnets {
            return Err(ChainError::Unsupported { what: "subnets" });
        }
        if let Some(question) = known.filter(|known| known.spec == runtime.spec()) {
            return question.state(&runtime, &self.0.endpoints, head, answers).await;
        }
        let question = Arc::new(Question::new(&runtime, netuid)?);
        let state = question.state(&runtime, &self.0.endpoints, head, None).await?;
        let mut questions = self.0.questions.lock().await;
        if questions.len() == QUESTIONS_MAX {
            // Questions are cheap to make anew, so none is worth the record of which is the oldest.
            questions.clear();
        }
        questions.insert(netuid, question);
        Ok(state)
    }

    async fn beacon(&self, block: Block) -> Result<Beacon, ChainError> {
        let hash = self.0.endpoints.block_hash(block).await?;
        let runtime = self.runtime(hash).await?;
        let randomness = extra::randomness(&runtime, &self.0.endpoints, hash).await?;
        let value = Hasher::new("weighhouse/subtensor-beacon/v1")
            .part(self.0.genesis.as_bytes())
            // Blocks may share the newest pulse, where drand or its relay is late.
            .part(&block.0.to_le_bytes())
            .part(&randomness)
            .finish();
        Ok(Beacon { block, value })
    }

    async fn weights(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        self.row(items::WEIGHTS, netuid, mechanism, uid).await
    }

    async fn bonds(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        self.row(items::BONDS, netuid, mechanism, uid).await
    }

    async fn certificate(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Certificate>, ChainError> {
        let keys = [Key::Small(netuid.0), Key::Account(hotkey.0)];
        let info = self.of_subnet(netuid, items::CERTIFICATES, &keys).await?;
        Ok(info.map(certificate))
    }

    async fn certificates(
        &self,
        netuid: Netuid,
        hotkeys: &[Hotkey],
    ) -> Result<Vec<Option<Certificate>>, ChainError> {
        let (head, runtime) = self.now().await?;
        let mut batch = StorageBatch::new(&runtime);
        let keys = |hotkey: &Hotkey| [Key::Small(netuid.0), Key::Account(hotkey.0)];
        let slots = hotkeys
            .iter()
            .map(|hotkey| batch.add(items::CERTIFICATES, &keys(hotkey)))
            .collect::<Result<Vec<_>, _>>()?;
        let values = batch.fetch(&self.0.endpoints, head.hash).await?;
        slots.iter().map(|slot| Ok(values.get(slot)?.map(certificate))).collect()
    }

    async fn mechanisms(&self, netuid: Netuid) -> Result<Mechanisms, ChainError> {
        let (head, runtime) = self.now().await?;
        extra::mechanisms(&runtime, &self.0.endpoints, head.hash, netuid).await
    }

    async fn mechanism(&self, netuid: Netuid, mechanism: MechId) -> Result<MechanismRows, ChainError> {
        let (_, runtime) = self.now().await?;
        let key = storage_index(&runtime, netuid, mechanism)?;
        let last_update = self.of_subnet(netuid, items::LAST_UPDATE, &[key]).await?.unwrap_or_default();
        let incentive = self.value(items::INCENTIVE, &[key]).await?.unwrap_or_default();
        Ok(MechanismRows { last_update: last_update.into_iter().map(Block).collect(), incentive })
    }

    async fn commits(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        hotkey: Hotkey,
    ) -> Result<Vec<WeightCommit>, ChainError> {
        let (head, runtime) = self.now().await?;
        extra::commits(&runtime, &self.0.endpoints, head, (netuid, mechanism), hotkey).await
    }

    async fn timelock(&self) -> Result<Timelock, ChainError> {
        let (head, runtime) = self.now().await?;
        extra::timelock(&runtime, &self.0.endpoints, head.hash).await
    }

    async fn hook_events(&self, block: Block) -> Result<Vec<Event>, ChainError> {
        let hash = self.0.endpoints.block_hash(block).await?;
        let (runtime, events) = self.events_at(block, hash).await?;
        events::of_hooks(&runtime, events)
    }

    async fn commitment(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Commitment>, ChainError> {
        let keys = [Key::Small(netuid.0), Key::Account(hotkey.0)];
        Ok(self.of_subnet(netuid, items::COMMITMENT_OF, &keys).await?.map(read::commitment))
    }

    async fn commitment_at(
        &self,
        netuid: Netuid,
        hotkey: Hotkey,
        block: Block,
    ) -> Result<Option<Commitment>, ChainError> {
        let hash = self.0.endpoints.block_hash(block).await?;
        let runtime = self.runtime(hash).await?;
        let keys = [Key::Small(netuid.0), Key::Account(hotkey.0)];
        let stored = fetch::one(&runtime, &self.0.endpoints, hash, items::COMMITMENT_OF, &keys).await?;
        Ok(stored.map(read::commitment))
    }

    async fn prometheus(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Axon>, ChainError> {
        let keys = [Key::Small(netuid.0), Key::Account(hotkey.0)];
        let stored = self.of_subnet(netuid, items::PROMETHEUS, &keys).await?;
        Ok(stored.as_ref().and_then(read::axon))
    }

    async fn delegation(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Delegation>, ChainError> {
        let (head, runtime) = self.now().await?;
        extra::delegation(&runtime, &self.0.endpoints, head.hash, netuid, hotkey).await
    }

    async fn balance(&self, coldkey: Coldkey) -> Result<Rao, ChainError> {
        let info = self.value(items::ACCOUNT, &[Key::Account(coldkey.0)]).await?;
        Ok(Rao(info.map_or(0, |info| info.data.free)))
    }

    async fn burn(&self, netuid: Netuid) -> Result<Rao, ChainError> {
        let burn = self.of_subnet(netuid, items::BURN, &[Key::Small(netuid.0)]).await?;
        Ok(Rao(burn.unwrap_or(0)))
    }

    async fn alpha_price(&self, netuid: Netuid) -> Result<Rao, ChainError> {
        let (head, runtime) = self.now().await?;
        costs::alpha_price(&runtime, &self.0.endpoints, head.hash, netuid).await
    }

    async fn existential_deposit(&self) -> Result<Rao, ChainError> {
        let (_, runtime) = self.now().await?;
        costs::existential_deposit(&runtime)
    }

    async fn fee(&self, call: &Call) -> Result<Rao, ChainError> {
        let (head, runtime) = self.now().await?;
        let payload = self.payload(&runtime, head, call).await?;
        costs::fee(&runtime, &self.0.endpoints, head.hash, &payload).await
    }

    fn block_time(&self) -> Option<Duration> {
        Some(Duration::from_millis(extra::BLOCK_MILLIS))
    }

    async fn sign(&self, signer: &Keypair, call: Call) -> Result<SignedCall, ChainError> {
        let (head, runtime) = self.now().await?;
        let payload = self.payload(&runtime, head, &call).await?;
        self.sign_payload(&runtime, head, signer, &payload).await
    }

    async fn submit(&self, signed: &SignedCall) -> Result<(), ChainError> {
        let why = match submit::submit(&self.0.endpoints, signed).await? {
            PoolVerdict::Yes => {
                self.0.nonces.lock().await.handed_in(signed.hash);
                return Ok(());
            }
            PoolVerdict::No(why) => return Err(ChainError::NotAccepted(why)),
            PoolVerdict::Perhaps(why) => why,
        };
        let head = self.0.endpoints.head().await?;
        if self.place(signed, head).await?.is_some() || self.is_in_best_chain(signed, head).await? {
            return Ok(());
        }
        Err(ChainError::NotAccepted(why))
    }

    async fn outcome(&self, signed: &SignedCall) -> Result<CallOutcome, ChainError> {
        let head = self.0.endpoints.head().await?;
        let outcome = match self.place(signed, head).await? {
            Some(place) => self.outcome_at(place).await?,
            // `place` has looked through every block that could hold it.
            None if head.number >= signed.expires => CallOutcome::Expired,
            None if self.is_usurped(signed, head).await? => CallOutcome::Expired,
            None => return Ok(CallOutcome::Pending),
        };
        self.0.nonces.lock().await.settled(signed.hash);
        Ok(outcome)
    }
}
