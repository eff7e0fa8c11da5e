//! Map from an axon's address on the chain to the one where it can be reached.
//!
//! Subtensor's `serve_axon` refuses loopback addresses, so a neuron on the same machine or behind
//! the same router publishes its outer address and is dialled at its inner one.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::net::{BoxIo, Dialer};

/// Addresses by the addresses they stand for: `"10.0.0.7" = "127.0.0.1"` keeps the port, `"10.0.0.7:9000" =
/// "127.0.0.1:8091"` sets it, and goes before the former.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct DialMap {
    hosts: BTreeMap<IpAddr, IpAddr>,
    ports: BTreeMap<SocketAddr, SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pair of addresses: give ADDRESS=ADDRESS, both with a port or both without")]
pub struct DialMapError(String);

impl DialMap {
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.ports.is_empty()
    }

    /// The address to dial in place of this one.
    pub fn resolve(&self, address: SocketAddr) -> SocketAddr {
        // An address with its port is more exact than a host, so it goes first.
        if let Some(to) = self.ports.get(&address) {
            return *to;
        }
        let host = self.hosts.get(&address.ip()).copied();
        SocketAddr::new(host.unwrap_or(address.ip()), address.port())
    }

    fn insert(&mut self, from: &str, to: &str) -> Result<(), DialMapError> {
        let (from, to) = (from.trim(), to.trim());
        if let (Ok(from), Ok(to)) = (from.parse(), to.parse()) {
            self.ports.insert(from, to);
            return Ok(());
        }
        let (Ok(from), Ok(to)) = (from.parse(), to.parse()) else {
            return Err(DialMapError(format!("{from}={to}")));
        };
        self.hosts.insert(from, to);
        Ok(())
    }
}

/// `FROM=TO` with commas between the pairs.
impl FromStr for DialMap {
    type Err = DialMapError;

    fn from_str(text: &str) -> Result<Self, DialMapError> {
        let mut map = Self::default();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (from, to) = pair.split_once('=').ok_or_else(|| DialMapError(pair.to_owned()))?;
            map.insert(from, to)?;
        }
        Ok(map)
    }
}

impl TryFrom<BTreeMap<String, String>> for DialMap {
    type Error = DialMapError;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, DialMapError> {
        let mut map = Self::default();
        pairs.iter().try_for_each(|(from, to)| map.insert(from, to))?;
        Ok(map)
    }
}

impl From<DialMap> for BTreeMap<String, String> {
    fn from(map: DialMap) -> Self {
        let hosts = map.hosts.iter().map(|(from, to)| (from.to_string(), to.to_string()));
        let ports = map.ports.iter().map(|(from, to)| (from.to_string(), to.to_string()));
        hosts.chain(ports).collect()
    }
}

/// A dialer that looks each address up first.
#[derive(Clone, Debug)]
pub struct MappedDialer {
    map: DialMap,
    dialer: Arc<dyn Dialer>,
}

impl MappedDialer {
    pub fn new(map: DialMap, dialer: Arc<dyn Dialer>) -> Self {
        Self { map, dialer }
    }
}

#[async_trait]
impl Dialer for MappedDialer {
    async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
        self.dialer.dial(self.map.resolve(to)).await
    }

    async fn dial_unix(&self, path: &Path) -> io::Result<BoxIo> {
        self.dialer.dial_unix(path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Noted(Mutex<Vec<SocketAddr>>);

    #[async_trait]
    impl Dialer for Noted {
        async fn dial(&self, to: SocketAddr) -> io::Result<BoxIo> {
            self.0.lock().expect("alive").push(to);
            Err(io::Error::other("noted"))
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[tokio::test]
    async fn an_axon_is_dialled_where_the_map_says() {
        let map: DialMap = "10.0.0.7=127.0.0.1, 10.0.0.7:9000=127.0.0.1:8091".parse().expect("a map");
        let noted = Arc::new(Noted::default());
        let dialer = MappedDialer::new(map, Arc::<Noted>::clone(&noted));
        for from in ["10.0.0.7:9000", "10.0.0.7:9001", "10.0.0.8:9001"] {
            assert!(dialer.dial(address(from)).await.is_err());
        }
        let dialled = noted.0.lock().expect("alive").clone();
        assert_eq!(dialled, ["127.0.0.1:8091", "127.0.0.1:9001", "10.0.0.8:9001"].map(address));
    }

    #[test]
    fn pairs_that_are_none_are_refused() {
        for text in ["10.0.0.7", "10.0.0.7=localhost", "10.0.0.7:1=127.0.0.1", "=", "a=b"] {
            assert!(text.parse::<DialMap>().is_err(), "{text}");
        }
        assert!("".parse::<DialMap>().expect("an empty map").is_empty());
    }

    #[test]
    fn a_map_is_read_from_a_table_and_written_back() {
        let text = "\"10.0.0.7\" = \"127.0.0.1\"\n\"[2001:db8::1]:9\" = \"[::1]:10\"\n";
        let map: DialMap = toml::from_str(text).expect("a map");
        assert_eq!(map.resolve(address("[2001:db8::1]:9")), address("[::1]:10"));
        assert_eq!(toml::from_str::<DialMap>(&toml::to_string(&map).expect("a table")), Ok(map));
    }
}
