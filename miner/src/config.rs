//! The miner's configuration: one TOML file, read once into a type that can't be wrong.
//!
//! An unknown key is refused with the nearest known one. Every key but the wallet's names, the subnet and the models
//! has a default; `deploy/miner.toml` shows them all, and a test keeps it and this file in step.

mod raw;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use weighhouse_models::Builtin;
use weighhouse_types::{Hotkey, Netuid, Rao, config};

pub use raw::{Limits, Metrics, State, Wallet};

/// Built-in models are named after their task first.
const BUILTIN_PREFIX: &str = "digits-";

/// What `weighhouse miner` runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub wallet: Wallet,
    pub chain: ChainConfig,
    pub serve: Serve,
    pub models: Vec<ModelConfig>,
    pub admission: Admission,
    pub limits: Limits,
    pub metrics: Metrics,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    pub endpoint: String,
    pub netuid: Netuid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serve {
    pub listen: SocketAddr,
    /// What the axon says; `None`: the address that was bound.
    pub external: Option<SocketAddr>,
}

/// A model to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    pub name: String,
    pub version: String,
    pub source: ModelSource,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A model that the software carries.
    Builtin(Builtin),
    /// A safetensors file.
    Weights(PathBuf),
}

/// Who may ask, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub permit_required: bool,
    pub stake_min: Rao,
    pub requests_per_second: NonZeroU32,
    pub burst: NonZeroU32,
    pub allow: HashSet<Hotkey>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Text(#[from] config::ConfigError),
    #[error("{key}: {why}")]
    Value { key: &'static str, why: String },
}

impl Config {
    /// Parses and validates the text of a configuration file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let raw: raw::Raw = config::parse(text)?;
        let limits = check_limits(raw.limits)?;
        Ok(Self {
            wallet: raw.wallet,
            chain: ChainConfig { endpoint: raw.chain.endpoint, netuid: Netuid(raw.chain.netuid) },
            serve: Serve { listen: raw.serve.listen, external: raw.serve.external },
            models: check_models(raw.model)?,
            admission: check_admission(raw.admission)?,
            limits,
            metrics: raw.metrics,
            state: raw.state,
        })
    }
}

fn check_models(models: Vec<raw::Model>) -> Result<Vec<ModelConfig>, ConfigError> {
    if models.is_empty() {
        return Err(ConfigError::Value {
            key: "model",
            why: "there is nothing to serve: add a [[model]]".into(),
        });
    }
    let mut names = HashSet::new();
    let mut checked = Vec::with_capacity(models.len());
    for model in models {
        let source = match (model.builtin, model.weights) {
            (Some(builtin), None) => ModelSource::Builtin(parse_builtin(&builtin)?),
            (None, Some(path)) => ModelSource::Weights(path),
            (Some(_), Some(_)) | (None, None) => {
                let why = format!("{:?} needs either `builtin` or `weights`", model.name);
                return Err(ConfigError::Value { key: "model", why });
            }
        };
        if !names.insert(model.name.clone()) {
            return Err(ConfigError::Value {
                key: "model.name",
                why: format!("{:?} comes twice", model.name),
            });
        }
        checked.push(ModelConfig { name: model.name, version: model.version, source });
    }
    Ok(checked)
}

fn parse_builtin(name: &str) -> Result<Builtin, ConfigError> {
    let known = |builtin: &Builtin| format!("{BUILTIN_PREFIX}{builtin}");
    Builtin::ALL.into_iter().find(|builtin| known(builtin) == name).ok_or_else(|| {
        let names: Vec<_> = Builtin::ALL.iter().map(known).collect();
        ConfigError::Value {
            key: "model.builtin",
            why: format!("no {name:?}: there are {}", names.join(", ")),
        }
    })
}

fn check_admission(admission: raw::Admission) -> Result<Admission, ConfigError> {
    let positive = |key, value| {
        NonZeroU32::new(value)
            .ok_or_else(|| ConfigError::Value { key, why: "0 would refuse everybody".into() })
    };
    Ok(Admission {
        permit_required: admission.permit_required,
        stake_min: Rao::from_tao(admission.stake_min_tao),
        requests_per_second: positive("admission.requests_per_second", admission.requests_per_second)?,
        burst: positive("admission.burst", admission.burst)?,
        allow: admission.allow.into_iter().collect(),
    })
}

fn check_limits(limits: Limits) -> Result<Limits, ConfigError> {
    let counts = [
        ("limits.request_bytes_max", limits.request_bytes_max),
        ("limits.held_bytes_max", limits.held_bytes_max),
        ("limits.items_max", limits.items_max as usize),
        ("limits.queue_max", limits.queue_max),
        ("limits.batch_items_max", limits.batch_items_max as usize),
        ("limits.in_flight_max", limits.in_flight_max),
        ("limits.connections_max", limits.connections_max),
        ("limits.connections_per_address_max", limits.connections_per_address_max),
        ("limits.streams_per_connection_max", limits.streams_per_connection_max as usize),
        ("limits.header_bytes_max", limits.header_bytes_max as usize),
    ];
    let times = [
        ("limits.request_timeout", limits.request_timeout),
        ("limits.handshake_timeout", limits.handshake_timeout),
        ("limits.keepalive_interval", limits.keepalive_interval),
        ("limits.keepalive_timeout", limits.keepalive_timeout),
        ("limits.connection_age_max", limits.connection_age_max),
        ("limits.drain_timeout", limits.drain_timeout),
        ("limits.chain_timeout", limits.chain_timeout),
    ];
    let zero_count = counts.into_iter().find(|(_, value)| *value == 0).map(|(key, _)| key);
    let zero_time = times.into_iter().find(|(_, value)| value.is_zero()).map(|(key, _)| key);
    if let Some(key) = zero_count.or(zero_time) {
        return Err(ConfigError::Value { key, why: "must be more than 0".into() });
    }
    if limits.batch_items_max < limits.items_max {
        let why = format!("is below items_max ({}): such a request would never run", limits.items_max);
        return Err(ConfigError::Value { key: "limits.batch_items_max", why });
    }
    Ok(limits)
}

#[cfg(test)]
mod tests;
