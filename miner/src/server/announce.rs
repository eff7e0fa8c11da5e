//! The miner's axon: which address to publish, publishing it, and seeing that the chain keeps it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_chain::certificate::{none, of_pin};
use weighhouse_chain::{Call, CallOutcome, ChainError, Refusal};
use weighhouse_seams::TlsPin;
use weighhouse_types::{Axon, Block, Hotkey, Netuid, SubnetState};
use weighhouse_wallet::keypair::Keypair;

use super::MinerError;
use super::report::OwnStanding;
use super::roster::{RETRY, RosterSource};
use crate::metrics;

/// The axon's protocol version; this project's peers don't read it.
const AXON_VERSION: u32 = 1;

/// Between two publications: two processes with one hotkey would otherwise take turns for as long as fees last.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The address to publish: the configured one, else the one that was bound, which must be a real one.
pub(super) fn address(external: Option<SocketAddr>, bound: SocketAddr) -> Result<SocketAddr, MinerError> {
    // As the chain gives it back: an IPv4 address that is written as an IPv6 one is an IPv4 address.
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let bound = canonical(bound);
    match external.map(canonical) {
        Some(address) => Ok(address),
        // 0.0.0.0 on the chain would send every validator to itself.
        None if bound.ip().is_unspecified() => Err(MinerError::NoExternalAddress { listen: bound }),
        None => Ok(bound),
    }
}

/// What the chain should say of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) address: SocketAddr,
    /// The key that connections are encrypted by, if any.
    pub(super) pin: Option<TlsPin>,
}

impl Announced {
    fn call(&self, netuid: Netuid, published: Option<TlsPin>) -> Call {
        let axon = Axon::new(self.address, AXON_VERSION, Block(0));
        let certificate = match (self.pin, published) {
            (Some(pin), _) => of_pin(&pin),
            // A chain keeps the last certificate, and validators would go on asking for its key.
            (None, Some(_)) => none(),
            (None, None) => return Call::ServeAxon { netuid, axon },
        };
        Call::ServeAxonTls { netuid, axon, certificate }
    }
}

/// Publishes the axon unless the chain already shows it, and again where the chain has lost it. Tries again while the chain can't be reached or wants to be
/// asked later; a refusal for any other reason is an error.
pub(super) async fn publish(
    source: RosterSource,
    keypair: Arc<Keypair>,
    ours: Announced,
    mut standing: watch::Receiver<Option<OwnStanding>>,
) -> Result<(), MinerError> {
    let mut block = publish_once(&source, &keypair, ours).await?;
    loop {
        let published = source.clock.monotonic();
        let shown = lost(&mut standing, ours, block).await;
        metrics::axon_lost();
        let wait = AGAIN_AFTER.saturating_sub(source.clock.monotonic().saturating_sub(published));
        let shown = shown.map_or("none".to_owned(), |shown| shown.address.to_string());
        tracing::warn!(
            state = %state_of(&keypair), turned = "bad", ours = %ours.address, shown, again_in_s = wait.as_secs(),
            "the chain has another axon for this hotkey, and validators don't reach us: ours will be published again, at most once \
             in ten minutes; a restart does it at once. Does another process serve with this hotkey?"
        );
        source.clock.sleep(wait).await;
        block = loop {
            match publish_once(&source, &keypair, ours).await {
                Ok(block) => break block,
                // Who asks meanwhile is still answered.
                Err(error) => tracing::warn!(%error, "the axon can't be published again yet"),
            }
            source.clock.sleep(AGAIN_AFTER).await;
        };
    }
}

/// Waits until the chain shows another axon than ours, or none, in a block behind that of the publication.
async fn lost(
    standing: &mut watch::Receiver<Option<OwnStanding>>,
    ours: Announced,
    published: Block,
) -> Option<Announced> {
    let is_lost = |standing: &Option<OwnStanding>| {
        standing.as_ref().is_some_and(|own| own.block > published && own.announced != Some(ours))
    };
    let announced = |standing: watch::Ref<'_, Option<OwnStanding>>| standing.as_ref()?.announced;
    let shown = standing.wait_for(is_lost).await.ok().map(announced);
    match shown {
        Some(shown) => shown,
        // Nobody tells any more: the miner ends.
        None => std::future::pending().await,
    }
}

async fn publish_once(
    source: &RosterSource,
    keypair: &Keypair,
    ours: Announced,
) -> Result<Block, MinerError> {
    loop {
        match attempt(source, keypair, ours).await {
            Ok(block) => return Ok(block),
            Err(MinerError::Chain(ChainError::Refused(Refusal::ServingRateLimitExceeded { blocks }))) => {
                tracing::info!(blocks, "the chain takes a new axon later");
                wait(source, blocks).await;
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

/// Gives the block since which the chain has our axon.
async fn attempt(source: &RosterSource, keypair: &Keypair, ours: Announced) -> Result<Block, MinerError> {
    let hotkey = keypair.hotkey();
    let state = source.read().await?;
    let pin = source.pin(hotkey).await?;
    // Each call costs a rate-limited transaction, so a restart that changes nothing makes none.
    if shown(&state, &hotkey, pin) == Some(ours) {
        tracing::info!(address = %ours.address, "the axon is published already");
        return Ok(state.metagraph.block);
    }
    let block = execute(source, keypair, ours.call(source.netuid, pin)).await?;
    tracing::info!(
        state = %state_of(keypair), turned = "good", address = %ours.address, tls = ours.pin.is_some(), %block, "axon published"
    );
    Ok(block)
}

/// Its name where people are told of it.
fn state_of(keypair: &Keypair) -> String {
    format!("axon of {} on the chain", keypair.hotkey())
}

/// What the chain says of a hotkey.
pub(super) fn shown(state: &SubnetState, hotkey: &Hotkey, pin: Option<TlsPin>) -> Option<Announced> {
    let axon = state.metagraph.by_hotkey(hotkey)?.axon?;
    Some(Announced { address: axon.address(), pin })
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
