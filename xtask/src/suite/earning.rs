//! A subnet of one miner and one validator, each a process of its own: what the miner earns, and for what.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use tempfile::TempDir;
use weighhouse_types::{Record, VerdictRecord};

use super::interop::{Cli, free_ports, until, until_within};
use super::{Running, last_lines};

/// Deadline of one answer, on a busy machine.
const DEADLINE: &str = "60s";
/// A free port: by default, roles on one machine would want the same.
const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n\n";
/// Lines of a log that are shown where something went wrong.
const SHOWN_LINES: usize = 3;

/// What the miner serves and the validator asks for.
pub(super) struct Terms<'a> {
    /// Keys of the miner's `[[model]]`, besides name and kind.
    pub(super) model: &'a str,
    /// Keys of the validator's `[task]`.
    pub(super) task: &'a str,
    /// Rounds in an epoch of ten seconds.
    pub(super) rounds: u32,
}

/// The running processes; they end when it is dropped.
pub(super) struct Subnet {
    binary: PathBuf,
    chain: String,
    miner: Value,
    /// Those that earn or judge, by the name of their log.
    roles: Vec<(&'static str, Running)>,
    _chain: Running,
    dir: TempDir,
}

impl Subnet {
    pub(super) fn start(binary: &Path, terms: &Terms<'_>) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let ports = free_ports()?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let chain = format!("http://{}", at(ports[0]));
        let cli = Cli { binary, dir: dir.path(), chain: chain.clone() };
        let serving = serve_chain(&cli, &at(ports[0]))?;
        let miner = cli.json(&["chain", "register", "--wallet", "miner"])?["uid"].clone();
        cli.json(&["chain", "register", "--wallet", "validator"])?;
        cli.json(&["chain", "stake", "--wallet", "validator", "--amount", "500"])?;
        let (address, state) = (at(ports[1]), dir.path().join("miner-state"));
        let served = format!(
            "{}{METRICS}[serve]\nlisten = \"{address}\"\n\n[state]\ndir = {state:?}\n\n[[model]]\nname = \"language\"\n\
             kind = \"text\"\n{}",
            key(&cli, "miner"),
            terms.model
        );
        std::fs::write(dir.path().join("miner.toml"), served)?;
        let mut roles = vec![("miner", cli.spawn("miner", &["miner", "--config", "miner.toml"])?)];
        let asking = format!(
            "{}{METRICS}[task]\n{}\n[rounds]\nper_epoch = {}\ndeadline = \"{DEADLINE}\"\n\n[journal]\ndir = {:?}\n",
            key(&cli, "validator"),
            terms.task,
            terms.rounds,
            dir.path().join("journal")
        );
        std::fs::write(dir.path().join("validator.toml"), asking)?;
        roles.push(("validator", cli.spawn("validator", &["validator", "--config", "validator.toml"])?));
        Ok(Self { binary: binary.to_owned(), chain, miner, roles, _chain: serving, dir })
    }

    /// Waits until the miner has an incentive.
    pub(super) fn earns(&self) -> anyhow::Result<()> {
        until("the miner earns", || Ok(self.incentive()? > 0)).with_context(|| self.last_lines())
    }

    /// The miner's incentive now.
    pub(super) fn incentive(&self) -> anyhow::Result<u64> {
        let cli = Cli { binary: &self.binary, dir: self.dir.path(), chain: self.chain.clone() };
        let state = cli.json(&["chain", "metagraph"])?;
        let neurons = state["metagraph"]["neurons"].as_array().context("neurons")?;
        let miner = neurons.iter().find(|neuron| neuron["uid"] == self.miner).context("the miner")?;
        Ok(miner["incentive"].as_u64().unwrap_or(0))
    }

