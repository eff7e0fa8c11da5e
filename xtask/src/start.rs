//! A miner's start, from its process to the first `/readyz` that says yes, and the memory it takes while nobody asks.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::median::median;
use crate::suite::hostile::Net;
use crate::suite::weighhouse;
use crate::{result, say};

const STARTS: usize = 9;
const READY_LIMIT_S: f64 = 0.1;
const MEMORY_LIMIT_BYTES: f64 = 40e6;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(30);
/// For what a start does behind its first answer.
const REST: Duration = Duration::from_secs(3);

pub(crate) fn run() -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let binary = weighhouse()?;
    let mut net = Net::start(&binary, scratch.path(), "")?;
    let (mut took, mut resident) = (Vec::new(), Vec::new());
    for start in 0..STARTS {
        let log = std::fs::File::create(scratch.path().join(format!("start-{start}.log")))?;
        net.restart(&binary, log)?;
        let begun = Instant::now();
        while !net.ready() {
            ensure!(begun.elapsed() < PATIENCE, "the miner isn't ready within {} s", PATIENCE.as_secs());
            std::thread::sleep(LOOK);
        }
        took.push(begun.elapsed().as_secs_f64());
        std::thread::sleep(REST);
        resident.push(net.memory()? as f64);
    }
    let (seconds, bytes) = (median(took), median(resident));
    say(&format!("ready after {:.0} ms, {:.1} MB resident", seconds * 1e3, bytes / 1e6));
    result(&serde_json::json!({
        "name": "start", "ours": seconds, "limit": READY_LIMIT_S, "ratio": seconds / READY_LIMIT_S,
        "goal": "at most 1", "met": seconds <= READY_LIMIT_S && bytes <= MEMORY_LIMIT_BYTES,
        "resident_bytes": bytes, "resident_limit_bytes": MEMORY_LIMIT_BYTES,
        "unit": "seconds from the process to the first `/readyz` that says yes",
    }));
    Ok(())
}
