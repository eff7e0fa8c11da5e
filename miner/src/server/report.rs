//! A line every minute: what was asked, and what the miner earns by it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_seams::{Clock, TlsPin};
use weighhouse_types::{Block, Epoch, Hotkey, Neuron, Rao, SubnetState, Uid};

use super::announce::{self, Announced};
use crate::callers::Callers;
use crate::metrics;

const INTERVAL: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// Of a u16 figure.
const WHOLE: f64 = 65_535.0;

/// The miner's own row of the metagraph, and what follows from the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OwnStanding {
    /// The block of what follows.
    pub(super) block: Block,
    pub(super) uid: Uid,
    pub(crate) incentive: f64,
    /// The address that validators dial, and the key that they ask for.
    pub(super) announced: Option<Announced>,
    /// Pay of the last epoch.
    pub(crate) emission: Rao,
    pub(super) epoch: Epoch,
    /// Blocks for which it can't be pruned yet.
    pub(crate) immunity_left: u64,
    /// Neurons that would be pruned before it.
    pub(crate) pruned_before: usize,
}

impl OwnStanding {
    pub(super) fn of(state: &SubnetState, hotkey: &Hotkey, pin: Option<TlsPin>) -> Option<Self> {
        let own = state.metagraph.by_hotkey(hotkey)?;
        let immunity_left = |neuron: &Neuron| {
            let age = state.head.number.saturating_since(neuron.registered_at);
            u64::from(state.hyperparameters.immunity_period).saturating_sub(age)
        };
        // The chain's order: the immune last, then by pay, age and uid.
        let rank =
            |neuron: &Neuron| (immunity_left(neuron) > 0, neuron.emission, neuron.registered_at, neuron.uid);
        let others =
            state.metagraph.neurons.iter().filter(|neuron| Some(neuron.uid) != state.metagraph.owner);
        Some(Self {
            block: state.metagraph.block,
            uid: own.uid,
            incentive: f64::from(own.incentive) / WHOLE,
            announced: announce::shown(state, hotkey, pin),
            emission: own.emission,
            epoch: state.schedule.epoch,
            immunity_left: immunity_left(own),
            pruned_before: others.filter(|neuron| rank(neuron) < rank(own)).count(),
        })
    }
}

/// Pay of the epochs that were seen, for a day.
#[derive(Debug, Default)]
struct Earnings {
    epochs: VecDeque<(Duration, Rao)>,
    last: Option<Epoch>,
}

impl Earnings {
    /// Takes note of an epoch's pay, once.
    fn note(&mut self, standing: &OwnStanding, now: Duration) {
        if self.last != Some(standing.epoch) {
            self.last = Some(standing.epoch);
            self.epochs.push_back((now, standing.emission));
        }
        while self.epochs.front().is_some_and(|(at, _)| now.saturating_sub(*at) > DAY) {
            self.epochs.pop_front();
        }
    }

    fn sum(&self) -> Rao {
        Rao(self.epochs.iter().fold(0, |sum: u64, (_, pay)| sum.saturating_add(pay.0)))
    }
}

/// Writes the lines, for as long as somebody tells the standing.
pub(super) async fn report(
    hotkey: Hotkey,
    callers: Arc<Callers>,
    mut standing: watch::Receiver<Option<OwnStanding>>,
    clock: Arc<dyn Clock>,
) {
    let mut earnings = Earnings::default();
    let mut due = clock.monotonic() + INTERVAL;
    loop {
        let left = due.saturating_sub(clock.monotonic());
        let changed = tokio::select! {
            changed = standing.changed() => match changed {
                Ok(()) => true,
                Err(_) => return,
            },
            () = clock.sleep(left) => false,
        };
        let own = standing.borrow_and_update().clone();
        if let Some(own) = &own {
            earnings.note(own, clock.monotonic());
            metrics::standing(&hotkey, own);
        }
        if !changed {
            due = clock.monotonic() + INTERVAL;
            line(&callers, own.as_ref(), &earnings);
        }
    }
}

fn line(callers: &Callers, own: Option<&OwnStanding>, earnings: &Earnings) {
    let mut traffic = callers.take();
    let median_ms = traffic.median().map(|median| median.as_millis() as u64);
    tracing::info!(
        validators = traffic.validators(),
        answered = traffic.answered,
        refused = traffic.refused,
        failed = traffic.failed,
        median_ms,
        uid = own.map(|own| own.uid.0),
        incentive = own.map(|own| rounded(own.incentive)),
        day_alpha = alpha(earnings.sum()),
        immunity_left = own.map(|own| own.immunity_left),
        pruned_before = own.map(|own| own.pruned_before),
        "the last minute"
    );
}

/// The chain knows it to 1 in 65535.
fn rounded(incentive: f64) -> f64 {
    (incentive * 1e5).round() / 1e5
}

/// Pay is in the subnet's own token.
fn alpha(rao: Rao) -> f64 {
    rao.0 as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use weighhouse_chain::testing::neuron;
    use weighhouse_types::{Head, Hyperparameters, Metagraph, Netuid, Schedule};

    use super::*;

    fn state(rows: &[(u64, u64)]) -> SubnetState {
        let row = |(uid, (emission, registered_at)): (usize, &(u64, u64))| Neuron {
            emission: Rao(*emission),
            registered_at: Block(*registered_at),
            ..neuron(uid as u16, Hotkey([uid as u8; 32]), 0, false)
        };
        SubnetState {
            head: Head { number: Block(1_000), hash: weighhouse_types::Digest([0; 32]) },
            metagraph: Metagraph {
                netuid: Netuid(1),
                block: Block(1_000),
                owner: Some(Uid(0)),
                neurons: rows.iter().enumerate().map(row).collect(),
            },
            hyperparameters: Hyperparameters { immunity_period: 100, ..Hyperparameters::default() },
            schedule: Schedule {
                epoch: Epoch(3),
                last_epoch_block: Block(990),
                tempo: 100,
                pending_epoch_at: None,
                blocks_since_last_step: 10,
            },
        }
    }

    #[test]
    fn who_is_pruned_first_is_the_chains_order() {
        // The owner's; paid least; as much and older; itself; immune.
        let state = state(&[(0, 1), (1, 5), (2, 4), (2, 6), (0, 950)]);
        let own = |uid: u8| OwnStanding::of(&state, &Hotkey([uid; 32]), None).expect("registered");
        assert_eq!((own(3).pruned_before, own(3).immunity_left), (2, 0));
        assert_eq!((own(4).pruned_before, own(4).immunity_left), (3, 50));
        assert_eq!(own(1).pruned_before, 0);
        assert!(OwnStanding::of(&state, &Hotkey([9; 32]), None).is_none());
    }

    #[test]
    fn an_epochs_pay_counts_once_and_for_a_day() {
        let mut earnings = Earnings::default();
        let standing = |epoch| OwnStanding {
            block: Block(1),
            uid: Uid(1),
            incentive: 0.5,
            announced: None,
            emission: Rao(10),
            epoch: Epoch(epoch),
            immunity_left: 0,
            pruned_before: 0,
        };
        for (epoch, at) in [(1, 0), (1, 60), (2, 3_600)] {
            earnings.note(&standing(epoch), Duration::from_secs(at));
        }
        assert_eq!(earnings.sum(), Rao(20));
        earnings.note(&standing(3), DAY + Duration::from_secs(1));
        assert_eq!(earnings.sum(), Rao(20), "the first is older than a day");
    }
}
