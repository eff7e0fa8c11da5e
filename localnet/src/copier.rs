//! The validator that judges nothing and publishes what the largest other validator published before.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::preflight;
use weighhouse_chain::{Call, Chain, ChainError, SetWeights};
use weighhouse_types::{Block, MechId, SubnetState};
use weighhouse_wallet::keypair::Keypair;

use crate::economy::NETUID;

/// Follows the chain's blocks until `shutdown`; `progress` holds the newest one it has worked through.
pub(crate) async fn run(
    chain: Arc<dyn Chain>,
    keypair: Arc<Keypair>,
    progress: watch::Sender<Block>,
    shutdown: CancellationToken,
) -> Result<(), ChainError> {
    loop {
        let state = chain.subnet(NETUID).await?;
        // Two blocks before the epoch, when the honest ones have published.
        let late = state.schedule.next_epoch_block().is_some_and(|next| next.0 <= state.head.number.0 + 2);
        if late {
            publish(chain.as_ref(), &keypair, &state).await?;
        }
        progress.send_replace(state.head.number);
        tokio::select! {
            next = chain.next_block(state.head.number) => { next?; }
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

async fn publish(chain: &dyn Chain, keypair: &Keypair, state: &SubnetState) -> Result<(), ChainError> {
    let own = keypair.hotkey();
    let others =
        state.metagraph.neurons.iter().filter(|neuron| neuron.validator_permit && neuron.hotkey != own);
    let Some(largest) = others.max_by_key(|neuron| neuron.stake) else {
        return Ok(());
    };
    let weights = chain.weights(NETUID, MechId(0), largest.uid).await?;
    // Hidden weights are no row at all: there is nothing to copy.
    if weights.is_empty() {
        return Ok(());
    }
    let (uids, values) = weights.into_iter().unzip();
    let payload = SetWeights { netuid: NETUID, mechanism: MechId(0), uids, values, version_key: 0 };
    // Too soon after its last vector; the next block will do.
    if preflight(state, &own, &payload).is_err() {
        return Ok(());
    }
    let signed = chain.sign(keypair, Call::SetWeights(payload)).await?;
    chain.submit(&signed).await
}
