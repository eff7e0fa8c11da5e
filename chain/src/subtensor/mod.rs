//! Bittensor itself as a [`Chain`]: its nodes' JSON-RPC, and subxt's dynamic API over the live metadata.
//!
//! Calls and storage are found by name in the metadata of the runtime that made the block, and their shapes are
//! checked when a runtime is first met; a new runtime is taken up without a restart. What is read is read at one
//! finalised block that all reachable endpoints agree on; what was signed is looked for in finalised blocks.
//!
//! This module alone knows subxt. Nothing here trusts a node beyond what it can't check: headers must have the hash
//! they are named by, the genesis is pinned, the finalised head never goes back.

mod network;

mod endpoint;
mod endpoints;
mod fetch;

mod calls;
mod items;
mod runtime;

mod read;
mod rows;
mod schedule;

mod events;
mod refusal;

mod sign;
mod submit;

mod extra;
mod verify;

#[cfg(any(test, feature = "conformance"))]
mod development;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use subxt::config::substrate::H256;
use subxt::ext::codec::Decode as _;
use subxt::ext::codec::Encode as _;
use subxt::metadata::Metadata;
use subxt::rpcs::client::rpc_params;
use subxt::rpcs::methods::legacy::Bytes;
use tokio::sync::Mutex;
use weighhouse_types::{
    Axon, Beacon, Block, Certificate, Coldkey, Commitment, Delegation, Digest, Hasher, Head, Hotkey, MechId,
    MechanismRows, Mechanisms, Netuid, Rao, SubnetState, Timelock, Uid, WeightCommit,
};
use weighhouse_wallet::keypair::Keypair;

use crate::{Call, Chain, ChainError, Outcome, Refusal, Signed};
use calls::Payload;
use endpoints::Endpoints;
use items::{Item, Key};
use runtime::{Demand, Runtime};
use sign::{MORTAL_BLOCKS, Nonces, OnItsWay};
use submit::{Place, Searches, Taken};

#[cfg(any(test, feature = "conformance"))]
pub use development::Development;
pub use network::{Network, NetworkError};

/// Runtimes kept at once: the one now, and those of blocks that are still asked about.
const RUNTIMES_MAX: usize = 4;
/// For how long a wait for the next block outlasts unreachable endpoints.
const PATIENCE: Duration = Duration::from_secs(120);
/// Metadata versions asked for, the newest first.
const METADATA_VERSIONS: [u32; 2] = [16, 15];

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
    /// The block whose runtime was asked for last, and its version.
    asked: Mutex<Option<(Digest, u32)>>,
    nonces: Mutex<Nonces>,
    searches: Mutex<Searches>,
}

/// A runtime's versions, as a node tells them.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    spec_version: u32,
    transaction_version: u32,
}

impl Subtensor {
    /// Connects, pins the genesis, and checks that the runtime has everything needed.
    pub async fn connect(network: &Network) -> Result<Self, ChainError> {
        Self::connect_to(network, Demand::Subtensor).await
    }

    /// As [`Self::connect`], to a chain that may be another: it has balances and transfers, and no subnets.
    #[cfg(any(test, feature = "conformance"))]
    pub async fn connect_to_any(network: &Network) -> Result<Self, ChainError> {
        Self::connect_to(network, Demand::Transport).await
    }

    async fn connect_to(network: &Network, demand: Demand) -> Result<Self, ChainError> {
        let endpoints = Endpoints::new(network);
        let head = endpoints.head().await?;
        let genesis = endpoints.genesis().expect("a connection was made");
        let inner = Inner {
            endpoints,
            genesis,
            demand,
            poll: network.poll,
            runtimes: Mutex::default(),
            asked: Mutex::default(),
            nonces: Mutex::default(),
            searches: Mutex::default(),
        };
        let chain = Self(Arc::new(inner));
        chain.runtime(head.hash).await?;
        Ok(chain)
    }

    /// The version of the runtime at the newest finalised block.
    pub async fn spec_version(&self) -> Result<u32, ChainError> {
        let head = self.0.endpoints.head().await?;
        Ok(self.runtime(head.hash).await?.spec())
    }

