//! A validator's round with miners in another process that take 300 ms each, and what a query costs beside bare tonic.

pub(crate) mod engine;
pub(crate) mod stubs;
pub(crate) mod subnet;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};
use weighhouse_validator::Validator;
use weighhouse_validator::config::Rounds;

use crate::median::median;
use crate::{result, say};

pub(crate) use stubs::{Pace, serve};

/// The time that every stub takes.
const THINKING: Duration = Duration::from_millis(300);
/// A ledger has 256 uids, and the validator is one.
const MINERS: u16 = 255;
/// Others for the curve.
const OTHERS: [u16; 2] = [16, 64];
const ROUNDS: usize = 9;
/// With a round in every few blocks.
const TEMPO: u16 = 360;
const ASKING: Rounds = Rounds {
    per_epoch: 100,
    deadline: Duration::from_secs(5),
    in_flight_max: 4_096,
    answer_bytes_max: 1 << 20,
    canary: false,
};
/// Over the stubs' own time.
const TIME_LIMIT: f64 = 1.1;
const TIME_ALLOWANCE_S: f64 = 0.05;
const CPU_LIMIT: f64 = 1.5;

/// Medians of the rounds with so many miners.
struct Measured {
    miners: u16,
    seconds: f64,
    /// Between the first request that reached the stubs and the last.
    spread: f64,
    /// CPU-seconds a query.
    cpu: f64,
    bare: f64,
    /// Resident memory that the round added, a miner.
    bytes: f64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut curve = Vec::new();
    for miners in OTHERS {
        curve.push(runtime.block_on(measure(miners))?);
    }
    let goal = runtime.block_on(measure(MINERS))?;
    let limit = THINKING.as_secs_f64() * TIME_LIMIT + TIME_ALLOWANCE_S;
    let told = |it: &Measured| {
        serde_json::json!({
            "miners": it.miners, "seconds": it.seconds, "requests_within": it.spread, "cpu_per_query": it.cpu,
            "bare_cpu_per_query": it.bare, "cpu_ratio": it.cpu / it.bare, "bytes_per_miner": it.bytes,
        })
    };
    result(&serde_json::json!({
        "name": "round", "ours": goal.seconds, "limit": limit, "ratio": goal.seconds / limit, "goal": "at most 1",
        "met": goal.seconds <= limit && goal.cpu <= CPU_LIMIT * goal.bare,
        "cpu_ratio": goal.cpu / goal.bare, "cpu_goal": CPU_LIMIT, "unit": "seconds per round of 255 miners",
        "at": told(&goal), "curve": curve.iter().map(told).collect::<Vec<_>>(),
    }));
    Ok(())
}

async fn measure(miners: u16) -> anyhow::Result<Measured> {
    let mut stubs = stubs::Stubs::start(miners, Pace { thinking: THINKING, serial: false })?;
    let dir = tempfile::tempdir()?;
    let subnet =
        subnet::Subnet::new(&vec![subnet::Place::plain(stubs.address()); usize::from(miners)], TEMPO).await?;
    let mut validator = Validator::open(subnet.parts(dir.path(), ASKING)?).await?;
    let (mut seconds, mut spreads, mut cpu, mut bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let before = resident()?;
    let mut most = before;
    while seconds.len() < ROUNDS {
        let (begun, used) = (Instant::now(), cpu_time());
        validator.step().await?;
        let (took, used) = (begun.elapsed().as_secs_f64(), cpu_time().saturating_sub(used));
        let (asked, spread) = stubs.asked()?;
        ensure!(asked.is_multiple_of(usize::from(miners)), "{asked} requests to {miners} miners");
        // The first step may have several rounds to catch up with.
        if asked == usize::from(miners) {
            most = most.max(resident()?);
            seconds.push(took);
            spreads.push(spread);
            cpu.push(used.as_secs_f64() / f64::from(miners));
            bare.push(stubs.ask_barely(miners).await?);
            stubs.asked()?;
        }
        subnet.next_block().await?;
    }
    let measured = Measured {
        miners,
        seconds: median(seconds),
        spread: median(spreads),
        cpu: median(cpu),
        bare: median(bare),
        bytes: (most - before).max(0.0) / f64::from(miners),
    };
    say(&format!(
        "{miners} miners: {:.0} ms, requests within {:.1} ms, {:.0} us of CPU a query, {:.0} us by bare tonic, {:.1} KiB a miner",
        measured.seconds * 1e3,
        measured.spread * 1e3,
        measured.cpu * 1e6,
        measured.bare * 1e6,
        measured.bytes / 1024.0
    ));
    Ok(measured)
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub(crate) fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.split_whitespace().next().context("a number")?.parse()?;
    Ok(kib * 1024.0)
}
