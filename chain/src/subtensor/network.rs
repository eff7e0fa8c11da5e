//! Which chain is meant, and where it is reached.

use std::str::FromStr;
use std::time::Duration;

use weighhouse_types::Digest;

const FINNEY_URL: &str = "wss://entrypoint-finney.opentensor.ai:443";
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

/// Further endpoints only cost: what two say alike, a third makes no truer.
const ENDPOINTS_MAX: usize = 8;

/// A chain and its endpoints: `finney`, `test`, `local`, or `ws://` and `wss://` addresses with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// As it was given.
    pub name: String,
    pub endpoints: Vec<String>,
    /// Pinned; `None` takes what the first connection finds.
    pub genesis: Option<Digest>,
    /// How long one request may take.
    pub deadline: Duration,
    /// How often a new finalised block is asked for.
    pub poll: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    #[error(
        "{0:?} is no network: give finney, test, local, or ws:// and wss:// addresses with commas between them"
    )]
    Unknown(String),
    #[error("{given} endpoints are too many: at most {ENDPOINTS_MAX}")]
    TooMany { given: usize },
}

impl Network {
    /// Whether the text names a subtensor network rather than a served ledger.
    pub fn is_meant_by(text: &str) -> bool {
        matches!(text, "finney" | "test" | "local") || text.starts_with("ws://") || text.starts_with("wss://")
    }

    /// Pins the genesis, in place of the network's own pin.
    pub fn with_genesis(self, genesis: Option<Digest>) -> Self {
        Self { genesis: genesis.or(self.genesis), ..self }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (endpoints, genesis) = match text {
            "finney" => (vec![FINNEY_URL.to_owned()], Some(FINNEY_GENESIS)),
            "test" => (vec![TEST_URL.to_owned()], Some(TEST_GENESIS)),
            "local" => (vec![LOCAL_URL.to_owned()], None),
            urls => (urls.split(',').map(|url| url.trim().to_owned()).collect::<Vec<_>>(), None),
        };
        if endpoints.iter().any(|url| !is_web_socket(url)) {
            return Err(NetworkError::Unknown(text.to_owned()));
        }
        if endpoints.len() > ENDPOINTS_MAX {
            return Err(NetworkError::TooMany { given: endpoints.len() });
        }
        let is_near =
            endpoints.iter().all(|url| url.starts_with("ws://127.") || url.starts_with("ws://[::1]"));
        let poll = if is_near { Duration::from_millis(200) } else { Duration::from_secs(2) };
        Ok(Self { name: text.to_owned(), endpoints, genesis, deadline: Duration::from_secs(20), poll })
    }
}

fn is_web_socket(url: &str) -> bool {
    let host = url.strip_prefix("ws://").or_else(|| url.strip_prefix("wss://"));
    host.is_some_and(|host| !host.is_empty())
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
        let two: Network = "ws://127.0.0.1:1, wss://example.org".parse().expect("addresses");
        assert_eq!(two.endpoints, ["ws://127.0.0.1:1", "wss://example.org"]);
        assert_eq!(two.genesis, None);
        let pinned = two.with_genesis(Some(Digest([7; 32])));
        assert_eq!(pinned.clone().with_genesis(None).genesis, pinned.genesis);
    }

    #[test]
    fn anything_else_is_no_network() {
        for text in ["", "finey", "http://127.0.0.1:9944", "ws://", "ws://a,http://b"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Unknown(text.to_owned())));
        }
        let many = ["ws://a"; ENDPOINTS_MAX + 1].join(",");
        assert_eq!(many.parse::<Network>(), Err(NetworkError::TooMany { given: ENDPOINTS_MAX + 1 }));
    }

    #[test]
    fn ledgers_are_not_meant() {
        assert!(Network::is_meant_by("wss://a") && Network::is_meant_by("local"));
        assert!(!Network::is_meant_by("http://127.0.0.1:7000") && !Network::is_meant_by("localhost"));
    }
}
