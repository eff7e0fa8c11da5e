//! Places of connections, and which one makes room.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::Extensions;
use tokio_util::sync::CancellationToken;
use weighhouse_types::Hotkey;

use crate::metrics;

/// Limits that connections are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) total: usize,
    /// Of one IPv4 address or IPv6 /64 network.
    pub(crate) per_network: usize,
    /// Requests at once of one connection.
    pub(crate) streams_max: u32,
    pub(crate) handshake_timeout: Duration,
    /// When a connection is cut.
    pub(crate) age_max: Duration,
}

#[derive(Debug, Default)]
struct OpenConnections {
    total: usize,
    last_number: u64,
    by_network: HashMap<IpAddr, Vec<Arc<ConnectionState>>>,
}

/// A connection as requests on it and newer connections see it.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Counted up with each connection.
    number: u64,
    /// Who has proven a request on it.
    caller: OnceLock<Hotkey>,
    pub(super) evicted: CancellationToken,
}

/// The other end of a request's connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    network: IpAddr,
    connection: Arc<ConnectionState>,
}

impl Peer {
    /// The network of a request's connection.
    pub(crate) fn network_of(request: &Extensions) -> IpAddr {
        request.get::<Self>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.network)
    }

    /// Takes note that a caller has proven a request of this connection; the first one counts.
    pub(crate) fn proves(&self, caller: &Hotkey) {
        self.connection.caller.get_or_init(|| *caller);
    }
}

#[derive(Debug)]
pub(super) struct Slots {
    pub(super) limits: ConnectionLimits,
    open: Mutex<OpenConnections>,
}

impl Slots {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    pub(super) fn take(self: &Arc<Self>, ip: IpAddr) -> Result<ConnectionSlot, &'static str> {
        // The count and the check are under one lock, or two connections could take the last place.
        let network = network_of(ip);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.by_network.get(&network).is_some_and(|some| some.len() >= self.limits.per_network) {
            open.evict("address", |known| *known == network)?;
        } else if open.total >= self.limits.total {
            open.evict("total", |_| true)?;
        }
        open.last_number += 1;
        let (number, evicted) = (open.last_number, CancellationToken::new());
        let state = Arc::new(ConnectionState { number, caller: OnceLock::new(), evicted });
        open.total += 1;
        open.by_network.entry(network).or_default().push(state.clone());
        metrics::connections(1.0);
        Ok(ConnectionSlot { slots: self.clone(), network, state })
    }
}

impl OpenConnections {
    /// Cuts one: the oldest on which nobody has proven a request, of the network that has most of those, or else the oldest of
    /// the caller that has most, if it has another one.
    fn evict(&mut self, limit: &'static str, of: impl Fn(&IpAddr) -> bool) -> Result<(), &'static str> {
        let known = self.by_network.iter().filter(|(network, _)| of(network));
        // Who proves a request while this goes on is still a stranger here: looked at twice, one could be both.
        let all: Vec<_> = known
            .flat_map(|(network, some)| some.iter().map(move |one| (network, one, one.caller.get())))
            .collect();
        let mut unproven: HashMap<&IpAddr, usize> = HashMap::new();
        let mut callers: HashMap<&Hotkey, usize> = HashMap::new();
        for (network, _, caller) in &all {
            match caller {
                Some(caller) => *callers.entry(caller).or_default() += 1,
                None => *unproven.entry(network).or_default() += 1,
            }
        }
        type Known<'a> = (&'a IpAddr, &'a Arc<ConnectionState>, Option<&'a Hotkey>);
        let worth = |(network, one, caller): &&Known<'_>| {
            let count = match caller {
                Some(caller) => callers.get(caller),
                None => unproven.get(network),
            };
            (caller.is_some(), Reverse(count.copied().unwrap_or(0)), one.number)
        };
        let is_lone =
            |(_, _, caller): &Known<'_>| caller.is_some_and(|caller| callers.get(caller) == Some(&1));
        let least = all.iter().filter(|one| !is_lone(one)).min_by_key(worth);
        let (network, state) = least.map(|(network, one, _)| (**network, (*one).clone())).ok_or(limit)?;
        self.remove(network, &state);
        state.evicted.cancel();
        metrics::connection_evicted(limit);
        Ok(())
    }

    fn remove(&mut self, network: IpAddr, state: &Arc<ConnectionState>) {
        let Some(some) = self.by_network.get_mut(&network) else { return };
        let Some(at) = some.iter().position(|one| Arc::ptr_eq(one, state)) else { return };
        some.swap_remove(at);
        self.total -= 1;
        if some.is_empty() {
            self.by_network.remove(&network);
        }
    }
}

