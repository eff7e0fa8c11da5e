//! Connections by the network that they come from, so that nobody takes all places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Places of connections, of which one network has at most so many.
#[derive(Debug)]
pub struct Networks {
    per_network: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct NetworkPlace {
    networks: Arc<Networks>,
    network: IpAddr,
}

impl Networks {
    pub fn new(per_network: usize) -> Arc<Self> {
        Arc::new(Self { per_network, held: Mutex::default() })
    }

    /// `None` where the network has all its places. A proxy on this machine speaks for many.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<NetworkPlace> {
        let network = network(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(network).or_default();
        if *count >= self.per_network && !network.is_loopback() {
            return None;
        }
        *count += 1;
        Some(NetworkPlace { networks: self.clone(), network })
    }
}

impl Drop for NetworkPlace {
    fn drop(&mut self) {
        let mut held = self.networks.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.network);
            }
        }
    }
}

/// Whoever has an address of IPv6 mostly has the 64 bits below it too.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_so_many_places_and_gets_them_back() {
        const PER_NETWORK_MAX: usize = 8;
        let addresses = Networks::new(PER_NETWORK_MAX);
        let at = |text: &str| addresses.enter(text.parse().expect("an address"));
        let mut held: Vec<NetworkPlace> = (0..PER_NETWORK_MAX).filter_map(|_| at("203.0.113.7")).collect();
        assert_eq!(held.len(), PER_NETWORK_MAX);
        assert!(at("203.0.113.7").is_none() && at("::ffff:203.0.113.7").is_none());
        assert!(at("203.0.113.8").is_some());
        held.pop();
        assert!(at("203.0.113.7").is_some());
        let six: Vec<NetworkPlace> =
            (0..PER_NETWORK_MAX).filter_map(|host| at(&format!("2001:db8::{host:x}"))).collect();
        assert!(at("2001:db8::ffff").is_none() && at("2001:db8:0:1::1").is_some());
        drop((held, six));
        let here: Vec<NetworkPlace> = (0..100).filter_map(|_| at("127.0.0.1")).collect();
        assert_eq!(here.len(), 100);
        drop(here);
        assert!(addresses.held.lock().expect("whole").is_empty());
    }
}
