//! The file's shape, as written.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_chain::address::EndpointList;
use weighhouse_types::notify::NotifySection;
use weighhouse_types::{Hotkey, address};

use super::limits::{MinerLimits, Text};
use super::model::ModelTable;

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Raw")]
pub(super) struct RawMiner {
    pub(super) wallet: WalletSection,
    pub(super) chain: ChainSection,
    #[serde(default)]
    pub(super) serve: ServeSection,
    #[serde(default)]
    pub(super) admission: AdmissionSection,
    #[serde(default)]
    pub(super) limits: MinerLimits,
    #[serde(default)]
    pub(super) text: Text,
    #[serde(default)]
    pub(super) metrics: MetricsSection,
    #[serde(default)]
    pub(super) notify: NotifySection,
    #[serde(default)]
    pub(super) state: StateSection,
    #[serde(default)]
    pub(super) identity: Vec<IdentityTable>,
    #[serde(default)]
    pub(super) model: Vec<ModelTable>,
}

/// Which hotkey signs the answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
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

/// The chain that pays.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Chain")]
pub(super) struct ChainSection {
    /// The network's name: `finney`, `archive`, `test` or `local` of subtensor, or `ledger`; with `endpoints` alone,
    /// whatever answers there.
    pub(super) network: Option<String>,
    /// Its addresses: a served ledger's `http://` address, or `ws://` and `wss://` addresses of a subtensor network,
    /// which are all asked and must agree. The network's own when absent.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) endpoints: Option<EndpointList>,
    /// The old spelling of both.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    pub(super) endpoint: Option<String>,
    /// The subnet to serve in.
    pub(super) netuid: u16,
}

/// The address at which requests come in.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Serve")]
pub(super) struct ServeSection {
    /// The address to listen on.
    #[serde(deserialize_with = "address::deserialize")]
    pub(super) listen: SocketAddr,
    /// The address to publish as the axon, where it differs from the one listened on.
    #[serde(deserialize_with = "address::deserialize_optional")]
    pub(super) external: Option<SocketAddr>,
    /// Whether connections are encrypted, by a key that is published with the axon.
    pub(super) tls: Tls,
}

/// Another hotkey that answers with the same models, at an address of its own.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Identity")]
pub(super) struct IdentityTable {
    /// The hotkey's name within its wallet.
    pub(super) hotkey: String,
    /// The wallet's name; absent: that of `[wallet]`.
    pub(super) wallet: Option<String>,
    /// The file with the hotkey's password, where it is encrypted; absent: found as that of `[wallet]` is.
    pub(super) password_file: Option<PathBuf>,
    /// The subnet to serve in; absent: that of `[chain]`.
    pub(super) netuid: Option<u16>,
    /// The address to listen on.
    #[serde(deserialize_with = "address::deserialize")]
    pub(super) listen: SocketAddr,
    /// The address to publish as the axon, where it differs from the one listened on.
    #[serde(default, deserialize_with = "address::deserialize_optional")]
    pub(super) external: Option<SocketAddr>,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// By whoever asks for it, as validators do that read the key on the chain; plaintext is served as well.
    #[default]
    Offered,
    /// All of them; plaintext is cut.
    Required,
    /// None.
    Off,
}

/// The callers that may ask, and how often.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Admission")]
pub(super) struct AdmissionSection {
    /// Refuses callers without a validator permit.
    pub(super) permit_required: bool,
    /// The least stake of a caller, in TAO.
    pub(super) stake_min_tao: u64,
    /// Requests per second of one hotkey, in the long run.
    pub(super) requests_per_second: u32,
    /// Requests that one hotkey may send at once.
    pub(super) burst: u32,
    /// Hotkeys that are admitted whatever their standing.
    pub(super) allow: Vec<Hotkey>,
}

/// The address at which metrics are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Metrics")]
pub struct MetricsSection {
    /// The address that serves Prometheus metrics; absent: none.
    #[serde(deserialize_with = "address::deserialize_optional")]
    pub listen: Option<SocketAddr>,
}

/// The folder of state that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "State")]
pub struct StateSection {
    /// The folder of the replay guard's high-water mark and the keys of TLS.
    pub dir: PathBuf,
}

impl Default for ServeSection {
    fn default() -> Self {
        // Bittensor's own default port for an axon.
        Self { listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8091)), external: None, tls: Tls::default() }
    }
}

impl Default for AdmissionSection {
    fn default() -> Self {
        Self {
            permit_required: true,
            stake_min_tao: 0,
            requests_per_second: 20,
            burst: 100,
            allow: Vec::new(),
        }
    }
}

impl Default for MetricsSection {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9191))) }
    }
}

impl Default for StateSection {
    fn default() -> Self {
        Self { dir: PathBuf::from("miner-state") }
    }
}
