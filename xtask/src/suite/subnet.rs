//! A whole subnet of ours on a real subtensor runtime: three validators and four miners, registered and staked by command,
//! from the first axon to an epoch's incentive; then the same under commit-reveal, which nobody told them of.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::runtime::Runtime;
use weighhouse_chain::Chain as _;
use weighhouse_chain::subtensor::{Development, Network};
use weighhouse_types::{MechId, Netuid, Uid};
use weighhouse_wallet::keypair::Keypair;

use super::interop::{Cli, free_ports};
use super::{Running, Tally, weighhouse};
use crate::say;

const URL: &str = "WEIGHHOUSE_SUBTENSOR_URL";
const VALIDATORS: [(&str, &str); 3] = [("validator0", "100"), ("validator1", "60"), ("validator2", "30")];
const MINERS: [(&str, &str); 4] = [
    ("miner0", "digits-reference"),
    ("miner1", "digits-reference"),
    ("miner2", "digits-reference"),
    ("miner3", "digits-weak"),
];
/// Address that miners publish: the runtime takes no loopback address.
const OUTER: &str = "10.0.0.7";
const TEMPO: u16 = 20;
/// Between two blocks while commands wait for theirs, and while miners are asked.
const QUICK: u64 = 300;
const STEADY: u64 = 3_000;
const PATIENCE: Duration = Duration::from_secs(900);

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("subnet");
    let Ok(url) = std::env::var(URL) else {
        tally.skip("everything", &format!("set {URL} to the address of subtensor 293 under chopsticks"));
        return tally.finish();
    };
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let world = World::make(&binary, scratch.path(), &url)?;
    tally.check("seven of ours register, and three of them stake, by command", || world.enroll());
    let processes = world.start()?;
    world.pause.store(STEADY, Ordering::Relaxed);
    tally.check("three validators set weights", || world.weights_set());
    let mut paid = 0;
    tally.check("an epoch pays the honest miners and not the weak one", || {
        paid = world.paid()?;
        Ok(())
    });
    tally.check("what it paid is what our Yuma computes", || world.verified(paid));
    tally.check("under commit-reveal they commit and reveal unasked", || world.hidden());
    tally.check("everybody is still there, and ends when asked", || ended(processes));
    tally.finish()
}

struct World<'a> {
    cli: Cli<'a>,
    dir: &'a Path,
    ports: Vec<u16>,
    netuid: Netuid,
    chain: Arc<Development>,
    runtime: Runtime,
    pause: Arc<AtomicU64>,
}

impl<'a> World<'a> {
    /// A subnet of root's, and somebody who makes blocks.
    fn make(binary: &'a Path, dir: &'a Path, url: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let network: Network = url.parse()?;
        let everyone: Vec<_> = VALIDATORS.iter().chain(&MINERS).map(|(name, _)| *name).collect();
        let (chain, netuid) = runtime.block_on(async {
            let chain = Development::connect(&network, Keypair::from_uri("//Alice")?).await?;
            let keys = everyone.iter().map(|name| Keypair::from_uri(&format!("//{name}")));
            let accounts: Result<Vec<_>, _> = keys.map(|key| key.map(|key| key.coldkey())).collect();
            chain.endow(&accounts?).await?;
            let netuid = chain.make_subnet(TEMPO).await?;
            Ok::<_, anyhow::Error>((Arc::new(chain), netuid))
        })?;
        let (maker, pause) = (chain.clone(), Arc::new(AtomicU64::new(QUICK)));
        let every = pause.clone();
        runtime.spawn(async move {
            loop {
                if let Err(error) = maker.block().await {
                    say(&format!("no block: {error}"));
                }
                tokio::time::sleep(Duration::from_millis(every.load(Ordering::Relaxed))).await;
            }
        });
        let cli = Cli { binary, dir, chain: url.to_owned() };
        let mut ports = free_ports()?;
        ports.extend(free_ports()?);
        Ok(Self { cli, dir, ports, netuid, chain, runtime, pause })
    }

