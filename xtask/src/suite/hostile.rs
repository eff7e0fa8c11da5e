//! Hostile peers against a miner of ours, each a while: an honest validator is answered all the time, memory and log stay small.

mod attacks;
mod frames;
#[cfg(feature = "forge")]
pub(crate) mod validator;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;
use weighhouse_ask::{AskLimits, Asker, Target, frame};
use weighhouse_proto::inference::ModelInferRequest;
use weighhouse_proto::method::MODEL_INFER;
use weighhouse_seams::{SystemClock, TcpDialer, TlsKey};
use weighhouse_types::{InferRequest, Tensor};
use weighhouse_wallet::btauth::Signer;
use weighhouse_wallet::folder::Folder;
use weighhouse_wallet::keypair::Keypair;
use weighhouse_wallet::password::Unlock;

use self::attacks::{ALL, Attack, Means};
use super::interop::{Cli, free_ports, until};
use super::{Running, Tally, metrics, weighhouse};
use crate::say;

/// What attacks show in.
const FELT: [&str; 7] = [
    "weighhouse_miner_connections",
    "weighhouse_miner_connections_evicted_total",
    "weighhouse_miner_connections_flooded_total",
    "weighhouse_miner_connections_refused_total",
    "weighhouse_miner_requests_evicted_total",
    "weighhouse_wallet_requests_refused_total",
    "weighhouse_miner_requests_total",
];
const CONNECTIONS: usize = 0;
const FLOODED: usize = 2;
const EVICTED: usize = 4;
const REFUSED: usize = 5;
const ENDED: usize = 6;
/// Share of honest requests that have to be answered.
const ANSWERED_MIN: f64 = 0.999;
/// How much more memory than before: the miner's budget of bodies, and as much again for everything else.
const MEMORY_ADDED_MAX: u64 = 128 << 20;
const LOG_ADDED_MAX: u64 = 1 << 20;
const RELOADS: &str = "reloads while requests go on";
const RELOADED: &str = "weighhouse_miner_config_last_reload_successful";
/// Between two reloads.
const RELOAD_REST: Duration = Duration::from_millis(100);
/// The last check, which has the miner start again.
const FULL_DISK: &str = "a full disk under the log";
/// Honest requests at a time.
const TOGETHER: usize = 4;
/// An attack's lead before honest requests are counted.
const LEAD: Duration = Duration::from_millis(500);
const PATIENCE: AskLimits = AskLimits { deadline: Duration::from_secs(10), answer_bytes_max: 1 << 20 };

pub(crate) fn run(requests: usize, only: Option<&str>) -> anyhow::Result<()> {
    let mut tally = Tally::new("hostile");
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let mut net = Net::start(&binary, scratch.path(), "")?;
    // One thread: attackers have no more than one core.
    let attackers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let honest = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let calm = honest.block_on(net.ask(requests))?;
    say(&format!("without attack: {calm}"));
    ensure!(calm.answered == requests, "the miner answers only {} of {requests}", calm.answered);
    let mut figures = vec![("calm_p99_seconds".to_owned(), calm.at(0.99).into())];
    for (name, attack, addresses, connections) in ALL {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        tally.check(name, || {
            let (memory, log, before) = (net.memory()?, net.log_bytes()?, net.felt()?);
            let attacking = {
                let _runtime = attackers.enter();
                attacks::begin(attack, addresses, connections, &net.means)
            };
            std::thread::sleep(LEAD);
            let answers = honest.block_on(net.ask(requests))?;
            let (added, logged) = (net.memory()?.saturating_sub(memory), net.log_bytes()?.saturating_sub(log));
            let felt: Vec<f64> = net.felt()?.iter().zip(before).map(|(now, before)| now - before).collect();
            drop(attacking);
            say(&format!("        {answers}; {} KiB more memory, {logged} bytes of log", added >> 10));
            say(&format!(
                "        connections {:+}, evicted {}, flooded {}, refused {}; requests evicted {}, refused {}",
                felt[0], felt[1], felt[2], felt[3], felt[4], felt[5]
            ));
            if let Some((sign, least)) = sign_of(attack, requests) {
                let felt = felt[sign];
                ensure!(felt > least, "the miner felt nothing of it: {} rose by {felt}", FELT[sign]);
            }
            if attack == Attack::BodiesThatNeverCome && addresses == 1 {
                figures.push(("bodies_p99_over_calm".to_owned(), (answers.at(0.99) / calm.at(0.99)).into()));
            }
            let share = answers.answered as f64 / requests as f64;
            ensure!(share >= ANSWERED_MIN, "{} of {requests} answered: {:?}", answers.answered, answers.failures);
            ensure!(added <= MEMORY_ADDED_MAX, "{added} bytes more memory");
            ensure!(logged <= LOG_ADDED_MAX, "{logged} bytes of log");
            Ok(())
        });
    }
    metrics::check(&mut tally, &net.page()?);
    if only.is_none_or(|only| only == RELOADS) {
        tally.check(RELOADS, || reloads(&net, &honest, requests));
    }
    if only.is_none_or(|only| only == FULL_DISK) {
        tally.check(FULL_DISK, || {
            net.restart_onto_full_disk(&binary)?;
            let attacking = {
                let _runtime = attackers.enter();
                // A line for each of the first of them.
                attacks::begin(Attack::MutatedHeaders, 2, 4, &net.means)
            };
            let answers = honest.block_on(net.ask(requests))?;
            drop(attacking);
            say(&format!("        {answers}"));
            let share = answers.answered as f64 / requests as f64;
            ensure!(
                share >= ANSWERED_MIN,
                "{} of {requests} answered: {:?}",
                answers.answered,
                answers.failures
            );
            Ok(())
        });
    }
    tally.finish_with(&figures)
}

