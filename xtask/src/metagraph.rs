//! Reading a whole metagraph of 256 neurons: our client's CPU time from a new block to a snapshot that two endpoints agree
//! on, against what PyPI's bittensor spends on the same read from one of them; and whether memory stays put.

mod stretched;

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::time::{ClockId, clock_gettime};
use weighhouse_chain::Chain as _;
use weighhouse_chain::subtensor::{Development, Network, Subtensor};
use weighhouse_types::{Digest, Hotkey, Netuid};
use weighhouse_wallet::keypair::Keypair;

use self::stretched::Stretched;
use crate::suite::{Running, environment, root};
use crate::{result, say};

const URL: &str = "WEIGHHOUSE_SUBTENSOR_URL";
const NEURONS: usize = 256;
const PEER: &str = "bittensor==11.3.0";
/// Reads that are timed, ours and the peer's; the first few of each don't count.
const READS: usize = 40;
const WARM: usize = 5;
const BLOCKS: usize = 10_000;
const GOAL: f64 = 0.05;
const ROUND_TRIPS_MAX: f64 = 10.0;

pub(crate) fn run() -> anyhow::Result<()> {
    let url = std::env::var(URL)
        .with_context(|| format!("set {URL} to the address of subtensor 293 under chopsticks"))?;
    let python = environment("bittensor", &[PEER])?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // A block of registrations takes a while.
    let network = Network { deadline: Duration::from_secs(120), ..url.parse()? };
    let (node, netuid) = runtime.block_on(crowded(&network))?;
    let stretched = runtime.block_on(Stretched::start(node, BLOCKS + READS + WARM))?;
    say("timing the peer");
    let peer = peer(&python, &stretched, netuid)?;
    say(&format!("timing our client, for {BLOCKS} blocks"));
    let ours = ours(&stretched, netuid)?;
    let ratio = ours.cpu.as_secs_f64() / peer.as_secs_f64();
    say(&format!(
        "ours {:.2} ms and {:.1} round trips to two endpoints, {PEER} {:.2} ms from one; {} bytes more after {BLOCKS} blocks",
        ours.cpu.as_secs_f64() * 1e3,
        ours.round_trips,
        peer.as_secs_f64() * 1e3,
        ours.growth
    ));
    result(&serde_json::json!({
        "name": "metagraph", "ours": ours.cpu.as_secs_f64(), "peer": peer.as_secs_f64(), "ratio": ratio, "goal": GOAL,
        "round_trips": ours.round_trips, "round_trips_max": ROUND_TRIPS_MAX, "resident_growth_bytes": ours.growth,
    }));
    Ok(())
}

/// A subnet with every neuron; one that an earlier run left behind is taken as it is.
async fn crowded(network: &Network) -> anyhow::Result<(Development, Netuid)> {
    let node = Development::connect(network, Keypair::from_uri("//Alice")?).await?;
    let known = node.subnet().await;
    if let Ok(state) = &known
        && state.metagraph.neurons.len() == NEURONS
    {
        return Ok((node, state.metagraph.netuid));
    }
    ensure!(known.is_err(), "the node's subnet has other neurons; start the node anew");
    say("registering 256 neurons, which takes minutes");
    let netuid = node.make_subnet(360).await?;
    let others: Vec<_> = (1..NEURONS).map(|n| Hotkey(Digest::of(&n.to_le_bytes()).0)).collect();
    node.crowd(&others).await?;
    ensure!(node.subnet().await?.metagraph.neurons.len() == NEURONS, "not all are registered");
    Ok((node, netuid))
}

/// The middle one.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

struct Ours {
    cpu: Duration,
    /// Of one snapshot, to both endpoints together.
    round_trips: f64,
    /// Resident memory after all blocks beyond that after a tenth of them.
    growth: i64,
}

/// On a thread of its own, so that its clock counts nothing but the client.
fn ours(stretched: &Arc<Stretched>, netuid: Netuid) -> anyhow::Result<Ours> {
    let stretched = Arc::clone(stretched);
    let thread = std::thread::spawn(move || -> anyhow::Result<Ours> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let network: Network = stretched.urls().join(",").parse()?;
            let chain = Subtensor::connect(&network).await?;
            let (mut times, mut counted, mut early) = (Vec::new(), 0, 0);
            for block in 0..BLOCKS {
                stretched.next_block();
                let (messages, begun) = (stretched.messages(), cpu());
                let state = chain.subnet(netuid).await?;
                let taken = cpu().saturating_sub(begun);
                ensure!(state.metagraph.neurons.len() == NEURONS, "a snapshot lacks neurons");
                if (WARM..WARM + READS).contains(&block) {
                    times.push(taken);
                    counted += stretched.messages() - messages;
                }
                if block == BLOCKS / 10 {
                    early = resident()?;
                }
                if block % (BLOCKS / 4) == 0 {
                    say(&format!("block {block} of {BLOCKS}"));
                }
            }
            let round_trips = counted as f64 / READS as f64;
            Ok(Ours { cpu: median(times), round_trips, growth: resident()? - early })
        })
    });
    thread.join().map_err(|_| anyhow::anyhow!("the client's thread panicked"))?
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Bytes of memory that are in use.
fn resident() -> anyhow::Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("resident memory")?;
    let kibibytes: i64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// The peer reads when told that there is a new block, and says what CPU time it took.
fn peer(python: &std::path::Path, stretched: &Stretched, netuid: Netuid) -> anyhow::Result<Duration> {
    let script = root().join("xtask/python/metagraph.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&stretched.urls()[0]).arg(netuid.to_string());
    let mut process = Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
    let mut input = process.0.stdin.take().context("a pipe")?;
    let mut lines = BufReader::new(process.0.stdout.take().context("a pipe")?).lines();
    let mut times = Vec::new();
    for read in 0..WARM + READS {
        stretched.next_block();
        writeln!(input, "read")?;
        let line = lines.next().context("the peer ended")??;
        let (neurons, seconds) = line.split_once(' ').context("two figures")?;
        ensure!(neurons == NEURONS.to_string(), "the peer sees {neurons} neurons");
        if read >= WARM {
            times.push(Duration::from_secs_f64(seconds.parse()?));
        }
    }
    Ok(median(times))
}
