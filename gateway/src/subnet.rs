//! The subnet's miners by weight, as the chain shows them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_ask::Target;
use weighhouse_chain::certificate::{self, Pins};
use weighhouse_chain::{Chain, ChainError, SharedChain};
use weighhouse_seams::Clock;
use weighhouse_types::{Hotkey, Metagraph, Netuid, Neuron};

/// Time between two looks at the metagraph: a block.
const PERIOD: Duration = Duration::from_secs(12);

/// Lists the miners that may be asked: those with the most incentive first, and of equals the one with the lowest uid. Those
/// without any are listed only while nobody has some: with weights published, nothing but their own word is for them.
pub fn by_weight(metagraph: &Metagraph, pins: &Pins, us: &Hotkey) -> Vec<Target> {
    let is_paid = metagraph.neurons.iter().any(|neuron| neuron.incentive > 0);
    let mut found: Vec<_> = metagraph
        .neurons
        .iter()
        .filter(|neuron| neuron.hotkey != *us && (neuron.incentive > 0 || !is_paid))
        .filter_map(|neuron| Some((neuron, neuron.axon?.address())))
        .collect();
    found.sort_by_key(|(neuron, _)| (std::cmp::Reverse(neuron.incentive), neuron.uid));
    let target = |(neuron, address): (&Neuron, _)| {
        let hotkey = neuron.hotkey;
        Target { address, hotkey, pin: pins.get(&hotkey).copied() }
    };
    found.into_iter().map(target).collect()
}

/// The same, from the chain.
///
/// # Errors
/// Those of the chain.
pub async fn read(chain: &dyn Chain, netuid: Netuid, us: &Hotkey) -> Result<Arc<[Target]>, ChainError> {
    let state = chain.subnet(netuid).await?;
    let pins = certificate::pins(chain, &state).await?;
    Ok(by_weight(&state.metagraph, &pins, us).into())
}

/// Keeps the list in step with the chain, until nobody reads it. While the chain can't be read, the last list stays.
pub async fn follow(
    chain: SharedChain,
    netuid: Netuid,
    us: Hotkey,
    clock: Arc<dyn Clock>,
    miners: watch::Sender<Arc<[Target]>>,
) {
    let mut was_read = true;
    loop {
        tokio::select! {
            () = clock.sleep(PERIOD) => {}
            () = miners.closed() => return,
        }
        match read(&*chain, netuid, &us).await {
            Ok(found) => {
                was_read = true;
                miners.send_if_modified(|known| {
                    let same = *known == found;
                    *known = found;
                    !same
                });
            }
            Err(error) if was_read => {
                was_read = false;
                tracing::warn!(%error, "the metagraph can't be read; the miners last seen are asked");
            }
            Err(error) => tracing::debug!(%error, "the metagraph can't be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Axon, Block, Coldkey, Rao, Uid};

    use super::*;

    fn metagraph(incentives: &[(u16, bool)]) -> Metagraph {
        let neuron = |(at, (incentive, serves)): (usize, &(u16, bool))| Neuron {
            uid: Uid(at as u16),
            hotkey: Hotkey([at as u8; 32]),
            coldkey: Coldkey([0; 32]),
            registered_at: Block(0),
            stake: Rao(0),
            validator_permit: false,
            active: true,
            last_update: Block(0),
            axon: serves.then(|| Axon::new(([127, 0, 0, 1], at as u16).into(), 1, Block(0))),
            incentive: *incentive,
            dividends: 0,
            consensus: 0,
            validator_trust: 0,
            emission: Rao(0),
        };
        let neurons = incentives.iter().enumerate().map(neuron).collect();
        Metagraph { netuid: Netuid(1), block: Block(1), owner: None, neurons }
    }

    fn listed(incentives: &[(u16, bool)]) -> Vec<u16> {
        let us = Hotkey([0; 32]);
        by_weight(&metagraph(incentives), &Pins::new(), &us)
            .iter()
            .map(|target| target.address.port())
            .collect()
    }

    #[test]
    fn miners_are_asked_by_weight_and_those_without_only_while_nobody_has_any() {
        let known = [(9, true), (5, true), (0, true), (7, true), (7, true), (9, false)];
        assert_eq!(listed(&known), [3, 4, 1]);
        assert_eq!(listed(&[(0, true), (0, true), (0, false), (0, true)]), [1, 3]);
    }
}
