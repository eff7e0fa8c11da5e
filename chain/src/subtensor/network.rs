//! A subtensor network: its endpoints, its pinned genesis and how it is asked.

use std::str::FromStr;
use std::time::Duration;

use weighhouse_types::Digest;

use crate::address::{AddressError, ChainAddress, NetworkName};

const FINNEY_URL: &str = "wss://entrypoint-finney.opentensor.ai:443";
const ARCHIVE_URL: &str = "wss://archive.chain.opentensor.ai:443";
const TEST_URL: &str = "wss://test.finney.opentensor.ai:443";
const LOCAL_URL: &str = "ws://127.0.0.1:9944";

const FINNEY_GENESIS: Digest = Digest([
    0x2f, 0x05, 0x55, 0xcc, 0x76, 0xfc, 0x28, 0x40, 0xa2, 0x5a, 0x6e, 0xa3, 0xb9, 0x63, 0x71, 0x46, 0x80,
    0x6f, 0x1f, 0x44, 0xb0, 0x90, 0xc1, 0x75, 0xff, 0xde, 0x2a, 0x7e, 0x5a, 0xb3, 0x6c, 0x03,
]);
const TEST_GENESIS: Digest = Digest([
    0x8f, 0x9c, 0xf8, 0x56, 0xbf, 0x55, 0x8a, 0x14, 0x44, 0x0e, 0x75, 0x56, 0x9c, 0x9e, 0x58, 0x59, 0x47,
    0x57, 0x04, 0x8d, 0x7b, 0x3a, 0x84, 0xb5, 0xd2, 0x5f, 0x6b, 0xd9, 0x78, 0x26, 0x31, 0x05,
]);

/// Five blocks of Bittensor.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// A subtensor network to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The name or the addresses that it was given by.
    pub name: String,
    pub endpoints: Vec<String>,
    /// Pinned; `None` takes what the first connection finds.
    pub genesis: Option<Digest>,
    /// Longest wait for one request.
    pub deadline: Duration,
    /// Time between two questions for a new finalised block.
    pub poll: Duration,
    /// Time for which a head may stand still while another endpoint's moves.
    pub stuck_after: Duration,
}

impl Network {
    /// Pins the genesis, in place of the network's own pin.
    pub fn with_genesis(self, genesis: Option<Digest>) -> Self {
        Self { genesis: genesis.or(self.genesis), ..self }
    }
}

impl TryFrom<&ChainAddress> for Network {
    type Error = AddressError;

    fn try_from(address: &ChainAddress) -> Result<Self, AddressError> {
        let (url, genesis) = match address.network() {
            Some(NetworkName::Finney) => (FINNEY_URL, Some(FINNEY_GENESIS)),
            Some(NetworkName::Archive) => (ARCHIVE_URL, Some(FINNEY_GENESIS)),
            Some(NetworkName::Test) => (TEST_URL, Some(TEST_GENESIS)),
            _ if !address.is_subtensor() => return Err(AddressError::Unknown(address.to_string())),
            _ => (LOCAL_URL, None),
        };
        let given = address.endpoints();
        let endpoints = if given.is_empty() { vec![url.to_owned()] } else { given.to_vec() };
        let is_near =
            endpoints.iter().all(|url| url.starts_with("ws://127.") || url.starts_with("ws://[::1]"));
        // A node on this machine may make blocks many times as fast as the network's,
        // and asking it costs nothing.
        let poll = if is_near { Duration::from_millis(200) } else { Duration::from_secs(2) };
        let (name, deadline) = (address.to_string(), Duration::from_secs(20));
        Ok(Self { name, endpoints, genesis, deadline, poll, stuck_after: STUCK_AFTER })
    }
}

impl FromStr for Network {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::try_from(&text.parse::<ChainAddress>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pinned_and_addresses_are_taken_as_given() {
        let finney: Network = "finney".parse().expect("a name");
        assert_eq!(
            finney.genesis.map(|genesis| genesis.to_string()).as_deref(),
            Some("2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03")
        );
        assert_eq!(
            "test".parse::<Network>().expect("a name").genesis.map(|genesis| genesis.to_string()).as_deref(),
            Some("8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105")
        );
        let archive: Network = "archive".parse().expect("a name");
        assert_eq!((archive.genesis, archive.endpoints.len()), (finney.genesis, 1));
        let two: Network = "ws://127.0.0.1:1, wss://example.org".parse().expect("addresses");
        assert_eq!(two.endpoints, ["ws://127.0.0.1:1", "wss://example.org"]);
        assert_eq!(two.genesis, None);
        let pinned = two.with_genesis(Some(Digest([7; 32])));
        assert_eq!(pinned.clone().with_genesis(None).genesis, pinned.genesis);
    }

    #[test]
    fn a_named_network_keeps_its_pin_at_addresses_of_ones_own() {
        let address = ChainAddress::new(Some(NetworkName::Finney), vec!["wss://own.node".to_owned()]);
        let network = Network::try_from(&address.expect("belong together")).expect("a network");
        assert_eq!(
            (network.endpoints, network.genesis),
            (vec!["wss://own.node".to_owned()], Some(FINNEY_GENESIS))
        );
    }

    #[test]
    fn a_ledger_is_no_subtensor_network() {
        for text in ["ledger", "http://127.0.0.1:9944", "finey", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
