//! Commitments that validators want to see on the chain: one root for all of a hotkey, published anew with each that is added.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use weighhouse_chain::Call;
use weighhouse_merkle::commitments::{from_chain, to_chain};
use weighhouse_seams::ClockExt as _;
use weighhouse_types::{Block, Digest};
use weighhouse_wallet::keypair::Keypair;

use super::MinerError;
use super::roster::{RETRY, RosterSource};
use crate::metrics;
use crate::sealing::CommittedRoots;

/// Its name where people are told of it.
const STATE: &str = "commitments on the chain";
/// Validators ask at about the same time: their commitments go under one root.
const GATHER: Duration = Duration::from_millis(50);
/// Blocks from a call to the next one, where the chain doesn't show it.
const AGAIN_BLOCKS: u64 = 4;

/// A root that was handed to the chain.
#[derive(Clone, Copy)]
struct HandedIn {
    root: Digest,
    at: Block,
}

enum Step {
    /// The chain shows all that is due.
    Shown,
    HandedIn(HandedIn),
}

/// Publishes the root whenever it changes, and again until the chain shows it, for as long as the miner lives.
pub(super) async fn publish(
    source: RosterSource,
    keypair: Arc<Keypair>,
    roots: Arc<CommittedRoots>,
) -> Result<(), MinerError> {
    let mut due = roots.due();
    let (mut is_open, mut is_bad, mut handed_in) = (false, false, None);
    loop {
        wait(&source, &mut due, is_open).await;
        match step(&source, &keypair, &roots, handed_in).await {
            Ok(Step::Shown) => {
                (is_open, handed_in) = (false, None);
                if std::mem::take(&mut is_bad) {
                    tracing::info!(
                        state = STATE,
                        turned = "good",
                        "the chain shows what this miner has committed to"
                    );
                }
            }
            Ok(Step::HandedIn(call)) => (is_open, handed_in) = (true, Some(call)),
            Err(error) => {
                metrics::root_failed();
                is_open = true;
                if !std::mem::replace(&mut is_bad, true) {
                    tracing::warn!(
                        state = STATE, turned = "bad", %error,
                        "what this miner has committed to isn't on the chain yet, and counts as malformed where it comes too late; each block \
                         tries again"
                    );
                }
            }
        }
    }
}

/// Waits for another commitment; for the next block as well while a root is still to be shown.
async fn wait(source: &RosterSource, due: &mut watch::Receiver<u64>, is_open: bool) {
    let next_block = async {
        let Ok(head) = source.ask(source.chain.head()).await else {
            return source.clock.sleep(RETRY).await;
        };
        // No block in time: what is due is looked at all the same.
        let _ = source.clock.timeout(source.timeout, source.chain.next_block(head.number)).await;
    };
    tokio::select! {
        changed = due.changed() => match changed {
            Ok(()) => {
                source.clock.sleep(GATHER).await;
                due.mark_unchanged();
            }
            // Nobody commits any more: the miner ends.
            Err(_) => std::future::pending().await,
        },
        () = next_block, if is_open => {}
    }
}

async fn step(
    source: &RosterSource,
    keypair: &Keypair,
    roots: &Arc<CommittedRoots>,
    handed_in: Option<HandedIn>,
) -> Result<Step, MinerError> {
    let RosterSource { chain, netuid, .. } = source;
    let roots = roots.clone();
    let next = tokio::task::spawn_blocking(move || roots.next()).await.map_err(|_| MinerError::Panicked)?;
    let Some(root) = next.map_err(MinerError::Sealed)? else { return Ok(Step::Shown) };
    let at = source.ask(chain.head()).await?.number;
    let shown = source.ask(chain.commitment(*netuid, keypair.hotkey())).await?;
    if shown.is_some_and(|shown| from_chain(&shown.data) == Some(root)) {
        metrics::root_published();
        return Ok(Step::Shown);
    }
    // At most one a block: the chain lets a hotkey write so much in a tempo and no more.
    let is_under_way =
        |call: &HandedIn| at <= call.at || (call.root == root && at.0 < call.at.0 + AGAIN_BLOCKS);
    if let Some(call) = handed_in.filter(is_under_way) {
        return Ok(Step::HandedIn(call));
    }
    let call = Call::SetCommitment { netuid: *netuid, data: to_chain(&root) };
    let signed = source.ask(chain.sign(keypair, call)).await?;
    source.ask(chain.submit(&signed)).await?;
    Ok(Step::HandedIn(HandedIn { root, at }))
}