/// No request is dropped by a reload, and nothing by one that fails.
fn reloads(net: &Net, honest: &tokio::runtime::Runtime, requests: usize) -> anyhow::Result<()> {
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (answers, told) = std::thread::scope(|scope| {
        let telling = scope.spawn(|| {
            let mut told = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                net.signal(Signal::HUP)?;
                told += 1;
                std::thread::sleep(RELOAD_REST);
            }
            anyhow::Ok(told)
        });
        let answers = honest.block_on(net.ask(requests));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        (answers, telling.join())
    });
    let (answers, told) = (answers?, told.map_err(|_| anyhow::anyhow!("the signals' thread panicked"))??);
    say(&format!("        {answers}; {told} reloads"));
    ensure!(answers.answered == requests, "{:?}", answers.failures);
    let path = net.dir.join("miner.toml");
    let config = std::fs::read_to_string(&path)?;
    for (text, worked) in [("nonsense", 0.0), (&config, 1.0)] {
        std::fs::write(&path, text)?;
        net.signal(Signal::HUP)?;
        until("the miner says how the reload went", || Ok(net.sum(RELOADED)? == worked))?;
        let answers = honest.block_on(net.ask(TOGETHER))?;
        ensure!(answers.answered == TOGETHER, "{:?}", answers.failures);
    }
    Ok(())
}

/// The figure that an attack has to raise, and by more than what: else it never reached what it is meant for.
fn sign_of(attack: Attack, honest: usize) -> Option<(usize, f64)> {
    Some(match attack {
        Attack::BodiesThatNeverCome | Attack::BodiesThatTrickle => (EVICTED, 0.0),
        // The library below ends it, and we hear nothing of it.
        Attack::Continuation | Attack::TlsHandshakes | Attack::TlsJunk => return None,
        Attack::Frames(..) | Attack::PaidFor => (FLOODED, 0.0),
        Attack::SlowHeaders | Attack::HalfHandshakes | Attack::HalfTls | Attack::IdleConnections => {
            (CONNECTIONS, 0.0)
        }
        // Requests besides the honest ones, and many.
        Attack::LargeUnsigned => (ENDED, honest as f64),
        Attack::Overload => (ENDED, 1.5 * honest as f64),
        _ => (REFUSED, 0.0),
    })
}

/// How honest requests fared.
pub(crate) struct Answers {
    pub(crate) answered: usize,
    failures: Vec<String>,
    /// Seconds of each, ascending.
    times: Vec<f64>,
}

