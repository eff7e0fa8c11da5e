//! Refusals of scenarios and strategies, and the limit that they name.

use weighhouse_types::profile::ProfileError;

use crate::work::Stopped;

/// Most groups of miners, and of validators.
pub const GROUPS_MAX: usize = 64;
/// Most worlds that one comparison is repeated in.
pub const SEEDS_MAX: usize = 10_000;

/// Refusal of a scenario that can't be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScenarioError {
    #[error("{0}")]
    Profile(#[from] ProfileError),
    #[error("`{key}` is {found}, it must lie between {least} and {most}")]
    Range { key: &'static str, found: f64, least: f64, most: f64 },
    #[error("the miners of the start and the validators need {needed} uids, the subnet has {most}")]
    Full { needed: u64, most: u16 },
    #[error("group `{name}` comes twice")]
    GroupTwice { name: String },
    #[error("validator group `{name}` pays miner group `{group}`, which does not exist")]
    UnknownGroup { name: String, group: String },
    #[error("no validator group of the kind `{missing}`")]
    NoValidators { missing: &'static str },
    #[error("{found} groups, at most {GROUPS_MAX} are simulated")]
    TooManyGroups { found: usize },
    #[error("no honest miner group: figures are relative to one with `attacker = false`")]
    NoHonestMiners,
    #[error("at least one {missing} is needed")]
    Missing { missing: &'static str },
    #[error("{found} seeds: an interval needs 2, and at most {SEEDS_MAX} are run")]
    Seeds { found: usize },
    #[error(
        "no attack has room at any of these shares of bad miners: honest miners keep half of the uids, or a quarter"
    )]
    NoRoom,
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Refuses a number outside `least..=most`, NaN included.
pub(crate) fn within(key: &'static str, found: f64, least: f64, most: f64) -> Result<(), ScenarioError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(ScenarioError::Range { key, found, least, most })
    }
}