    /// Wallets, registrations and stakes, as their owners would.
    fn enroll(&self) -> anyhow::Result<()> {
        let netuid = self.netuid.to_string();
        for (name, _) in VALIDATORS.iter().chain(&MINERS) {
            self.import(name, &format!("//{name}"), &["--no-password"])?;
            self.import(name, &format!("//{name}//hot"), &["--hotkey-only", "--hotkey", "main"])?;
            let args = ["chain", "register", "--wallet", name, "--hotkey", "main", "--netuid", &netuid];
            let registered = self.cli.json(&args)?;
            say(&format!("        {name} has uid {}", registered["uid"]));
        }
        for (name, tao) in VALIDATORS {
            let args = ["chain", "stake", "--wallet", name, "--hotkey", "main", "--netuid", &netuid];
            self.cli.json(&[&args[..], &["--amount", tao]].concat())?;
        }
        Ok(())
    }

    fn import(&self, wallet: &str, uri: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = self.cli.command();
        command.args(["wallet", "import", "--json", "--wallet", wallet]).args(args);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        process.stdin.take().context("a pipe")?.write_all(uri.as_bytes())?;
        ensure!(process.wait()?.success(), "{command:?}");
        Ok(())
    }

    fn start(&self) -> anyhow::Result<Vec<(String, Running)>> {
        let mut processes = Vec::new();
        for ((name, model), port) in MINERS.iter().zip(&self.ports) {
            let mut file = self.roles(name)?;
            write!(
                file,
                "\n[serve]\nlisten = \"127.0.0.1:{port}\"\nexternal = \"{OUTER}:{port}\"\n\n[metrics]\n\
                 listen = \"127.0.0.1:0\"\n\n[state]\ndir = {:?}\n\n[[model]]\nname = \"digits\"\nbuiltin = \"{model}\"\n",
                self.dir.join(format!("{name}-state"))
            )?;
            processes.push(self.role("miner", name, &file)?);
        }
        for (name, _) in VALIDATORS {
            let mut file = self.roles(name)?;
            write!(
                file,
                "\n[chain.dial]\n\"{OUTER}\" = \"127.0.0.1\"\n\n[task]\nfile = \"digits-quality\"\n\
                 reference = \"digits-reference\"\n\n[rounds]\nper_epoch = 2\n\n[journal]\ndir = {:?}\n",
                self.dir.join(format!("{name}-journal"))
            )?;
            processes.push(self.role("validator", name, &file)?);
        }
        Ok(processes)
    }

    fn roles(&self, name: &str) -> anyhow::Result<String> {
        let wallets = self.dir.join("wallets");
        let endpoints: Vec<&str> = self.cli.chain.split(',').collect();
        Ok(format!(
            "[wallet]\npath = {wallets:?}\nname = \"{name}\"\nhotkey = \"main\"\n\n[chain]\nendpoints = {endpoints:?}\n\
             netuid = {}\n",
            self.netuid
        ))
    }

