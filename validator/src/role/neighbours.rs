//! Other validators as a second opinion on the way out: where they can't be reached either, just when most miners fall silent, the
//! trouble is this side's.
//!
//! **Invariant.** It takes more than one to void a round by it: most of the miners that the round before heard, and all validators
//! that could be reached then.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use weighhouse_ask::reach::{Unreached, reach};
use weighhouse_types::Hotkey;

use super::Validator;
use crate::log::Peer;

/// Validators that are dialled with a round.
const DIALLED_MAX: usize = 4;
/// For one to take a connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// Miners that the round before must have heard, for their silence to say anything.
const HEARD_MIN: usize = 2;

/// What the newest round that counted has shown of the way out.
#[derive(Debug, Default)]
pub(super) struct WayOut {
    miners: BTreeSet<Hotkey>,
    validators: BTreeSet<Hotkey>,
}

impl WayOut {
    /// Why a round is our own trouble, by who is silent in it and which validators took a connection.
    fn fault(&self, silent: &BTreeSet<Hotkey>, reached: &BTreeSet<Hotkey>) -> Option<String> {
        let (before, gone) = (self.miners.len(), self.miners.intersection(silent).count());
        let fell_silent = before >= HEARD_MIN && gone * 2 > before;
        let are_away = !self.validators.is_empty() && self.validators.is_disjoint(reached);
        (fell_silent && are_away).then(|| {
            format!(
                "{gone} of {before} miners that were heard before are silent, and {} other validators that could be reached can't be",
                self.validators.len()
            )
        })
    }
}

impl Validator {
    /// Other validators that take a connection.
    pub(super) async fn reached(&self) -> BTreeSet<Hotkey> {
        let peers: Vec<Peer> =
            self.peers.iter().flat_map(|(_, peers)| peers).take(DIALLED_MAX).copied().collect();
        let dialling = peers.into_iter().map(|peer| async move {
            let outcome = reach(&*self.parts.dialer, &self.parts.clock, peer.target, PATIENCE).await;
            // What it says there is nothing to us.
            (outcome != Err(Unreached::NoConnection)).then_some(peer.hotkey)
        });
        join_all(dialling).await.into_iter().flatten().collect()
    }

    /// Why a round is our own trouble; takes note of it where it isn't.
    pub(super) fn cut_off(
        &mut self,
        asked: &BTreeSet<Hotkey>,
        silent: &BTreeSet<Hotkey>,
        reached: BTreeSet<Hotkey>,
    ) -> Option<String> {
        let fault = self.way_out.fault(silent, &reached);
        if fault.is_none() {
            let miners = asked.difference(silent).copied().collect();
            self.way_out = WayOut { miners, validators: reached };
        }
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<Hotkey> {
        numbers.into_iter().map(|number| Hotkey([number; 32])).collect()
    }

    #[test]
    fn a_round_is_void_where_most_miners_and_all_validators_go_at_once() {
        let before = WayOut { miners: these(0..10), validators: these([50, 51]) };
        let fault = |silent: std::ops::Range<u8>, reached: Vec<u8>| {
            before.fault(&these(silent), &these(reached)).is_some()
        };
        assert!(fault(0..6, vec![]), "most, and none is reached");
        assert!(!fault(0..5, vec![]), "half of the miners are no majority");
        assert!(!fault(0..10, vec![51]), "one validator is reached: it is they who are down");
        assert!(fault(0..10, vec![52]), "one that wasn't known before tells nothing");
        assert!(!fault(20..40, vec![]), "they were silent before");
        let alone = WayOut { miners: these(0..10), ..WayOut::default() };
        assert!(alone.fault(&these(0..10), &these([])).is_none(), "no validator was ever reached");
    }
}
