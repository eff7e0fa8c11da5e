//! Requests that wait for a look at their signature, in turns among the networks that they come from.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use tokio::sync::oneshot;

use super::verifier::{Unverified, Verdict};

/// A request that waits, and whoever waits for it.
pub(super) struct Waiting {
    pub(super) network: IpAddr,
    pub(super) request: Unverified,
    pub(super) sender: oneshot::Sender<Verdict>,
}

/// One request of each network, then the next of each. Within a network they stay in order.
#[derive(Default)]
pub(super) struct Turns {
    by_network: HashMap<IpAddr, VecDeque<Waiting>>,
    /// Networks of which something waits.
    order: VecDeque<IpAddr>,
    count: usize,
}

impl Turns {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, one: Waiting) {
        let waiting = self.by_network.entry(one.network).or_default();
        if waiting.is_empty() {
            self.order.push_back(one.network);
        }
        waiting.push_back(one);
        self.count += 1;
    }

    /// The next one whose caller still waits for it.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        loop {
            let network = self.order.pop_front()?;
            let waiting = self.by_network.get_mut(&network)?;
            let next = waiting.pop_front();
            if waiting.is_empty() {
                self.by_network.remove(&network);
            } else {
                self.order.push_back(network);
            }
            self.count -= usize::from(next.is_some());
            if let Some(next) = next
                && !next.sender.is_closed()
            {
                return Some(next);
            }
        }
    }

    /// Takes out whatever is of one network.
    pub(super) fn take(&mut self, network: IpAddr) -> VecDeque<Waiting> {
        self.order.retain(|other| *other != network);
        let taken = self.by_network.remove(&network).unwrap_or_default();
        self.count -= taken.len();
        taken
    }
}