    /// Waits until so many of the miner's answers were judged, and gives the verdicts.
    pub(super) fn verdicts(
        &mut self,
        count: usize,
        patience: Duration,
    ) -> anyhow::Result<Vec<VerdictRecord>> {
        let (mut verdicts, mut ended) = (Vec::new(), None);
        let waited = until_within(patience, "enough answers were judged", || {
            ended = self.ended()?;
            verdicts = self.judged()?;
            Ok(verdicts.len() >= count || ended.is_some())
        });
        let found = verdicts.len();
        let ended = ended.map_or(Ok(()), |role| Err(anyhow!("the {role} ended")));
        waited.and(ended).with_context(|| format!("{found} verdicts | {}", self.last_lines()))?;
        Ok(verdicts)
    }

    /// The role whose process isn't there any more.
    fn ended(&mut self) -> anyhow::Result<Option<&'static str>> {
        for (name, role) in &mut self.roles {
            if role.0.try_wait()?.is_some() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn judged(&self) -> anyhow::Result<Vec<VerdictRecord>> {
        let mut verdicts = Vec::new();
        for (_, file) in weighhouse_journal::segments(&self.dir.path().join("journal"))? {
            let records = weighhouse_journal::read_segment(&file)?;
            verdicts.extend(records.into_iter().filter_map(|record| match record {
                Record::Judged(verdict) if self.miner == u64::from(verdict.uid.0) => Some(verdict),
                _ => None,
            }));
        }
        Ok(verdicts)
    }

    /// What a role has logged.
    pub(super) fn log(&self, role: &str) -> String {
        std::fs::read_to_string(self.log_file(role)).unwrap_or_default()
    }

    fn log_file(&self, role: &str) -> PathBuf {
        self.dir.path().join(format!("{role}.log"))
    }

    fn last_lines(&self) -> String {
        let last = |name: &str| format!("{name}: {}", last_lines(&self.log_file(name), SHOWN_LINES));
        self.roles.iter().map(|(name, _)| last(name)).collect::<Vec<_>>().join(" | ")
    }
}

fn serve_chain(cli: &Cli<'_>, listen: &str) -> anyhow::Result<Running> {
    for name in ["owner", "miner", "validator"] {
        cli.json(&["wallet", "create", "--wallet", name, "--no-password"])?;
    }
    let genesis = ["chain", "genesis", "--owner-wallet", "owner", "--block-time", "500ms", "--tempo", "20"];
    let funds = ["--fund", "miner=1000", "--fund", "validator=1000"];
    let genesis = cli.output(cli.command().args(genesis).args(funds))?;
    std::fs::write(cli.dir.join("genesis.toml"), genesis)?;
    let serving = ["chain", "serve", "--genesis", "genesis.toml", "--dir", "chain", "--listen", listen];
    let chain = cli.spawn("chain", &serving)?;
    until("the chain answers", || cli.json(&["chain", "metagraph"]).map(|_| true))?;
    Ok(chain)
}

fn key(cli: &Cli<'_>, name: &str) -> String {
    let wallets = cli.dir.join("wallets");
    format!(
        "[wallet]\npath = {wallets:?}\nname = \"{name}\"\nhotkey = \"default\"\n\n[chain]\nendpoints = [\"{}\"]\n\
         netuid = 1\n\n",
        cli.chain
    )
}

/// Fails where the miner doesn't earn.
pub(super) fn earns(binary: &Path, model: &str, task: &str) -> anyhow::Result<()> {
    let subnet = Subnet::start(binary, &Terms { model, task, rounds: 3 })?;
    subnet.earns()
}

/// The built-in language models as folders.
pub(super) fn builtin(name: &str, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(folder)?;
    let (config, weights) = (format!("{name}.json"), format!("{name}.safetensors"));
    let files =
        [(&*config, "config.json"), ("tokenizer.json", "tokenizer.json"), (&*weights, "model.safetensors")];
    for (from, to) in files {
        std::fs::copy(super::root().join("models/weights/language").join(from), folder.join(to))?;
    }
    Ok(())
}

/// The digest of a model's folder.
pub(super) fn digest(binary: &Path, model: &Path) -> anyhow::Result<String> {
    let model = model.display().to_string();
    let said = std::process::Command::new(binary)
        .args(["model", "generate", &model, "--prompt=x", "--max-tokens=1", "--json"])
        .output()?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).context("the answer")?;
    Ok(said["digest"].as_str().context("a digest")?.to_owned())
}