    /// The runtime at a block.
    async fn runtime(&self, at: Digest) -> Result<Arc<Runtime>, ChainError> {
        let asked = *self.0.asked.lock().await;
        if let Some((_, spec)) = asked.filter(|(block, _)| *block == at)
            && let Some(known) = self.known_runtime(spec).await
        {
            return Ok(known);
        }
        let params = rpc_params![H256(at.0)];
        let version: Version = self.0.endpoints.ask("state_getRuntimeVersion", &params).await?;
        *self.0.asked.lock().await = Some((at, version.spec_version));
        if let Some(known) = self.known_runtime(version.spec_version).await {
            return Ok(known);
        }
        let metadata = self.metadata(at).await?;
        let (spec, transaction) = (version.spec_version, version.transaction_version);
        let runtime = Arc::new(Runtime::new(spec, transaction, self.0.genesis, metadata, self.0.demand)?);
        tracing::info!(spec, layout = ?runtime.layout, "met a runtime");
        let mut runtimes = self.0.runtimes.lock().await;
        if runtimes.len() == RUNTIMES_MAX {
            runtimes.remove(0);
        }
        runtimes.push(Arc::clone(&runtime));
        Ok(runtime)
    }

    async fn known_runtime(&self, spec: u32) -> Option<Arc<Runtime>> {
        self.0.runtimes.lock().await.iter().find(|runtime| runtime.spec() == spec).cloned()
    }

    async fn metadata(&self, at: Digest) -> Result<Metadata, ChainError> {
        for version in METADATA_VERSIONS {
            let answer = fetch::call(&self.0.endpoints, "Metadata_metadata_at_version", version.encode(), at);
            let Ok(answer) = answer.await else { break };
            let bytes = Option::<Vec<u8>>::decode(&mut &answer[..]);
            if let Some(bytes) = bytes.map_err(|error| undecodable("metadata", &error))? {
                return Metadata::decode_from(&bytes).map_err(|error| undecodable("metadata", &error));
            }
        }
        let bytes: Bytes = self.0.endpoints.ask("state_getMetadata", &rpc_params![H256(at.0)]).await?;
        Metadata::decode_from(&bytes.0).map_err(|error| undecodable("metadata", &error))
    }

    /// The newest finalised block and its runtime.
    async fn now(&self) -> Result<(Head, Arc<Runtime>), ChainError> {
        let head = self.0.endpoints.head().await?;
        Ok((head, self.runtime(head.hash).await?))
    }

