//! Reading a whole metagraph of 256 neurons: our client's CPU time from a new block to a snapshot that two endpoints agree
//! on, against what PyPI's bittensor spends on the same read from one of them; and whether memory stays put.

mod stretched;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;
use weighhouse_chain::Chain as _;
use weighhouse_chain::subtensor::{Development, Network, Subtensor};
use weighhouse_types::{Digest, Hotkey, Netuid};
use weighhouse_wallet::keypair::Keypair;

use self::stretched::StretchedMetagraph;
use crate::median::median;
use crate::suite::{Running, environment, root};
use crate::{result, say};

const URL: &str = "WEIGHHOUSE_SUBTENSOR_URL";
const NEURONS: usize = 256;
const PEER: &str = "bittensor==11.3.0";
/// Turns that both take; in each, some reads, the first few of which don't count.
const TURNS: usize = 10;
const READS: usize = 12;
const WARM: usize = 2;
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
    let stretched = runtime.block_on(StretchedMetagraph::start(node, BLOCKS + 2 * TURNS * READS))?;
    let mut ours = OurClient::connect(&stretched, netuid)?;
    let mut peer = MetagraphPeer::start(&python, &stretched, netuid)?;
    say("timing both by turns");
    let (mut our_times, mut peer_times, mut messages) = (Vec::new(), Vec::new(), 0);
    for _ in 0..TURNS {
        peer_times.extend(turn(&stretched, || peer.read())?);
        let before = stretched.messages();
        our_times.extend(turn(&stretched, || ours.read())?);
        messages += stretched.messages() - before;
    }
    say(&format!("reading {BLOCKS} blocks"));
    let growth = ours.growth(&stretched)?;
    report(median(our_times), median(peer_times), messages as f64 / (TURNS * READS) as f64, growth);
    Ok(())
}

fn report(ours: Duration, peer: Duration, round_trips: f64, growth: i64) {
    say(&format!(
        "ours {:.2} ms and {round_trips:.1} round trips to two endpoints, {PEER} {:.2} ms from one; {growth} bytes more \
         after {BLOCKS} blocks",
        ours.as_secs_f64() * 1e3,
        peer.as_secs_f64() * 1e3,
    ));
    let (ours, peer) = (ours.as_secs_f64(), peer.as_secs_f64());
    result(&serde_json::json!({
        "name": "metagraph", "ours": ours, "peer": peer, "ratio": ours / peer, "goal": GOAL,
        "round_trips": round_trips, "round_trips_max": ROUND_TRIPS_MAX, "resident_growth_bytes": growth,
    }));
}

/// Reads at as many new blocks, and the time that each took.
fn turn(
    stretched: &StretchedMetagraph,
    mut read: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        stretched.next_block();
        times.push(read()?);
    }
    Ok(times.split_off(WARM))
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

/// Driven by the thread that reads, so that the thread's clock counts nothing but the client.
struct OurClient {
    runtime: Runtime,
    chain: Subtensor,
    netuid: Netuid,
}

impl OurClient {
    fn connect(stretched: &StretchedMetagraph, netuid: Netuid) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let network: Network = stretched.urls().join(",").parse()?;
        let chain = runtime.block_on(Subtensor::connect(&network))?;
        Ok(Self { runtime, chain, netuid })
    }

    fn read(&mut self) -> anyhow::Result<Duration> {
        let begun = cpu();
        let state = self.runtime.block_on(self.chain.subnet(self.netuid))?;
        let taken = cpu().saturating_sub(begun);
        ensure!(state.metagraph.neurons.len() == NEURONS, "a snapshot lacks neurons");
        Ok(taken)
    }

    /// Resident memory after all blocks beyond that after a tenth of them.
    fn growth(&mut self, stretched: &StretchedMetagraph) -> anyhow::Result<i64> {
        let mut early = 0;
        for block in 0..BLOCKS {
            stretched.next_block();
            self.read()?;
            // By then buffers have their size, and only what is never freed still grows.
            if block == BLOCKS / 10 {
                early = resident()?;
            }
        }
        Ok(resident()? - early)
    }
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

/// Reads when told that there is a new block, and says what CPU time its process took.
struct MetagraphPeer {
    _process: Running,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl MetagraphPeer {
    fn start(python: &Path, stretched: &StretchedMetagraph, netuid: Netuid) -> anyhow::Result<Self> {
        let script = root().join("xtask/python/metagraph.py");
        let mut command = Command::new(python);
        command.arg(script).arg(&stretched.urls()[0]).arg(netuid.to_string());
        let mut process = Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?);
        let input = process.0.stdin.take().context("a pipe")?;
        let lines = BufReader::new(process.0.stdout.take().context("a pipe")?).lines();
        Ok(Self { _process: process, input, lines })
    }

    fn read(&mut self) -> anyhow::Result<Duration> {
        writeln!(self.input, "read")?;
        let line = self.lines.next().context("the peer ended")??;
        let (neurons, seconds) = line.split_once(' ').context("two figures")?;
        ensure!(neurons == NEURONS.to_string(), "the peer sees {neurons} neurons");
        Ok(Duration::from_secs_f64(seconds.parse()?))
    }
}