impl Answers {
    pub(crate) fn at(&self, share: f64) -> f64 {
        let last = self.times.len().saturating_sub(1);
        self.times.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

impl std::fmt::Display for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, late] = [0.5, 0.99].map(|share| self.at(share) * 1e3);
        write!(
            f,
            "{} answered, {} not, median {median:.1} ms, p99 {late:.1} ms",
            self.answered,
            self.failures.len()
        )
    }
}

/// A chain and a miner of ours, each a process of its own.
pub(crate) struct Net {
    means: Means,
    honest: Asker,
    miner: Running,
    metrics: SocketAddr,
    dir: std::path::PathBuf,
    _chain: Running,
}

impl Net {
    /// `tables` are those of the miner's configuration besides.
    pub(crate) fn start(binary: &Path, dir: &Path, tables: &str) -> anyhow::Result<Self> {
        let ports = free_ports()?;
        let (ledger, miner) = (format!("127.0.0.1:{}", ports[0]), format!("127.0.0.1:{}", ports[1]));
        let cli = Cli { binary, dir, chain: format!("http://{ledger}") };
        let chain = cli.serve_chain(&ledger, &["miner", "validator", "traitor"])?;
        cli.json(&["chain", "register", "--wallet", "miner"])?;
        for wallet in ["validator", "traitor"] {
            cli.json(&["chain", "register", "--wallet", wallet])?;
            cli.json(&["chain", "stake", "--wallet", wallet, "--amount", "500"])?;
        }
        let metrics = SocketAddr::from(([127, 0, 0, 1], ports[2]));
        std::fs::write(dir.join("miner.toml"), config(dir, &cli.chain, &miner, metrics) + tables)?;
        let running = cli.spawn("miner", &["miner", "--config", "miner.toml"])?;
        until("the validators have their permits and the miner its axon", || {
            let state = cli.json(&["chain", "metagraph"])?;
            let neurons = state["metagraph"]["neurons"].as_array().context("neurons")?;
            let permits = neurons.iter().filter(|neuron| neuron["validator_permit"] == true).count();
            Ok(permits >= 2 && neurons.iter().any(|neuron| !neuron["axon"].is_null()))
        })?;
        // The miner looks at the metagraph once a block; give it a few.
        std::thread::sleep(Duration::from_secs(2));
        let (means, honest) = means(dir, miner.parse()?)?;
        Ok(Self { means, honest, miner: running, metrics, dir: dir.to_owned(), _chain: chain })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.means.miner
    }

