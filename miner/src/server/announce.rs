//! The miner's axon: which address to publish, and publishing it.

use std::net::SocketAddr;
use std::sync::Arc;

use weighhouse_chain::{Call, CallOutcome, ChainError, Refusal};
use weighhouse_types::{Axon, Block};
use weighhouse_wallet::keypair::Keypair;

use super::MinerError;
use super::roster::{RETRY, RosterSource};

/// The axon's protocol version; this project's peers don't read it.
const AXON_VERSION: u32 = 1;

/// The address to publish: the configured one, else the one that was bound, which must be a real one.
pub(super) fn address(external: Option<SocketAddr>, bound: SocketAddr) -> Result<SocketAddr, MinerError> {
    match external {
        Some(address) => Ok(address),
        // 0.0.0.0 on the chain would send every validator to itself.
        None if bound.ip().is_unspecified() => Err(MinerError::NoExternalAddress { listen: bound }),
        None => Ok(bound),
    }
}

/// Publishes the axon unless the chain already shows it. Tries again while the chain can't be reached or wants to be
/// asked later; a refusal for any other reason is an error.
pub(super) async fn publish(
    source: RosterSource,
    keypair: Arc<Keypair>,
    address: SocketAddr,
) -> Result<(), MinerError> {
    loop {
        match attempt(&source, &keypair, address).await {
            Ok(()) => return Ok(()),
            Err(MinerError::Chain(ChainError::Refused(Refusal::ServingRateLimitExceeded { blocks }))) => {
                tracing::info!(blocks, "the chain takes a new axon later");
                wait(&source, blocks).await;
            }
            Err(MinerError::Chain(ChainError::Refused(refusal))) => {
                return Err(ChainError::Refused(refusal).into());
            }
            Err(MinerError::Chain(error @ ChainError::Unsupported { .. })) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the axon is not published yet");
                source.clock.sleep(RETRY).await;
            }
        }
    }
}

async fn attempt(source: &RosterSource, keypair: &Keypair, address: SocketAddr) -> Result<(), MinerError> {
    let state = source.read().await?;
    let published = state.metagraph.by_hotkey(&keypair.hotkey()).and_then(|neuron| neuron.axon);
    // Each call costs a rate-limited transaction, so a restart that changes nothing makes none.
    if published.is_some_and(|axon| axon.address() == address) {
        tracing::info!(%address, "the axon is published already");
        return Ok(());
    }
    let axon = Axon::new(address, AXON_VERSION, Block(0));
    let call = Call::ServeAxon { netuid: source.netuid, axon };
    let block = execute(source, keypair, call).await?;
    tracing::info!(%address, %block, "axon published");
    Ok(())
}

/// As [`weighhouse_chain::Chain::execute`], with a deadline on every question.
async fn execute(source: &RosterSource, keypair: &Keypair, call: Call) -> Result<Block, MinerError> {
    let chain = &source.chain;
    let signed = source.ask(chain.sign(keypair, call)).await?;
    source.ask(chain.submit(&signed)).await?;
    let mut seen = source.ask(chain.head()).await?.number;
    loop {
        match source.ask(chain.outcome(&signed)).await? {
            CallOutcome::Included { block, events: _ } => return Ok(block),
            CallOutcome::Refused { refusal, .. } => return Err(ChainError::Refused(refusal).into()),
            CallOutcome::Expired => return Err(ChainError::Expired { last: signed.expires }.into()),
            CallOutcome::Pending => seen = next_block(source, seen).await?,
        }
    }
}

/// The newest block's number; the same as before where none came in time.
async fn next_block(source: &RosterSource, seen: Block) -> Result<Block, MinerError> {
    match source.ask(source.chain.next_block(seen)).await {
        Ok(head) => Ok(head.number),
        // No block in time is no failure: the call is still pending.
        Err(MinerError::ChainTimeout { .. }) => Ok(seen),
        Err(error) => Err(error),
    }
}

async fn wait(source: &RosterSource, blocks: u64) {
    let Ok(head) = source.ask(source.chain.head()).await else {
        source.clock.sleep(RETRY).await;
        return;
    };
    let mut seen = head.number;
    let due = Block(seen.0.saturating_add(blocks));
    while seen < due {
        match next_block(source, seen).await {
            Ok(block) => seen = block,
            Err(_) => source.clock.sleep(RETRY).await,
        }
    }
}
