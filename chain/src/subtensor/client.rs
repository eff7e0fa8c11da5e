//! A connection: the runtime of a block, and single values of it.

use std::sync::Arc;

use subxt::config::substrate::H256;
use subxt::ext::codec::{Decode as _, Encode as _};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::metadata::Metadata;
use subxt::rpcs::client::rpc_params;
use tokio::sync::Mutex;
use weighhouse_types::{Digest, Head, MechId, Netuid, Uid};

use super::endpoint::Version;
use super::endpoints::Endpoints;
use super::items::{self, Item, Key};
use super::metadata::Demand;
use super::runtime::Runtime;
use super::socket::Hex;
use super::{Inner, Network, Subtensor, calls, events, fetch, undecodable};
use crate::{ChainError, Refusal};

/// Runtimes kept at once: the one now, and those of blocks that are still asked about.
const RUNTIMES_MAX: usize = 4;
/// Metadata versions asked for, the newest first.
const METADATA_VERSIONS: [u32; 2] = [16, 15];

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
            questions: Mutex::default(),
            nonces: Mutex::default(),
            searches: Mutex::default(),
        };
        let chain = Self(Arc::new(inner));
        // Once at the start, so that a runtime that lacks something is refused here and not in an epoch.
        chain.runtime(head.hash).await?;
        Ok(chain)
    }

    /// The version of the runtime at the newest finalised block.
    pub async fn spec_version(&self) -> Result<u32, ChainError> {
        let head = self.0.endpoints.head().await?;
        Ok(self.runtime(head.hash).await?.spec())
    }

    /// The runtime at a block.
    pub(super) async fn runtime(&self, at: Digest) -> Result<Arc<Runtime>, ChainError> {
        let version = match self.0.endpoints.version(at).await {
            Some(version) => version,
            None => self.version(at).await?,
        };
        if let Some(known) = self.known_runtime(version.spec_version).await {
            return Ok(known);
        }
        // Without a lock: two callers that meet an upgrade at once both fetch it, and either copy serves.
        let metadata = self.metadata(at).await?;
        let (spec, transaction) = (version.spec_version, version.transaction_version);
        let runtime = Runtime::new(spec, transaction, self.0.genesis, metadata)?;
        check(&runtime, self.0.demand)?;
        let runtime = Arc::new(runtime);
        tracing::info!(spec, layout = ?runtime.layout, "met a runtime");
        let mut runtimes = self.0.runtimes.lock().await;
        // Metadata takes megabytes, and an upgrade needs the old one for a few blocks only.
        if runtimes.len() == RUNTIMES_MAX {
            runtimes.remove(0);
        }
        runtimes.push(Arc::clone(&runtime));
        Ok(runtime)
    }

    async fn version(&self, at: Digest) -> Result<Version, ChainError> {
        let asked = self.0.asked.lock().await.filter(|(block, _)| *block == at);
        if let Some((_, version)) = asked {
            return Ok(version);
        }
        let params = rpc_params![H256(at.0)];
        let version = self.0.endpoints.ask("state_getRuntimeVersion", &params).await?;
        *self.0.asked.lock().await = Some((at, version));
        Ok(version)
    }

    async fn known_runtime(&self, spec: u32) -> Option<Arc<Runtime>> {
        self.0.runtimes.lock().await.iter().find(|runtime| runtime.spec() == spec).cloned()
    }

    async fn metadata(&self, at: Digest) -> Result<Metadata, ChainError> {
        // Older versions lack the runtime's functions; the oldest form of all is asked for below.
        for version in METADATA_VERSIONS {
            let answer =
                fetch::call(&self.0.endpoints, "Metadata_metadata_at_version", Hex(version.encode()), at);
            let Ok(answer) = answer.await else { break };
            let bytes = Option::<Vec<u8>>::decode(&mut &answer[..]);
            if let Some(bytes) = bytes.map_err(|error| undecodable("metadata", &error))? {
                return Metadata::decode_from(&bytes).map_err(|error| undecodable("metadata", &error));
            }
        }
        let bytes: Hex = self.0.endpoints.ask("state_getMetadata", &rpc_params![H256(at.0)]).await?;
        Metadata::decode_from(&bytes.0).map_err(|error| undecodable("metadata", &error))
    }

    /// The newest finalised block and its runtime.
    pub(super) async fn now(&self) -> Result<(Head, Arc<Runtime>), ChainError> {
        let head = self.0.endpoints.head().await?;
        Ok((head, self.runtime(head.hash).await?))
    }

    /// One storage item at the newest finalised block.
    pub(super) async fn value<T: DecodeAsType>(
        &self,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Option<T>, ChainError> {
        let (head, runtime) = self.now().await?;
        fetch::one(&runtime, &self.0.endpoints, head.hash, item, keys).await
    }

    /// One storage item of a subnet that there is, at the newest finalised block.
    pub(super) async fn of_subnet<T: DecodeAsType>(
        &self,
        netuid: Netuid,
        item: Item<T>,
        keys: &[Key],
    ) -> Result<Option<T>, ChainError> {
        let (head, runtime) = self.now().await?;
        let mut batch = fetch::StorageBatch::new(&runtime);
        let added = batch.add(items::NETWORKS_ADDED, &[Key::Small(netuid.0)])?;
        let item = batch.add_optional(item, keys)?;
        let values = batch.fetch(&self.0.endpoints, head.hash).await?;
        if !values.need(&added)? {
            return Err(ChainError::NoSubnet(netuid));
        }
        item.map_or(Ok(None), |item| values.get(&item))
    }

    /// A row of weights or bonds; empty for a mechanism that isn't.
    pub(super) async fn row(
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
}

/// Checks that the runtime has every storage item and call that is needed, in the shapes that this client writes and reads.
pub(super) fn check(runtime: &Runtime, demand: Demand) -> Result<(), ChainError> {
    items::check(runtime, demand)?;
    calls::check(runtime, demand)
}

/// `mechanism * 4096 + netuid`, where the runtime has mechanisms.
pub(super) fn storage_index(runtime: &Runtime, netuid: Netuid, mechanism: MechId) -> Result<Key, ChainError> {
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
