//! The file's shape, as written.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_chain::address::EndpointList;
use weighhouse_types::{Digest, Hotkey};

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) wallet: Wallet,
    pub(super) chain: Chain,
    #[serde(default)]
    pub(super) serve: Serve,
    #[serde(default)]
    pub(super) admission: Admission,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) text: Text,
    #[serde(default)]
    pub(super) metrics: Metrics,
    #[serde(default)]
    pub(super) state: State,
    #[serde(default)]
    pub(super) model: Vec<Model>,
}

/// Which hotkey signs the answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    /// The folder of wallets; a leading `~/` is the home folder.
    #[serde(default = "default_wallet_path")]
    pub path: PathBuf,
    /// The wallet's name.
    pub name: String,
    /// The hotkey's name within the wallet.
    pub hotkey: String,
}

/// The chain that pays.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chain {
    /// The network's name: `finney`, `test` or `local` of subtensor, or `ledger`; with `endpoints` alone, whatever answers
    /// there.
    pub(super) network: Option<String>,
    /// Where it is reached: a served ledger's `http://` address, or `ws://` and `wss://` addresses of a subtensor network,
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

/// Where requests come in.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Serve {
    /// The address to listen on.
    pub(super) listen: SocketAddr,
    /// The address to publish as the axon, where it differs from the one listened on.
    pub(super) external: Option<SocketAddr>,
}

/// Who may ask, and how often.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Admission {
    /// Whether a caller needs a validator permit.
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

/// The bounds of every buffer, queue and wait.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one request's body.
    pub request_bytes_max: usize,
    /// Bytes of all requests being worked on.
    pub held_bytes_max: usize,
    /// Items in one request.
    pub items_max: u32,
    /// Requests waiting for the model.
    pub queue_max: usize,
    /// Items that the model runs at once.
    pub batch_items_max: u32,
    /// Requests being worked on, over all connections.
    pub in_flight_max: usize,
    /// Connections in all.
    pub connections_max: usize,
    /// Connections of one IPv4 address or IPv6 /64 network.
    pub connections_per_address_max: usize,
    /// Requests at once on one connection.
    pub streams_per_connection_max: u32,
    /// Bytes of one request's headers.
    pub header_bytes_max: u32,
    /// How long one request may take, its body's arrival included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// How long a new connection has to say that it speaks HTTP/2.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub handshake_timeout: Duration,
    /// How often a silent connection is asked for a sign of life.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keepalive_interval: Duration,
    /// How long that sign may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub keepalive_timeout: Duration,
    /// When a connection is asked to close; it is cut after a request's or stream's timeout more.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connection_age_max: Duration,
    /// How long requests in flight have to finish at shutdown.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub drain_timeout: Duration,
    /// How long one question to the chain may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub chain_timeout: Duration,
}

/// Text models: what one generation may ask for, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Text {
    /// Tokens that one request may have generated.
    pub max_tokens: u32,
    /// Bytes of one prompt, or of all texts to embed in one request.
    pub prompt_bytes_max: usize,
    /// Tokens of one prompt that comes as ids.
    pub prompt_tokens_max: usize,
    /// How long the first token may take, its turn and the prompt included.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub first_token_timeout: Duration,
    /// How long each further token may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub token_timeout: Duration,
    /// How long one generation may take in all.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub stream_timeout: Duration,
    /// How long connecting to a backend may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// Generations that one of our own models runs at once; more wait, up to `limits.queue_max`.
    pub sequences_max: usize,
    /// Tokens of prompts and answers that one of our own models keeps in its cache, over all generations.
    pub cache_tokens_max: usize,
}

/// Where metrics are read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// The address that serves Prometheus metrics; absent: none.
    pub listen: Option<SocketAddr>,
}

/// Where the miner keeps what it must not forget.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct State {
    /// The folder of the replay guard's high-water mark.
    pub dir: PathBuf,
}

/// A model to serve.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Model {
    /// What callers ask for.
    pub(super) name: String,
    /// Shown to callers.
    #[serde(default = "default_version")]
    pub(super) version: String,
    /// What it does: `classifier`, `text` (continues a text) or `embed` (maps texts to vectors).
    #[serde(default)]
    pub(super) kind: Kind,
    /// What runs it: `burn` (the miner itself), or for text `openai` or `oip` (a server that the miner fronts).
    #[serde(default)]
    pub(super) backend: Backend,
    /// A model that the software carries: `digits-reference`, `digits-better` or `digits-weak`, or for text
    /// `language-reference` or `language-weak`.
    pub(super) builtin: Option<String>,
    /// A classifier's safetensors file.
    pub(super) weights: Option<PathBuf>,
    /// A folder with `config.json`, `model.safetensors` (or its shards) and `tokenizer.json`, for text or embed; or
    /// `OWNER/NAME` of a model on the Hugging Face hub, `@REVISION` behind it if wanted.
    pub(super) path: Option<PathBuf>,
    /// What one of our own text or embedding models is computed on: `auto` (an accelerator where there is one), `cpu`,
    /// `cuda`, `cuda:1`, `wgpu`, `wgpu:1`. A build has `cuda` and `wgpu` if it was made with those features.
    pub(super) device: Option<String>,
    /// The backend's address, `http://HOST:PORT`.
    pub(super) url: Option<String>,
    /// What the backend calls the model.
    pub(super) model: Option<String>,
    /// A file with the backend's API key, where it wants one (`openai` only).
    pub(super) key_file: Option<PathBuf>,
    /// The digest of the backend's weights, which answers are signed with; absent: one of the backend's model name.
    pub(super) digest: Option<Digest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Classifier,
    Text,
    Embed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Backend {
    #[default]
    Burn,
    OpenAi,
    Oip,
}

fn default_wallet_path() -> PathBuf {
    PathBuf::from("~/.bittensor/wallets")
}

fn default_version() -> String {
    "1".to_owned()
}

impl Default for Serve {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8091)), external: None }
    }
}

impl Default for Admission {
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes_max: 1 << 20,
            held_bytes_max: 64 << 20,
            items_max: 256,
            queue_max: 256,
            batch_items_max: 512,
            in_flight_max: 256,
            connections_max: 1024,
            connections_per_address_max: 16,
            streams_per_connection_max: 64,
            header_bytes_max: 16 << 10,
            request_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            connection_age_max: Duration::from_secs(300),
            drain_timeout: Duration::from_secs(10),
            chain_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self {
            max_tokens: 1024,
            prompt_bytes_max: 64 << 10,
            prompt_tokens_max: 16 << 10,
            first_token_timeout: Duration::from_secs(30),
            token_timeout: Duration::from_secs(10),
            stream_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(2),
            sequences_max: 16,
            cache_tokens_max: 64 << 10,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9191))) }
    }
}

impl Default for State {
    fn default() -> Self {
        Self { dir: PathBuf::from("miner-state") }
    }
}