/// The network that an address counts for: the holder of an IPv6 /64 can use every address in it.
fn network_of(ip: IpAddr) -> IpAddr {
    // On a dual-stack socket IPv4 peers come as `::ffff:a.b.c.d`; all of them would count as one /64.
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

/// A connection's place; gives it back when dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    pub(super) slots: Arc<Slots>,
    network: IpAddr,
    pub(super) state: Arc<ConnectionState>,
}

impl ConnectionSlot {
    /// Who is at the other end, for the requests of the connection.
    pub(super) fn peer(&self) -> Peer {
        Peer { network: self.network, connection: self.state.clone() }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.slots.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(self.network, &self.state);
        metrics::connections(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(total: usize, per_network: usize) -> Arc<Slots> {
        let long = Duration::from_secs(60);
        let limits =
            ConnectionLimits { total, per_network, streams_max: 64, handshake_timeout: long, age_max: long };
        Slots::new(limits)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// One on which a caller of its own has proven a request.
    fn proven(slots: &Arc<Slots>, from: &str, caller: u8) -> ConnectionSlot {
        let slot = slots.take(ip(from)).expect("free");
        slot.state.caller.get_or_init(|| Hotkey([caller; 32]));
        slot
    }

    fn is_cut(slot: &ConnectionSlot) -> bool {
        slot.state.evicted.is_cancelled()
    }

    #[test]
    fn a_network_has_its_own_cap_and_gives_places_back() {
        let slots = slots(10, 2);
        let _first = proven(&slots, "2001:db8::1", 1);
        let second = proven(&slots, "2001:db8::ffff:2", 2);
        let take = |from| slots.take(ip(from));
        assert_eq!(take("2001:db8::3").err(), Some("address"));
        assert!(take("2001:db8:0:1::3").is_ok());
        drop(second);
        assert!(take("2001:db8::3").is_ok());
        let _mapped = proven(&slots, "::ffff:10.0.0.1", 3);
        let _plain = proven(&slots, "10.0.0.1", 4);
        assert_eq!(take("10.0.0.1").err(), Some("address"));
    }

    #[test]
    fn the_total_cap_holds_over_all_networks_and_nothing_is_left_behind() {
        let slots = slots(2, 2);
        let held = [proven(&slots, "10.0.0.1", 1), proven(&slots, "10.0.0.2", 2)];
        assert_eq!(slots.take(ip("10.0.0.3")).err(), Some("total"));
        drop(held);
        let open = slots.open.lock().expect("not poisoned");
        assert_eq!((open.total, open.by_network.len()), (0, 0));
    }

    #[test]
    fn who_has_proven_nothing_makes_room_the_oldest_of_the_largest_network_first() {
        let slots = slots(4, 3);
        let take = |from| slots.take(ip(from)).expect("free");
        let honest = proven(&slots, "10.0.0.1", 1);
        let (old, new) = (take("10.0.0.1"), take("10.0.0.1"));
        let newest = take("10.0.0.1");
        assert_eq!([&honest, &old, &new, &newest].map(is_cut), [false, true, false, false]);
        let (lone, other) = (take("10.0.0.2"), take("10.0.0.3"));
        assert_eq!([&lone, &other, &new].map(is_cut), [false, false, true], "a large network makes room");
        drop(old);
        assert_eq!(slots.open.lock().expect("not poisoned").total, 4, "a cut one was given back before");
    }

    #[test]
    fn connections_are_proven_while_others_make_room() {
        for round in 0..200_u8 {
            let slots = slots(64, 64);
            let held: Vec<_> = (0..64_u8).map(|n| slots.take([10, 0, 0, n].into()).expect("free")).collect();
            let states: Vec<_> = held.iter().map(|slot| slot.state.clone()).collect();
            let proving = std::thread::spawn(move || {
                for (n, state) in (0..).zip(states) {
                    state.caller.get_or_init(|| Hotkey([n; 32]));
                }
            });
            let _newer: Vec<_> = (0..8).map(|_| slots.take([10, 0, 1, round].into())).collect();
            proving.join().expect("no panic");
        }
    }

    #[test]
    fn a_caller_with_many_connections_makes_room_and_never_its_last() {
        let slots = slots(3, 3);
        let (first, second) = (proven(&slots, "10.0.0.1", 1), proven(&slots, "10.0.0.2", 1));
        let other = proven(&slots, "10.0.0.3", 2);
        let new = proven(&slots, "10.0.0.4", 3);
        assert_eq!([&first, &second, &other, &new].map(is_cut), [true, false, false, false]);
        assert_eq!(slots.take(ip("10.0.0.5")).err(), Some("total"));
    }
}
