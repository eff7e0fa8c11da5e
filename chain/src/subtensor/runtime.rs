//! Metadata of one version of the runtime, and the parts of it that this client relies on, looked up once.

use std::fmt;

use subxt::client::{OfflineClient, OfflineClientAtBlock};
use subxt::config::SubstrateConfig;
use subxt::config::substrate::{H256, SpecVersionForRange};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::metadata::Metadata;
use weighhouse_types::Digest;

use super::columns::MetagraphCalls;
use super::metadata::{PALLET, has_call, has_storage};
use crate::ChainError;

/// One version of the runtime. Whoever meets one checks it with `items::check` and `calls::check` before use.
pub(super) struct Runtime {
    at: OfflineClientAtBlock<SubstrateConfig>,
    pub(super) layout: Layout,
    /// Functions of the runtime that give a subnet's metagraph, where it has them.
    pub(super) metagraph: Option<MetagraphCalls>,
}

/// Features that newer runtimes have and older ones lack. The metadata decides, never a version number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// It is subtensor's at all.
    pub(super) subnets: bool,
    /// Weights, bonds, incentive and last update are keyed by `mechanism * 4096 + netuid`.
    pub(super) mechanisms: bool,
    /// Epochs follow `LastEpochBlock` rather than the block number modulo the tempo.
    pub(super) stateful_epochs: bool,
    /// A registration can carry the highest price.
    pub(super) register_limit: bool,
    /// Timelocked commits name their version; before, they were a call of their own.
    pub(super) timelocked: bool,
}

impl Runtime {
    pub(super) fn new(
        spec: u32,
        transaction: u32,
        genesis: Digest,
        metadata: Metadata,
    ) -> Result<Self, ChainError> {
        // One version for all blocks: `Subtensor::runtime` knows which block is of which.
        let range = SpecVersionForRange {
            block_range: 0..u64::MAX,
            spec_version: spec,
            transaction_version: transaction,
        };
        let config = SubstrateConfig::builder()
            .set_genesis_hash(H256(genesis.0))
            .set_metadata_for_spec_versions([(spec, metadata.arc())])
            .set_spec_version_for_block_ranges([range])
            .build();
        let at = OfflineClient::new_with_config(config)
            .at_block(0_u64)
            .map_err(|error| ChainError::Runtime { spec, what: error.to_string() })?;
        let metagraph = MetagraphCalls::of(at.metadata_ref());
        let metagraph = metagraph.map_err(|what| ChainError::Runtime { spec, what })?;
        let has_storage = |name| has_storage(at.metadata_ref(), PALLET, name);
        let has_call = |name| has_call(at.metadata_ref(), PALLET, name);
        let layout = Layout {
            subnets: has_storage("NetworksAdded"),
            // Both: rows without the calls could be read and never set.
            mechanisms: has_storage("MechanismCountCurrent") && has_call("set_mechanism_weights"),
            stateful_epochs: has_storage("LastEpochBlock"),
            register_limit: has_call("register_limit"),
            timelocked: has_call("commit_timelocked_weights"),
        };
        Ok(Self { at, layout, metagraph })
    }

    pub(super) fn spec(&self) -> u32 {
        self.at.spec_version()
    }

    pub(super) fn metadata(&self) -> &Metadata {
        self.at.metadata_ref()
    }

    pub(super) fn client(&self) -> &OfflineClientAtBlock<SubstrateConfig> {
        &self.at
    }

    /// The runtime differs from what this client knows.
    pub(super) fn differs(&self, what: impl fmt::Display) -> ChainError {
        ChainError::Runtime { spec: self.spec(), what: what.to_string() }
    }

    /// Reads a value of a type of this runtime; `what` names it in errors.
    pub(super) fn decode<T: DecodeAsType>(&self, what: &str, ty: u32, bytes: &[u8]) -> Result<T, ChainError> {
        let mut rest = bytes;
        let value = T::decode_as_type(&mut rest, ty, self.metadata().types())
            .map_err(|error| self.differs(format_args!("another {what}: {error}")))?;
        // Bytes too many mean that the type is another one, even where its beginning reads well.
        if rest.is_empty() {
            return Ok(value);
        }
        Err(ChainError::Undecodable(format!("{what}: {} bytes too many", rest.len())))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("spec", &self.spec()).field("layout", &self.layout).finish()
    }
}
