//! The served ledger's newest block, as metrics and a service manager see it.

use std::time::Duration;

use metrics::{describe_gauge, gauge};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weighhouse_chain::Chain;
use weighhouse_chain::ledger::Ledger;
use weighhouse_seams::{Clock as _, SystemClock};
use weighhouse_types::Block;

use crate::supervisor::Followed;

const BLOCK: &str = "weighhouse_chain_block";
const LAST_BLOCK: &str = "weighhouse_chain_last_block_timestamp_seconds";

/// Blocks that may be late before the ledger counts as stuck, and the time that a slow disk may take besides.
const LATE_BLOCKS: u32 = 10;
const GRACE: Duration = Duration::from_secs(60);
const STOP_TIME: Duration = Duration::from_secs(20);

/// Gives the exporter its help texts; call it once a recorder is installed.
pub(crate) fn describe() {
    describe_gauge!(BLOCK, "The newest block.");
    describe_gauge!(LAST_BLOCK, "When the newest block was made, in seconds since the Unix epoch.");
}

/// Tells of each new block, until the ledger stops.
pub(super) async fn follow(ledger: Ledger, shutdown: CancellationToken) {
    let blocks = watch::Sender::new(Block(0));
    let patience = ledger.block_time().unwrap_or_default() * LATE_BLOCKS + GRACE;
    let followed = Followed { turns: blocks.subscribe(), patience, stop_time: STOP_TIME };
    let makes_blocks = ledger.block_time().is_some();
    let told = followed.tell(
        |block| format!("block {block}"),
        |_| std::future::ready(makes_blocks),
        shutdown.clone(),
    );
    tokio::join!(told, count(ledger, blocks, shutdown));
}

async fn count(ledger: Ledger, blocks: watch::Sender<Block>, shutdown: CancellationToken) {
    let clock = SystemClock::new();
    let mut next = ledger.head().await;
    while let Ok(head) = next {
        blocks.send_replace(head.number);
        gauge!(BLOCK).set(head.number.0 as f64);
        gauge!(LAST_BLOCK).set(clock.now().0 as f64 / 1e9);
        next = tokio::select! {
            next = ledger.next_block(head.number) => next,
            () = shutdown.cancelled() => return,
        };
    }
}