    /// An honest request.
    pub(crate) fn signed(&self) -> anyhow::Result<http::Request<Full<Bytes>>> {
        let Means { miner, hotkey, body, .. } = &self.means;
        let mut request = http::Request::post(format!("http://{miner}{MODEL_INFER}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in self.honest.signer.headers("POST", MODEL_INFER, body, Some(hotkey)) {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body.clone()))?)
    }

    /// Honest requests, each on a connection of its own as validators' are.
    pub(crate) async fn ask(&self, requests: usize) -> anyhow::Result<Answers> {
        let mut asking = JoinSet::new();
        for part in 0..TOGETHER {
            let (asker, means) = (self.honest.clone(), self.means.clone());
            let to = Target { address: means.miner, hotkey: means.hotkey, pin: Some(means.pin) };
            asking.spawn(async move {
                let (mut times, mut failures) = (Vec::new(), Vec::new());
                for _ in (part..requests).step_by(TOGETHER) {
                    let begun = Instant::now();
                    match asker.ask(to, means.body.clone(), PATIENCE).await {
                        Ok(_) => times.push(begun.elapsed().as_secs_f64()),
                        Err(failure) => failures.push(format!("{failure:?}")),
                    }
                }
                (times, failures)
            });
        }
        let mut all = Answers { answered: 0, failures: Vec::new(), times: Vec::new() };
        while let Some(part) = asking.join_next().await {
            let (times, failures) = part?;
            all.times.extend(times);
            all.failures.extend(failures);
        }
        all.answered = all.times.len();
        all.times.sort_by(f64::total_cmp);
        Ok(all)
    }

    /// Starts the miner again, whose log can't be written any more.
    fn restart_onto_full_disk(&mut self, binary: &Path) -> anyhow::Result<()> {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
        self.restart(binary, full)?;
        until("the miner serves again", || Ok(self.ready()))
    }

    /// Ends the miner and starts it again, with this file as its log.
    pub(crate) fn restart(&mut self, binary: &Path, log: std::fs::File) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        self.miner.0.wait()?;
        let cli = Cli { binary, dir: &self.dir, chain: String::new() };
        self.miner = cli.spawn_onto(log, &["miner", "--config", "miner.toml"])?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.miner.0.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        Ok(kill_process(id, signal)?)
    }

    /// Whether `/readyz` says so.
    pub(crate) fn ready(&self) -> bool {
        self.get("/readyz")
            .is_ok_and(|answer| answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"))
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Bytes of the miner that are resident.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.miner.0.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the miner has ended")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib << 10)
    }

    /// The miner's metrics as Prometheus reads them.
    fn page(&self) -> anyhow::Result<String> {
        let answer = self.get("/metrics")?;
        let (_, page) = answer.split_once("\r\n\r\n").context("an answer")?;
        Ok(page.to_owned())
    }

    /// The figures of [`FELT`].
    fn felt(&self) -> anyhow::Result<[f64; FELT.len()]> {
        let page = self.page()?;
        Ok(FELT.map(|name| sum(&page, name)))
    }

    fn sum(&self, name: &str) -> anyhow::Result<f64> {
        Ok(sum(&self.page()?, name))
    }

    fn log_bytes(&self) -> anyhow::Result<u64> {
        Ok(std::fs::metadata(self.dir.join("miner.log"))?.len())
    }
}

/// A figure, summed over its labels.
fn sum(page: &str, name: &str) -> f64 {
    let samples = page.lines().filter_map(|line| line.rsplit_once(' '));
    let named = samples.filter(|(sample, _)| sample.split('{').next() == Some(name));
    named.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

fn config(dir: &Path, chain: &str, listen: &str, metrics: SocketAddr) -> String {
    let (wallets, state) = (dir.join("wallets"), dir.join("miner-state"));
    format!(
        "[wallet]\npath = {wallets:?}\nname = \"miner\"\nhotkey = \"default\"\n\n[chain]\nendpoints = [\"{chain}\"]\n\
         netuid = 1\n\n[serve]\nlisten = \"{listen}\"\n\n[admission]\nrequests_per_second = 1000\nburst = 1000\n\n\
         [metrics]\nlisten = \"{metrics}\"\n\n\
         [state]\ndir = {state:?}\n\n[[model]]\nname = \"digits\"\nbuiltin = \"digits-reference\"\n"
    )
}

fn means(dir: &Path, miner: SocketAddr) -> anyhow::Result<(Means, Asker)> {
    let key = |wallet: &str| -> anyhow::Result<Keypair> {
        let unlock = Unlock { given: None, env: &|_| None };
        Ok(Folder::new(&dir.join("wallets"), wallet)?.open_hotkey("default", &unlock)?)
    };
    let clock = Arc::new(SystemClock::new());
    let signer = |key: Keypair| Arc::new(Signer::new(Arc::new(key), clock.clone()));
    let (hotkey, honest, traitor) =
        (key("miner")?.hotkey(), signer(key("validator")?), signer(key("traitor")?));
    let scan = Tensor::from_f32("pixels", vec![1, 64], &[0.5; 64])?;
    let asked = InferRequest {
        model: "digits".into(),
        version: String::new(),
        id: "1".into(),
        inputs: vec![scan],
        outputs: Vec::new(),
    };
    let body: Bytes = frame(&ModelInferRequest::try_from(asked)?);
    let replayed = Arc::new(traitor.headers("POST", MODEL_INFER, &body, Some(&hotkey)));
    let stranger = signer(Keypair::from_uri("//Eve")?);
    let victim = honest.hotkey();
    let asker = Asker { signer: honest, dialer: Arc::new(TcpDialer), clock };
    let pin = TlsKey::of_pem(&std::fs::read_to_string(dir.join("miner-state/tls.pem"))?)?.pin();
    Ok((Means { miner, hotkey, pin, victim, traitor, stranger, body, replayed }, asker))
}
