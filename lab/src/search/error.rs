//! Refusals of searches and of the red team's games.

use super::log::LogError;
use crate::sim::ScenarioError;
use crate::work::Stopped;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SearchError {
    #[error("{0}")]
    Log(#[from] LogError),
    #[error("the search's {key} is {found}, it must lie between {least} and {most}")]
    Range { key: &'static str, found: f64, least: f64, most: f64 },
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RedTeamError {
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    #[error("{0}")]
    Search(#[from] SearchError),
    #[error("honest work earns nothing in the {world} world, so that no attack can be compared with it")]
    NoHonestProfit { world: &'static str },
    #[error("the strategy's {identities} identities leave too few honest miners in the {world} world")]
    Crowded { world: &'static str, identities: u16 },
    #[error("the red team needs at least {missing}")]
    Missing { missing: &'static str },
    #[error("the search ended before it had tried a strategy: give it more time")]
    Nothing,
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
