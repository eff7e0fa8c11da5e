//! Places to work: of requests that nobody has proven to be theirs, and of proven callers.
//!
//! A request begins among the unproven, while its body and signature are waited for. Where their pool is full, or a network's
//! share of it, whoever has waited longest makes room: an honest request is proven within milliseconds, so that requests whose
//! bodies never come make room for each other. A proven request takes one of its caller's places instead. Half of those are
//! divided by stake, the others are anybody's: neither strangers nor one caller keep all others out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use weighhouse_types::Hotkey;
use weighhouse_wallet::http::Refusal;

use crate::metrics;

/// Unproven requests of a network that count as few.
const SMALL: usize = 8;

/// How many places there are, and bytes of unproven bodies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaceLimits {
    pub(crate) proven: usize,
    pub(crate) unproven: usize,
    /// Of one IPv4 address or IPv6 /64 network.
    pub(crate) unproven_per_network: usize,
    /// Bytes of all their bodies; of one network a quarter.
    pub(crate) unproven_bytes: usize,
}

/// All places of a miner.
#[derive(Debug)]
pub(crate) struct Places {
    limits: PlaceLimits,
    held: Mutex<HeldPlaces>,
}

#[derive(Debug, Default)]
struct HeldPlaces {
    /// By network, the oldest first.
    unproven: HashMap<IpAddr, VecDeque<Waiting>>,
    unproven_count: usize,
    unproven_bytes: usize,
    last_number: u64,
    proven: usize,
    /// Those of anybody's places that are taken.
    common: usize,
    /// Own places that are taken.
    own: HashMap<Hotkey, usize>,
}

/// A request that isn't proven.
#[derive(Debug)]
struct Waiting {
    number: u64,
    /// Of its body, so far.
    bytes: usize,
    evicted: CancellationToken,
}

/// One request's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    sort: Mutex<Sort>,
    evicted: CancellationToken,
}

#[derive(Clone, Copy, Debug)]
enum Sort {
    Unproven { network: IpAddr, number: u64 },
    Own(Hotkey),
    Common,
    GivenBack { proven: bool },
}

impl Sort {
    fn is_proven(self) -> bool {
        match self {
            Self::Unproven { .. } => false,
            Self::Own(_) | Self::Common => true,
            Self::GivenBack { proven } => proven,
        }
    }
}

impl Places {
    pub(crate) fn new(limits: PlaceLimits) -> Arc<Self> {
        Arc::new(Self { limits, held: Mutex::default() })
    }

    /// Places that are divided by stake.
    pub(crate) fn divided(&self) -> usize {
        self.limits.proven / 2
    }

    /// A place for a request that has just begun.
    pub(crate) fn enter(self: &Arc<Self>, network: IpAddr) -> Arc<Place> {
        let mut held = self.held();
        let of_network = held.unproven.get(&network).map_or(0, VecDeque::len);
        if of_network >= self.limits.unproven_per_network {
            held.evict(network);
        } else if held.unproven_count >= self.limits.unproven
            && let Some(largest) = held.largest()
        {
            held.evict(largest);
        }
        held.last_number += 1;
        held.unproven_count += 1;
        let (number, evicted) = (held.last_number, CancellationToken::new());
        held.unproven.entry(network).or_default().push_back(Waiting {
            number,
            bytes: 0,
            evicted: evicted.clone(),
        });
        drop(held);
        let sort = Mutex::new(Sort::Unproven { network, number });
        Arc::new(Place { places: self.clone(), sort, evicted })
    }

    fn held(&self) -> MutexGuard<'_, HeldPlaces> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldPlaces {
    /// The network with most of the unproven, and among small ones the one that has waited longest.
    fn largest(&self) -> Option<IpAddr> {
        let size = |waiting: &VecDeque<Waiting>| {
            let oldest = waiting.front().map_or(u64::MAX, |first| first.number);
            (waiting.len().saturating_sub(SMALL), std::cmp::Reverse(oldest))
        };
        self.unproven.iter().max_by_key(|(_, waiting)| size(waiting)).map(|(network, _)| *network)
    }

