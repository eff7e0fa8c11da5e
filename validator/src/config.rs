//! `validator.toml`: parsed once, checked once.

mod bundles;
mod chain;
mod journal;
mod size;
mod verdicts;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use weighhouse_ask::judges::JudgeAddress;
use weighhouse_chain::address::ChainAddress;
use weighhouse_seams::DialMap;
use weighhouse_types::notify::NotifySection;
use weighhouse_types::{Digest, MechId, Netuid, address, config};

pub use bundles::BundlesSection;
pub use journal::Journal;
pub use size::{ByteSize, ByteSizeError};
pub use verdicts::VerdictsSection;

/// The file of `weighhouse validator --config`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub wallet: WalletSection,
    #[schemars(with = "chain::RawChain")]
    pub chain: ChainSection,
    #[serde(default)]
    pub task: TaskSection,
    #[serde(default)]
    pub policy: PolicySection,
    #[serde(default)]
    pub rounds: Rounds,
    #[serde(default)]
    pub publish: Publish,
    pub journal: Journal,
    #[serde(default)]
    pub verdicts: VerdictsSection,
    #[serde(default)]
    pub bundles: BundlesSection,
    #[serde(default)]
    pub metrics: MetricsSection,
    #[serde(default)]
    pub notify: NotifySection,
}

/// The wallet whose hotkey signs. The coldkey is never opened.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wallet")]
pub struct WalletSection {
    /// The folder of wallets; a leading `~/` is the home folder. When absent: `WEIGHHOUSE_WALLETS` or `BT_WALLET_PATH`
    /// of the environment, else `~/.bittensor/wallets`.
    pub path: Option<PathBuf>,
    /// The wallet's name.
    pub name: String,
    /// The hotkey's name within the wallet.
    pub hotkey: String,
    /// The file with the hotkey's password, where it is encrypted. When absent: the systemd credential `hotkey-password`,
    /// `/run/secrets/hotkey-password`, or Bittensor's variable `BT_PW_` and the keyfile's path.
    pub password_file: Option<PathBuf>,
}

/// The chain that the weights are published on.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "chain::RawChain")]
pub struct ChainSection {
    pub address: ChainAddress,
    /// The genesis hash to insist on; the first one seen is taken when absent.
    pub genesis: Option<Digest>,
    pub netuid: Netuid,
    pub mechanism: MechId,
    pub dial: DialMap,
    /// Whether axons at addresses that nobody outside can have are dialled.
    pub dial_private: bool,
    /// Old spellings in the file, each with the new one.
    pub outdated: Vec<String>,
}

/// The task that miners are asked to do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Task")]
pub struct TaskSection {
    /// A task file, or the name of one that is built in: `digits-conformance`, `digits-quality`,
    /// `generate`, `generate-greedy`, `embed`.
    pub file: String,
    /// The reference: a classifier's weights (safetensors), or for texts a model's folder or its `OWNER/NAME` on the
    /// Hugging Face hub; or the name of a built-in model: `digits-reference`, `language-reference`.
    pub reference: String,
    /// Device that computes a text reference: `cpu`, `auto`, `cuda`, `cuda:1`, `wgpu`, `wgpu:1`. Accelerators are less exact than
    /// the processor: calibrate the task with honest miners on it first.
    #[serde(default = "default_device")]
    pub device: String,
    /// Addresses of judges that run the files which a `judge` task pins: `127.0.0.1:PORT`, `unix:/PATH`, or
    /// `https://HOST:PORT` of one that somebody else may run. They share a round's work.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub judges: Vec<JudgeAddress>,
    /// Server that runs the reference of a `generate` task of greedy completions; the validator itself when absent.
    pub server: Option<Server>,
}

/// An OpenAI-compatible server that echoes a prompt with its log-probabilities.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its address, `http://HOST:PORT`.
    pub url: String,
    /// The name under which it has the model.
    pub model: String,
    /// A file with the server's API key, where it wants one.
    pub key_file: Option<PathBuf>,
    /// For one completion.
    #[serde(default = "default_patience", with = "humantime_serde")]
    #[schemars(with = "String")]
    pub deadline: Duration,
}

