//! The `[chain]` table as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use weighhouse_chain::address::{AddressError, ChainKeys, EndpointList};
use weighhouse_seams::DialMap;
use weighhouse_types::{Digest, MechId, Netuid};

use super::ChainSection;

/// The chain that the weights are published on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Chain")]
pub(super) struct RawChain {
    /// The network's name: `finney`, `archive`, `test` or `local` of subtensor, or `ledger`; with `endpoints` alone,
    /// whatever answers there.
    network: Option<String>,
    /// Its addresses: a served ledger's `http://` address, or `ws://` and `wss://` addresses of a subtensor network,
    /// which are all asked and must agree. The network's own when absent.
    #[schemars(with = "Option<Vec<String>>")]
    endpoints: Option<EndpointList>,
    /// The old spelling of both.
    #[schemars(skip)]
    endpoint: Option<String>,
    /// The genesis hash to insist on; the first one seen is taken when absent.
    genesis: Option<Digest>,
    /// The subnet to validate.
    netuid: Netuid,
    /// The mechanism within the subnet.
    #[serde(default)]
    mechanism: MechId,
    /// Addresses to dial instead, for axons that can't be reached at the address they have on the chain: `"10.0.0.7" = "127.0.0.1"`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    dial: DialMap,
    /// Whether axons at loopback, private, link-local and other addresses that nobody outside can have are dialled. When absent:
    /// no on a subtensor network, yes on a served ledger.
    dial_private: Option<bool>,
}

impl TryFrom<RawChain> for ChainSection {
    type Error = AddressError;

    fn try_from(raw: RawChain) -> Result<Self, AddressError> {
        let RawChain { network, endpoints, endpoint, genesis, netuid, mechanism, dial, dial_private } = raw;
        let (address, outdated) = ChainKeys { network, endpoints, endpoint }.read()?;
        // A ledger is a network of one's own.
        let dial_private = dial_private.unwrap_or(!address.is_subtensor());
        Ok(Self { address, genesis, netuid, mechanism, dial, dial_private, outdated })
    }
}