    fn evict(&mut self, network: IpAddr) {
        if let Some(oldest) = self.unproven.get_mut(&network).and_then(VecDeque::pop_front) {
            oldest.evicted.cancel();
            self.unproven_count -= 1;
            self.unproven_bytes -= oldest.bytes;
            metrics::request_evicted();
        }
    }

    fn bytes_of(&self, network: IpAddr) -> usize {
        self.unproven.get(&network).map_or(0, |waiting| waiting.iter().map(|one| one.bytes).sum())
    }

    /// The network whose unproven bodies have most bytes.
    fn heaviest(&self) -> Option<IpAddr> {
        self.unproven.keys().copied().max_by_key(|network| self.bytes_of(*network))
    }

    /// Takes a request from among the unproven; false where it was evicted.
    fn leave(&mut self, network: IpAddr, number: u64) -> bool {
        let Some(waiting) = self.unproven.get_mut(&network) else { return false };
        let found = waiting.iter().position(|one| one.number == number);
        if let Some(one) = found.and_then(|at| waiting.remove(at)) {
            self.unproven_count -= 1;
            self.unproven_bytes -= one.bytes;
        }
        if waiting.is_empty() {
            self.unproven.remove(&network);
        }
        found.is_some()
    }
}

impl Place {
    /// Moves the request to one of its caller's places, of which `own` are nobody else's.
    pub(crate) fn prove(&self, caller: &Hotkey, own: usize) -> Result<(), Refusal> {
        let mut sort = self.sort.lock().unwrap_or_else(PoisonError::into_inner);
        let Sort::Unproven { network, number } = *sort else { return Ok(()) };
        let limits = self.places.limits;
        let mut held = self.places.held();
        if held.proven >= limits.proven {
            return Err(Refusal::Overloaded);
        }
        let is_own = held.own.get(caller).is_none_or(|taken| *taken < own);
        if !is_own && held.common >= limits.proven - self.places.divided() {
            return Err(Refusal::Overloaded);
        }
        if !held.leave(network, number) {
            return Err(Refusal::Overloaded);
        }
        held.proven += 1;
        if is_own {
            *held.own.entry(*caller).or_default() += 1;
            *sort = Sort::Own(*caller);
        } else {
            held.common += 1;
            *sort = Sort::Common;
        }
        Ok(())
    }

    /// Takes note of bytes of the request's body that came before it is proven. Where bodies have too many, in all or of one
    /// network, the oldest make room.
    pub(crate) fn reads(&self, bytes: usize) {
        let sort = *self.sort.lock().unwrap_or_else(PoisonError::into_inner);
        let Sort::Unproven { network, number } = sort else { return };
        let limit = self.places.limits.unproven_bytes;
        let mut held = self.places.held();
        let waiting = held.unproven.get_mut(&network);
        let Some(own) = waiting.and_then(|all| all.iter_mut().find(|one| one.number == number)) else {
            return;
        };
        own.bytes += bytes;
        held.unproven_bytes += bytes;
        while held.unproven.get(&network).is_some_and(|all| all.len() > 1)
            && held.bytes_of(network) > limit / 4
        {
            held.evict(network);
        }
        while held.unproven_count > 1
            && held.unproven_bytes > limit
            && let Some(heaviest) = held.heaviest()
        {
            held.evict(heaviest);
        }
    }

    /// True where its request was proven to be its caller's.
    pub(crate) fn is_proven(&self) -> bool {
        self.sort.lock().unwrap_or_else(PoisonError::into_inner).is_proven()
    }

    /// Waits until the place is given to a newer request, which never happens to a proven one.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Gives it back before the request's end: of a caller that doesn't read its answer.
    pub(crate) fn give_back(&self) {
        let mut sort = self.sort.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self.places.held();
        let proven = sort.is_proven();
        match std::mem::replace(&mut *sort, Sort::GivenBack { proven }) {
            Sort::GivenBack { .. } => return,
            Sort::Unproven { network, number } => {
                held.leave(network, number);
                return;
            }
            Sort::Own(caller) => {
                if let Some(taken) = held.own.get_mut(&caller) {
                    *taken -= 1;
                    if *taken == 0 {
                        held.own.remove(&caller);
                    }
                }
            }
            Sort::Common => held.common -= 1,
        }
        held.proven -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests;