    fn role(&self, role: &str, name: &str, file: &str) -> anyhow::Result<(String, Running)> {
        let path = self.dir.join(format!("{name}.toml"));
        std::fs::write(&path, file)?;
        let process = self.cli.spawn(name, &[role, "--config", &path.display().to_string()])?;
        Ok((name.to_owned(), process))
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            match done() {
                Ok(true) => return Ok(()),
                outcome if begun.elapsed() > PATIENCE => {
                    bail!("waited in vain until {what}: {outcome:?}; {}", self.last_words())
                }
                _ => std::thread::sleep(Duration::from_secs(2)),
            }
        }
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(format!("{name}.log"))).unwrap_or_default()
    }

    fn last_words(&self) -> String {
        let said =
            |(name, _): &(&str, &str)| Some(format!("{name}: {}", self.log(name).lines().last()?.trim()));
        VALIDATORS.iter().chain(&MINERS).filter_map(said).collect::<Vec<_>>().join(" | ")
    }

    fn neurons(&self) -> anyhow::Result<(Vec<Value>, u64)> {
        let state = self.cli.json(&["chain", "metagraph", "--netuid", &self.netuid.to_string()])?;
        let neurons = state["metagraph"]["neurons"].as_array().context("neurons")?.clone();
        let last = &state["schedule"]["last_epoch_block"];
        Ok((neurons, last.as_u64().context("the last epoch's block")?))
    }

    /// The neuron of somebody of ours.
    fn neuron<'n>(neurons: &'n [Value], name: &str) -> anyhow::Result<&'n Value> {
        let hotkey = Keypair::from_uri(&format!("//{name}//hot"))?.hotkey().to_string();
        neurons
            .iter()
            .find(|neuron| neuron["hotkey"] == *hotkey)
            .with_context(|| format!("{name} is missing"))
    }

    fn weights_set(&self) -> anyhow::Result<()> {
        self.until("three validators have weights", || {
            let (neurons, _) = self.neurons()?;
            for (name, _) in VALIDATORS {
                let uid = Self::neuron(&neurons, name)?["uid"].as_u64().context("a uid")?;
                let uid = Uid(u16::try_from(uid)?);
                let weights = self.runtime.block_on(self.chain.chain.weights(self.netuid, MechId(0), uid))?;
                if weights.is_empty() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// The block of the epoch that paid.
    fn paid(&self) -> anyhow::Result<u64> {
        let before = self.neurons()?.1;
        self.until("the next epoch has run", || Ok(self.neurons()?.1 > before))?;
        let (neurons, block) = self.neurons()?;
        for (name, model) in MINERS {
            let incentive = Self::neuron(&neurons, name)?["incentive"].as_u64().context("an incentive")?;
            say(&format!("        {name} ({model}): incentive {incentive}"));
            ensure!((incentive > 0) == (model == "digits-reference"), "{name} has incentive {incentive}");
        }
        for (name, _) in VALIDATORS {
            let trust = Self::neuron(&neurons, name)?["validator_trust"].as_u64().context("vtrust")?;
            ensure!(trust > 60_000, "{name} has vtrust {trust}");
        }
        Ok(block)
    }

    fn verified(&self, block: u64) -> anyhow::Result<()> {
        let (netuid, block) = (self.netuid.to_string(), block.to_string());
        let check = self.cli.json(&["chain", "verify-epoch", "--netuid", &netuid, "--block", &block])?;
        say(&format!("        {} figures of {} neurons compared", check["compared"], check["neurons"]));
        ensure!(check["differences"].as_array().is_some_and(Vec::is_empty), "{}", check["differences"]);
        ensure!(check["compared"].as_u64() > Some(50), "{check}");
        Ok(())
    }

    fn hidden(&self) -> anyhow::Result<()> {
        self.runtime.block_on(self.chain.commit_reveal(true))?;
        self.until("each validator has revealed what it had committed", || {
            Ok(VALIDATORS.iter().all(|(name, _)| {
                let log = self.log(name);
                let (_, after) = log.split_once("weights committed").unwrap_or_default();
                after.contains("weights published")
            }))
        })
    }
}

fn ended(processes: Vec<(String, Running)>) -> anyhow::Result<()> {
    for (name, mut running) in processes {
        ensure!(running.0.try_wait()?.is_none(), "{name} is gone");
        let asked = std::process::Command::new("kill").arg(running.0.id().to_string()).status()?;
        ensure!(asked.success(), "{name} can't be asked");
        let begun = Instant::now();
        let code = loop {
            match running.0.try_wait()? {
                Some(status) => break status,
                None if begun.elapsed() > Duration::from_secs(30) => bail!("{name} does not end"),
                None => std::thread::sleep(Duration::from_millis(100)),
            }
        };
        ensure!(code.success(), "{name} ended with {code}");
    }
    Ok(())
}
