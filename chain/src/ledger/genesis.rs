//! `genesis.toml`: the state that a chain starts from. Its digest is the chain's name to everyone who signs for it.

use std::time::Duration;

use parity_scale_codec::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weighhouse_types::config::{self, ConfigError};
use weighhouse_types::{Coldkey, Digest, Hasher, Hotkey, Hyperparameters, Netuid, Rao, tao};

use crate::Refusal;

mod check;
mod outdated;

const DOMAIN: &str = "weighhouse/genesis/v1";

/// Cause of the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum BlockTime {
    /// Only when the process that holds the ledger asks for one.
    #[codec(index = 0)]
    OnDemand,
    /// A fixed time after the one before.
    #[codec(index = 1)]
    Every { millis: u64 },
}

impl BlockTime {
    pub fn period(self) -> Option<Duration> {
        match self {
            Self::OnDemand => None,
            Self::Every { millis } => Some(Duration::from_millis(millis)),
        }
    }
}

/// The file as it is written: keys as ss58, amounts in TAO.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GenesisFile {
    pub name: String,
    /// `"12s"`, `"250ms"`, or `"on-demand"`.
    #[schemars(with = "String")]
    pub block_time: BlockTime,
    /// Seed of the beacons; drawn at random and kept in the database when absent. Whoever reads it here knows
    /// every beacon to come: set it only where a run must be repeatable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beacon_seed: Option<Digest>,
    #[serde(default)]
    pub accounts: Vec<AccountEntry>,
    pub subnets: Vec<SubnetEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    pub coldkey: Coldkey,
    #[serde(rename = "balance_tao", with = "tao")]
    #[schemars(with = "f64")]
    pub balance: Rao,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubnetEntry {
    pub netuid: Netuid,
    /// Sets hyperparameters.
    pub owner_coldkey: Coldkey,
    /// Receives the owner's cut as stake; its neuron, if it registers, is never pruned.
    pub owner_hotkey: Hotkey,
    #[serde(rename = "emission_per_block_tao", with = "tao")]
    #[schemars(with = "f64")]
    pub emission_per_block: Rao,
    /// Price of the first registration.
    #[serde(rename = "registration_price_tao", default = "default_registration_price", with = "tao")]
    #[schemars(with = "f64")]
    pub registration_price: Rao,
    #[serde(default)]
    pub hyperparameters: Hyperparameters,
    /// Registered from the start; position is the uid.
    #[serde(default)]
    pub neurons: Vec<NeuronEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeuronEntry {
    pub hotkey: Hotkey,
    pub coldkey: Coldkey,
    #[serde(rename = "stake_tao", default, with = "tao")]
    #[schemars(with = "f64")]
    pub stake: Rao,
    /// Until the first epoch grants permits by stake.
    #[serde(default)]
    pub validator_permit: bool,
}

/// The chain's initial burn price.
fn default_registration_price() -> Rao {
    Rao(100_000_000)
}

/// A genesis that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    file: GenesisFile,
    hash: Digest,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    #[error(transparent)]
    Text(#[from] ConfigError),
    #[error("{field} {why}")]
    Value { field: &'static str, why: String },
    #[error("subnet {netuid}: {refusal}")]
    Hyperparameters { netuid: Netuid, refusal: Refusal },
    #[error("subnet {netuid}: {why}")]
    Subnet { netuid: Netuid, why: String },
}

impl Genesis {
    pub fn new(file: GenesisFile) -> Result<Self, GenesisError> {
        check::check(&file)?;
        let hash = Hasher::new(DOMAIN).part(&file.encode()).finish();
        Ok(Self { file, hash })
    }

    /// Reads a `genesis.toml`. Old keys, which name no unit and count rao, are read too, with a warning.
    pub fn parse(text: &str) -> Result<Self, GenesisError> {
        let mut table: toml::Table = config::parse(text)?;
        let old = outdated::rename(&mut table);
        if old.is_empty() {
            // The text once more and not the table: errors then name line and column.
            return Self::new(config::parse(text)?);
        }
        tracing::warn!(keys = ?old, "old spellings in the genesis file: amounts are in TAO now, as in `balance_tao = 1.5`");
        Self::new(config::parse(&table.to_string())?)
    }

    /// The JSON Schema of the file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(GenesisFile)
    }

    pub fn file(&self) -> &GenesisFile {
        &self.file
    }

    pub fn hash(&self) -> Digest {
        self.hash
    }
}

const ON_DEMAND: &str = "on-demand";

impl Serialize for BlockTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.period() {
            None => serializer.serialize_str(ON_DEMAND),
            Some(period) => humantime_serde::serialize(&period, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for BlockTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == ON_DEMAND {
            return Ok(Self::OnDemand);
        }
        let invalid = || {
            serde::de::Error::custom(format!("block_time is {text:?}, not like \"12s\" or \"{ON_DEMAND}\""))
        };
        let period = humantime_serde::re::humantime::parse_duration(&text).map_err(|_| invalid())?;
        Ok(Self::Every { millis: u64::try_from(period.as_millis()).map_err(|_| invalid())? })
    }
}

#[cfg(test)]
mod tests;