    /// One storage item at the newest finalised block.
    async fn value<T: subxt::ext::scale_decode::DecodeAsType>(
        &self,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Option<T>, ChainError> {
        let (head, runtime) = self.now().await?;
        fetch::one(&runtime, &self.0.endpoints, head.hash, item, keys).await
    }

    /// One storage item of a subnet that there is, at the newest finalised block.
    async fn of_subnet<T: subxt::ext::scale_decode::DecodeAsType>(
        &self,
        netuid: Netuid,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Option<T>, ChainError> {
        let (head, runtime) = self.now().await?;
        let mut batch = fetch::Batch::new(&runtime);
        let added = batch.add(items::NETWORKS_ADDED, &[Key::Small(netuid.0)])?;
        let item = batch.add_optional(item, keys)?;
        let values = batch.fetch(&self.0.endpoints, head.hash).await?;
        if !values.need(&added)? {
            return Err(ChainError::NoSubnet(netuid));
        }
        item.map_or(Ok(None), |item| values.get(&item))
    }

    /// A row of weights or bonds; empty for a mechanism that isn't.
    async fn row(
        &self,
        item: Item<Vec<(u16, u16)>>,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        let (_, runtime) = self.now().await?;
        let Ok(index) = storage_index(&runtime, netuid, mechanism) else { return Ok(Vec::new()) };
        let row = self.of_subnet(netuid, item, &[index, Key::Small(uid.0)]).await?.unwrap_or_default();
        Ok(row.into_iter().map(|(uid, value)| (Uid(uid), value)).collect())
    }

    async fn payload(&self, runtime: &Runtime, head: Head, call: &Call) -> Result<Payload, ChainError> {
        let endpoints = &self.0.endpoints;
        match call {
            Call::SetTake { hotkey, take } => {
                let key = [Key::Account(hotkey.0)];
                let now = fetch::one(runtime, endpoints, head.hash, items::DELEGATES, &key).await?;
                Ok(calls::set_take(*hotkey, *take, now.unwrap_or(0)))
            }
            Call::SetMechanisms { netuid, mechanisms } => Ok(calls::set_mechanisms(*netuid, mechanisms)),
            Call::SetHyperparameters { netuid, hyperparameters } => {
                let state = read::subnet(runtime, endpoints, head, *netuid).await?;
                extra::set_hyperparameters(*netuid, &state.hyperparameters, hyperparameters)
            }
            Call::Register { netuid, limit, .. } if !runtime.layout.register_limit => {
                let key = [Key::Small(netuid.0)];
                let burn = fetch::one(runtime, endpoints, head.hash, items::BURN, &key).await?;
                let burn = Rao(burn.unwrap_or(0));
                if burn > *limit {
                    return Err(ChainError::Refused(Refusal::RegistrationPriceLimitExceeded { burn }));
                }
                calls::payload(runtime, call)
            }
            call => calls::payload(runtime, call),
        }
    }

    async fn sign_payload(
        &self,
        runtime: &Runtime,
        head: Head,
        signer: &Keypair,
        payload: &Payload,
    ) -> Result<Signed, ChainError> {
        let account = signer.public();
        let nonce = self.next_nonce(&account).await?;
        let mut nonces = self.0.nonces.lock().await;
        nonces.check(&account, nonce, head.number)?;
        let signed = sign::sign(runtime, signer, payload, nonce, head)?;
        let call = OnItsWay { hash: signed.hash, nonce, expires: signed.expires, is_handed_in: false };
        nonces.signed(account, call, head.number);
        Ok(signed)
    }

    /// The account's nonce at the node's best block.
    async fn next_nonce(&self, account: &[u8; 32]) -> Result<u64, ChainError> {
        let params = rpc_params!["AccountNonceApi_account_nonce", Bytes(account.to_vec())];
        let answer: Bytes = self.0.endpoints.ask("state_call", &params).await?;
        let nonce = u32::decode(&mut &answer.0[..]);
        nonce.map(u64::from).map_err(|error| undecodable("a nonce", &error))
    }

    /// Looks for a call in the finalised blocks that may hold it and weren't searched yet.
    async fn place(&self, signed: &Signed, head: Head) -> Result<Option<Place>, ChainError> {
        let mut block = self.0.searches.lock().await.next(signed, MORTAL_BLOCKS);
        while block <= head.number && block <= signed.expires {
            let hash = self.0.endpoints.block_hash(block).await?;
            if let Some(position) = submit::find(&self.0.endpoints, hash, signed.hash).await? {
                return Ok(Some(Place { block, hash, position }));
            }
            self.0.searches.lock().await.searched(signed.hash, block);
            block = Block(block.0 + 1);
        }
        Ok(None)
    }

    /// Whether another call has taken the nonce of one that isn't in any block up to the head.
    async fn is_usurped(&self, signed: &Signed, head: Head) -> Result<bool, ChainError> {
        let Some((account, nonce)) = self.0.nonces.lock().await.of(signed.hash) else { return Ok(false) };
        let runtime = self.runtime(head.hash).await?;
        let key = [Key::Account(account)];
        let info = fetch::one(&runtime, &self.0.endpoints, head.hash, items::ACCOUNT, &key).await?;
        Ok(info.is_some_and(|info| info.nonce > nonce))
    }

    async fn outcome_at(&self, place: Place) -> Result<Outcome, ChainError> {
        // The block was made, and its events written, by the runtime of its parent's state.
        let parent = self.0.endpoints.block_hash(Block(place.block.0.saturating_sub(1))).await?;
        let runtime = self.runtime(parent).await?;
        let key = items::EVENTS.key(&runtime, &[])?;
        let params = rpc_params![Bytes(key), H256(place.hash.0)];
        let events: Option<Bytes> = self.0.endpoints.ask("state_getStorage", &params).await?;
        let events = events.ok_or_else(|| ChainError::Undecodable("a block without events".to_owned()))?;
        events::outcome(&runtime, events.0, place.position, place.block)
    }

    /// Whether a call is in a block that isn't final yet.
    async fn is_in_best_chain(&self, signed: &Signed, head: Head) -> Result<bool, ChainError> {
        for number in head.number.0 + 1..=head.number.0 + MORTAL_BLOCKS {
            let hash: Option<H256> = self.0.endpoints.ask("chain_getBlockHash", &rpc_params![number]).await?;
            let Some(hash) = hash else { return Ok(false) };
            if submit::find(&self.0.endpoints, Digest(hash.0), signed.hash).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// `mechanism * 4096 + netuid`, where the runtime has mechanisms.
fn storage_index(runtime: &Runtime, netuid: Netuid, mechanism: MechId) -> Result<Key, ChainError> {
    if mechanism == MechId(0) {
        return Ok(Key::Small(netuid.0));
    }
    let index = u16::from(mechanism.0).checked_mul(events::SUBNETS_PER_MECHANISM);
    let index = index.and_then(|first| first.checked_add(netuid.0));
    match index {
        Some(index) if runtime.layout.mechanisms => Ok(Key::Small(index)),
        _ => Err(ChainError::Refused(Refusal::MechanismDoesNotExist { mechanism: mechanism.0 })),
    }
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
        let (head, runtime) = self.now().await?;
        if !runtime.layout.subnets {
            return Err(ChainError::Unsupported { what: "subnets" });
        }
        read::subnet(&runtime, &self.0.endpoints, head, netuid).await
    }

    async fn beacon(&self, block: Block) -> Result<Beacon, ChainError> {
        let hash = self.0.endpoints.block_hash(block).await?;
        let runtime = self.runtime(hash).await?;
        let randomness = extra::randomness(&runtime, &self.0.endpoints, hash).await?;
        let value = Hasher::new("weighhouse/subtensor-beacon/v1")
            .part(self.0.genesis.as_bytes())
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
        Ok(info.map(|info| Certificate { algorithm: info.algorithm, public_key: info.public_key }))
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

    async fn commitment(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Commitment>, ChainError> {
        let keys = [Key::Small(netuid.0), Key::Account(hotkey.0)];
        let stored = self.of_subnet(netuid, items::COMMITMENT_OF, &keys).await?;
        Ok(stored.map(|stored| {
            let mut data = Vec::new();
            stored.info.fields.iter().for_each(|field| events::collect(field, &mut data));
            Commitment { block: Block(stored.block), data }
        }))
    }

    async fn prometheus(&self, netuid: Netuid, hotkey: Hotkey) -> Result<Option<Axon>, ChainError> {
        let keys = [Key::Small(netuid.0), Key::Account(hotkey.0)];
        let stored = self.of_subnet(netuid, items::PROMETHEUS, &keys).await?;
        Ok(stored.and_then(|info| read::endpoint(info.block, info.version, info.ip, info.port, info.ip_type)))
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

    async fn sign(&self, signer: &Keypair, call: Call) -> Result<Signed, ChainError> {
        let (head, runtime) = self.now().await?;
        let payload = self.payload(&runtime, head, &call).await?;
        self.sign_payload(&runtime, head, signer, &payload).await
    }

    async fn submit(&self, signed: &Signed) -> Result<(), ChainError> {
        let why = match submit::submit(&self.0.endpoints, signed).await? {
            Taken::Yes => {
                self.0.nonces.lock().await.handed_in(signed.hash);
                return Ok(());
            }
            Taken::No(why) => return Err(ChainError::NotAccepted(why)),
            Taken::Perhaps(why) => why,
        };
        let head = self.0.endpoints.head().await?;
        if self.place(signed, head).await?.is_some() || self.is_in_best_chain(signed, head).await? {
            return Ok(());
        }
        Err(ChainError::NotAccepted(why))
    }

    async fn outcome(&self, signed: &Signed) -> Result<Outcome, ChainError> {
        let head = self.0.endpoints.head().await?;
        let outcome = match self.place(signed, head).await? {
            Some(place) => self.outcome_at(place).await?,
            None if head.number >= signed.expires => Outcome::Expired,
            None if self.is_usurped(signed, head).await? => Outcome::Expired,
            None => return Ok(Outcome::Pending),
        };
        self.0.nonces.lock().await.settled(signed.hash);
        Ok(outcome)
    }
}
