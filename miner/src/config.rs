//! The miner's configuration: one TOML file, read once into a type that can't be wrong.
//!
//! An unknown key is refused with the nearest known one. Every key but the wallet's names, the subnet and the models
//! has a default; `deploy/miner.toml` shows them all, and a test keeps it and this file in step.

pub(crate) mod error;
mod identity;
pub(crate) mod limits;
pub(crate) mod model;
mod raw;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use weighhouse_chain::address::{ChainAddress, ChainKeys};
use weighhouse_types::notify::NotifySection;
use weighhouse_types::{Hotkey, Netuid, Rao, config};

use self::identity::Identity;
use crate::sources::{self, ModelConfig};

pub use error::ConfigError;
pub use limits::{MinerLimits, Text};
pub use raw::{MetricsSection, StateSection, Tls, WalletSection};

/// The configuration of `weighhouse miner`.
#[derive(Clone, Debug)]
pub struct Config {
    pub wallet: WalletSection,
    pub chain: ChainConfig,
    pub serve: Serve,
    pub models: Vec<ModelConfig>,
    pub admission: Admission,
    pub limits: MinerLimits,
    pub text: Text,
    pub metrics: MetricsSection,
    pub notify: NotifySection,
    pub state: StateSection,
    /// The hotkeys besides that of `wallet`.
    others: Vec<Identity>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    pub address: ChainAddress,
    pub netuid: Netuid,
    /// Old spellings in the file, each with the new one.
    pub outdated: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serve {
    pub listen: SocketAddr,
    /// Address in the axon; `None`: the one that was bound.
    pub external: Option<SocketAddr>,
    pub tls: Tls,
}

/// The callers that may ask, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub permit_required: bool,
    pub stake_min: Rao,
    pub requests_per_second: NonZeroU32,
    pub burst: NonZeroU32,
    pub allow: HashSet<Hotkey>,
}

impl Config {
    /// The JSON Schema of the file.
    pub fn schema() -> schemars::Schema {
        let mut schema = schemars::schema_for!(raw::RawMiner);
        for (key, names) in [("kind", sources::kinds()), ("backend", sources::backends())] {
            if let Some(property) = schema.pointer_mut(&format!("/$defs/Model/properties/{key}")) {
                property["enum"] = names.into();
            }
        }
        schema
    }

    /// Parses and validates the text of a configuration file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let raw: raw::RawMiner = config::parse(text)?;
        let limits = check_limits(raw.limits)?;
        let serve = Serve { listen: raw.serve.listen, external: raw.serve.external, tls: raw.serve.tls };
        let others = identity::read(raw.identity, &raw.wallet, serve.listen)?;
        let ports = std::iter::once(serve.listen).chain(others.iter().map(identity::Identity::listen));
        let metrics = raw.metrics.listen.filter(|listen| listen.port() != 0);
        if let Some(listen) = ports.into_iter().find(|listen| Some(*listen) == metrics) {
            let why = format!("{listen} is where requests come in: metrics need a port of their own");
            return Err(ConfigError::Value { key: "metrics.listen", why });
        }
        Ok(Self {
            wallet: raw.wallet,
            chain: check_chain(raw.chain)?,
            serve,
            models: sources::read(raw.model)?,
            admission: check_admission(raw.admission)?,
            limits,
            text: check_text(raw.text)?,
            metrics: raw.metrics,
            notify: raw.notify,
            state: raw.state,
            others,
        })
    }
}

fn check_chain(chain: raw::ChainSection) -> Result<ChainConfig, ConfigError> {
    let raw::ChainSection { network, endpoints, endpoint, netuid } = chain;
    let read = ChainKeys { network, endpoints, endpoint }.read();
    let (address, outdated) =
        read.map_err(|error| ConfigError::Value { key: "chain", why: error.to_string() })?;
    Ok(ChainConfig { address, netuid: Netuid(netuid), outdated })
}

fn check_admission(admission: raw::AdmissionSection) -> Result<Admission, ConfigError> {
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

fn check_limits(limits: MinerLimits) -> Result<MinerLimits, ConfigError> {
    let counts = [
        ("limits.request_bytes_max", limits.request_bytes_max),
        ("limits.held_bytes_max", limits.held_bytes_max),
        ("limits.items_max", limits.items_max as usize),
        ("limits.queue_max", limits.queue_max),
        ("limits.batch_items_max", limits.batch_items_max as usize),
        ("limits.in_flight_max", limits.in_flight_max),
        ("limits.unproven_max", limits.unproven_max),
        ("limits.unproven_per_address_max", limits.unproven_per_address_max),
        ("limits.connections_max", limits.connections_max),
        ("limits.connections_per_address_max", limits.connections_per_address_max),
        ("limits.streams_per_connection_max", limits.streams_per_connection_max as usize),
        ("limits.header_bytes_max", limits.header_bytes_max as usize),
    ];
    let times = [
        ("limits.body_timeout", limits.body_timeout),
        ("limits.request_timeout", limits.request_timeout),
        ("limits.handshake_timeout", limits.handshake_timeout),
        ("limits.keepalive_interval", limits.keepalive_interval),
        ("limits.keepalive_timeout", limits.keepalive_timeout),
        ("limits.connection_age_max", limits.connection_age_max),
        ("limits.drain_timeout", limits.drain_timeout),
        ("limits.chain_timeout", limits.chain_timeout),
    ];
    check_positive(&counts, &times)?;
    if limits.batch_items_max < limits.items_max {
        let why = format!("is below items_max ({}): such a request would never run", limits.items_max);
        return Err(ConfigError::Value { key: "limits.batch_items_max", why });
    }
    Ok(limits)
}

fn check_text(text: Text) -> Result<Text, ConfigError> {
    let counts = [
        ("text.max_tokens", text.max_tokens as usize),
        ("text.prompt_bytes_max", text.prompt_bytes_max),
        ("text.prompt_tokens_max", text.prompt_tokens_max),
        ("text.sequences_max", text.sequences_max),
        ("text.cache_tokens_max", text.cache_tokens_max),
    ];
    let times = [
        ("text.first_token_timeout", text.first_token_timeout),
        ("text.token_timeout", text.token_timeout),
        ("text.stream_timeout", text.stream_timeout),
        ("text.connect_timeout", text.connect_timeout),
        ("text.silence_timeout", text.silence_timeout),
    ];
    check_positive(&counts, &times)?;
    Ok(text)
}

fn check_positive(
    counts: &[(&'static str, usize)],
    times: &[(&'static str, Duration)],
) -> Result<(), ConfigError> {
    let zero_count = counts.iter().find(|(_, value)| *value == 0).map(|(key, _)| *key);
    let zero_time = times.iter().find(|(_, value)| value.is_zero()).map(|(key, _)| *key);
    match zero_count.or(zero_time) {
        Some(key) => Err(ConfigError::Value { key, why: "must be more than 0".into() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