fn default_device() -> String {
    "cpu".to_owned()
}

fn default_patience() -> Duration {
    Duration::from_secs(30)
}

impl Server {
    /// The address as one; checked when the file was read.
    pub fn uri(&self) -> Option<http::Uri> {
        let url: http::Uri = self.url.parse().ok()?;
        let plain = url.scheme_str() == Some("http") && url.host().is_some_and(|host| !host.is_empty());
        plain.then_some(url)
    }
}

impl Default for TaskSection {
    fn default() -> Self {
        Self {
            file: "digits-conformance".into(),
            reference: "digits-reference".into(),
            device: default_device(),
            judges: Vec::new(),
            server: None,
        }
    }
}

/// The policy by which judgements become weights.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Policy")]
pub struct PolicySection {
    /// A policy file; the built-in default when absent.
    pub file: Option<PathBuf>,
    /// A folder watched for a new policy (`policy.toml`) and its owner-signed roll-out (`rollout.toml`).
    pub staged: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rounds {
    /// Rounds of asking per epoch, spread evenly.
    pub per_epoch: u32,
    /// From sending a request to the last byte of its answer. Connections are made before, within a second.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub deadline: Duration,
    /// Miners asked at once: a subnet's miners, so that nobody is asked after another was heard. Each takes a file descriptor.
    pub in_flight_max: usize,
    /// The largest framed answer that is read.
    pub answer_bytes_max: usize,
    /// Whether a small miner of the validator's own, on a loopback port, is asked with every round: a round in which it fails or is late
    /// is void, for trouble of this machine is no miner's fault.
    pub canary: bool,
}

impl Rounds {
    /// Rounds of an epoch where a configuration doesn't say it.
    pub const PER_EPOCH: u32 = 12;
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            per_epoch: Self::PER_EPOCH,
            deadline: Duration::from_secs(5),
            in_flight_max: 256,
            answer_bytes_max: 1 << 20,
            canary: true,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// Weights are published this many blocks before the epoch ends.
    pub margin_blocks: u64,
}

impl Default for Publish {
    fn default() -> Self {
        Self { margin_blocks: 4 }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Metrics")]
pub struct MetricsSection {
    /// Address that Prometheus scrapes; nothing is served when absent.
    #[serde(deserialize_with = "address::deserialize_optional")]
    pub listen: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Text(#[from] config::ConfigError),
    #[error("{key} {why}")]
    Value { key: &'static str, why: &'static str },
}

impl Config {
    /// The JSON Schema of the file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Config)
    }

    /// Reads the file's text and checks every value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = config::parse(text)?;
        let refuse = |key, why| Err(Error::Value { key, why });
        if config.rounds.per_epoch == 0 {
            return refuse("rounds.per_epoch", "must be at least 1");
        }
        if config.rounds.deadline.is_zero() {
            return refuse("rounds.deadline", "must be longer than zero");
        }
        if config.rounds.in_flight_max == 0 {
            return refuse("rounds.in_flight_max", "must be at least 1");
        }
        if config.rounds.answer_bytes_max < 1024 {
            return refuse("rounds.answer_bytes_max", "must be at least 1024");
        }
        if let Some(server) = &config.task.server {
            if server.uri().is_none() {
                return refuse("task.server.url", "must be http://HOST:PORT");
            }
            if server.deadline.is_zero() {
                return refuse("task.server.deadline", "must be longer than zero");
            }
        }
        let faults = [config.verdicts.fault(), config.bundles.fault(), config.journal.fault(&config.bundles)];
        if let Some((key, why)) = faults.into_iter().flatten().next() {
            return refuse(key, why);
        }
        if config.publish.margin_blocks < 2 {
            return refuse(
                "publish.margin_blocks",
                "must be at least 2: one block to include, one to confirm",
            );
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
