//! Network and addresses of a chain, as configuration files and the command line name them.
//!
//! `network` is a name and says which chain is meant; `endpoints` are addresses and say where it is reached. Either
//! alone is enough: a name has addresses of its own, and the scheme of an address tells a ledger (`http://`) from a
//! subtensor network (`ws://`, `wss://`).

mod keys;

use std::fmt;
use std::str::FromStr;

pub use keys::{ChainKeys, EndpointList};

/// Address of a ledger where none is given.
pub const LEDGER_URL: &str = "http://127.0.0.1:9944";

/// More endpoints add latency and no confidence; this guards against typing errors.
const ENDPOINTS_MAX: usize = 8;

/// Name of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkName {
    /// Bittensor's main network, its genesis pinned.
    Finney,
    /// Bittensor's main network at a node that keeps every block's state.
    Archive,
    /// Bittensor's test network, its genesis pinned.
    Test,
    /// A subtensor node on this machine.
    Local,
    /// The embedded ledger, served.
    Ledger,
}

impl NetworkName {
    const ALL: [Self; 5] = [Self::Finney, Self::Archive, Self::Test, Self::Local, Self::Ledger];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finney => "finney",
            Self::Archive => "archive",
            Self::Test => "test",
            Self::Local => "local",
            Self::Ledger => "ledger",
        }
    }

    fn is_subtensor(self) -> bool {
        self != Self::Ledger
    }
}

impl FromStr for NetworkName {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let named = Self::ALL.into_iter().find(|name| name.as_str().eq_ignore_ascii_case(text.trim()));
        named.ok_or_else(|| AddressError::Unknown(text.to_owned()))
    }
}

/// A chain and the addresses it is reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainAddress {
    network: Option<NetworkName>,
    endpoints: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(
        "{0:?} is no network: give finney, archive, test, local or ledger, or addresses (http://, ws:// or wss://)"
    )]
    Unknown(String),
    #[error("{0:?} is no address: it begins with http:// (a ledger), ws:// or wss:// (a subtensor network)")]
    Scheme(String),
    #[error("{0:?} is no address of a served ledger: write http://HOST:PORT, such as {LEDGER_URL}")]
    Ledger(String),
    #[error("{given} endpoints are too many: at most {ENDPOINTS_MAX}")]
    TooMany { given: usize },
    #[error("{0:?} and {1:?} are of different kinds of chain: give addresses of one")]
    Mixed(String, String),
    #[error("{address:?} is no address of the network {network:?}")]
    OtherKind { network: &'static str, address: String },
    #[error("a ledger has one address, and {given} are given")]
    LedgerOnce { given: usize },
    #[error("`chain.endpoint` is the old spelling of `chain.{new}`: give one of them")]
    Twice { new: &'static str },
}

impl ChainAddress {
    /// Checks that name and addresses belong together. With neither, the ledger on this machine is meant.
    pub fn new(network: Option<NetworkName>, endpoints: Vec<String>) -> Result<Self, AddressError> {
        if network.is_none() && endpoints.is_empty() {
            return Ok(Self::default());
        }
        if endpoints.len() > ENDPOINTS_MAX {
            return Err(AddressError::TooMany { given: endpoints.len() });
        }
        let endpoints: Vec<String> = endpoints.iter().map(|address| tidy(address)).collect();
        for address in &endpoints {
            let kind = is_subtensor(address).ok_or_else(|| AddressError::Scheme(address.clone()))?;
            // A ledger's name with a node's address would sign for one chain and submit to another.
            if let Some(network) = network.filter(|network| network.is_subtensor() != kind) {
                return Err(AddressError::OtherKind { network: network.as_str(), address: address.clone() });
            }
            if is_subtensor(&endpoints[0]) != Some(kind) {
                return Err(AddressError::Mixed(endpoints[0].clone(), address.clone()));
            }
        }
        let address = Self { network, endpoints };
        // Several nodes can be held against each other; a served ledger is one process.
        if !address.is_subtensor() && address.endpoints.len() > 1 {
            return Err(AddressError::LedgerOnce { given: address.endpoints.len() });
        }
        if !address.is_subtensor() && !is_host_and_port(address.ledger_url()) {
            return Err(AddressError::Ledger(address.ledger_url().to_owned()));
        }
        Ok(address)
    }

    pub fn network(&self) -> Option<NetworkName> {
        self.network
    }

    /// The addresses as given; empty where the network's own are meant.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// True for a subtensor network, false for a served ledger.
    pub fn is_subtensor(&self) -> bool {
        match (self.network, self.endpoints.first()) {
            (Some(network), _) => network.is_subtensor(),
            (None, Some(address)) => is_subtensor(address) == Some(true),
            (None, None) => false,
        }
    }

    /// The address of a served ledger.
    pub fn ledger_url(&self) -> &str {
        self.endpoints.first().map_or(LEDGER_URL, String::as_str)
    }
}

impl Default for ChainAddress {
    fn default() -> Self {
        Self { network: None, endpoints: vec![LEDGER_URL.to_owned()] }
    }
}

/// A network's name, or addresses with commas between them.
impl FromStr for ChainAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !text.contains("://") {
            return Self::new(Some(text.trim().parse()?), Vec::new());
        }
        Self::new(None, split(text))
    }
}

impl fmt::Display for ChainAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.network, self.endpoints.as_slice()) {
            (None, []) => f.write_str(LEDGER_URL),
            (None, addresses) => f.write_str(&addresses.join(",")),
            (Some(network), []) => f.write_str(network.as_str()),
            (Some(network), addresses) => write!(f, "{} at {}", network.as_str(), addresses.join(",")),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(|address| address.trim().to_owned()).collect()
}

/// Scheme and host in lower case, without the spaces and slashes around that mean nothing.
fn tidy(address: &str) -> String {
    let Some((scheme, rest)) = address.trim().split_once("://") else { return address.trim().to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    // Only a path may tell great letters from small, or end in a slash on purpose.
    let path = if path.bytes().all(|byte| byte == b'/') { "" } else { path };
    format!("{}://{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
}

fn is_host_and_port(url: &str) -> bool {
    let authority = url.strip_prefix("http://").and_then(|rest| rest.rsplit_once(':'));
    authority.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// The kind of chain that an address belongs to; `None` where it is no address.
fn is_subtensor(address: &str) -> Option<bool> {
    let (scheme, host) = address.split_once("://")?;
    match scheme {
        _ if host.is_empty() => None,
        "ws" | "wss" => Some(true),
        "http" | "https" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
