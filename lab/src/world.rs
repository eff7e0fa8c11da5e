//! What every simulated world takes for granted, said once: `attack`, `redteam` and `tune` ask the same one.
//!
//! No earnings depend on what answers cost, so that other cost shares and numbers of unjudged requests are worked out from the same
//! runs: `CostSweep`.

use serde::{Deserialize, Serialize};

use crate::sim::error::within;
use crate::sim::{Return, Scenario, ScenarioError};

/// Cost shares and unjudged requests per judged one that a report sweeps.
pub const COST_SHARES: [f64; 5] = [0.3, 0.5, 0.7, 0.9, 0.95];
pub const UNJUDGED: [f64; 4] = [0.0, 1.0, 4.0, 9.0];

/// Assumptions about the economy around the judges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Assumptions {
    /// The cost of honest work over what it earns.
    pub cost_share: f64,
    /// Requests that nobody judges, per judged one. Miners pay for answering them.
    pub unjudged: f64,
    /// Honest miners that were pruned register again in the epoch after.
    pub pruned_return: bool,
}

impl Default for Assumptions {
    fn default() -> Self {
        Self { cost_share: 0.5, unjudged: 0.0, pruned_return: true }
    }
}

impl Assumptions {
    /// Refuses what no world can have.
    ///
    /// # Errors
    /// [`ScenarioError::Range`] with the name.
    pub fn check(&self) -> Result<(), ScenarioError> {
        within("cost_share", self.cost_share, 1e-6, 1e3)?;
        within("unjudged", self.unjudged, 0.0, 1e6)
    }

    /// Gives a world these assumptions; its first miner group are the honest ones.
    pub fn apply(&self, scenario: &mut Scenario) {
        scenario.economy.cost_share = self.cost_share;
        scenario.economy.unjudged = self.unjudged;
        if let Some(honest) = scenario.miners.first_mut() {
            honest.strategy.comes_back =
                self.pruned_return.then_some(Return { after_epochs: 1, unpaid_epochs: 0 });
        }
    }

    /// What a world takes for granted.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            cost_share: scenario.economy.cost_share,
            unjudged: scenario.economy.unjudged,
            pruned_return: scenario.miners.first().is_some_and(|group| group.strategy.comes_back.is_some()),
        }
    }

    /// In words.
    pub fn in_words(&self) -> String {
        let unjudged = if self.unjudged == 0.0 {
            "no requests but the judged ones".to_owned()
        } else {
            format!("{} unjudged requests per judged one, answered at the miner's expense", self.unjudged)
        };
        let pruned = if self.pruned_return { "register again" } else { "stay away" };
        format!(
            "honest work costs {} of what it earns; {unjudged}; pruned honest miners {pruned}",
            self.cost_share
        )
    }
}

/// Profit of a group of miners, as a function of what answers cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Books {
    /// Emission less registrations, in rao.
    pub(crate) earned_rao: f64,
    /// CPU-seconds spent on judged requests and power held ready, and on unjudged ones if there were one per judged one.
    pub(crate) judged: f64,
    pub(crate) unjudged: f64,
}

/// One point of a sweep: what a rao is worth there, and the unjudged requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CostSweep {
    pub(crate) cost_share: f64,
    pub(crate) unjudged: f64,
    rao_value: f64,
}

impl CostSweep {
    /// Every point, for worlds of which `honest` is one in which all work honestly; none where a rao's value is given.
    pub(crate) fn points(honest: &Scenario) -> Vec<Self> {
        let point = |cost_share: f64, unjudged: f64| {
            let mut world = honest.clone();
            world.economy.cost_share = cost_share;
            world.economy.unjudged = unjudged;
            Self { cost_share, unjudged, rao_value: world.honest_rao_value() }
        };
        COST_SHARES.into_iter().flat_map(|share| UNJUDGED.map(|unjudged| point(share, unjudged))).collect()
    }

    pub(crate) fn profit(&self, books: &Books) -> f64 {
        self.rao_value * books.earned_rao - books.judged - self.unjudged * books.unjudged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fixture::small;

    #[test]
    fn a_world_is_given_its_assumptions_and_tells_them() {
        let mut scenario = small();
        let assumptions = Assumptions { cost_share: 0.8, unjudged: 4.0, pruned_return: true };
        assumptions.apply(&mut scenario);
        assert_eq!(Assumptions::of(&scenario), assumptions);
        assert!(assumptions.in_words().contains("4 unjudged requests"), "{}", assumptions.in_words());
        Assumptions { pruned_return: false, ..assumptions }.apply(&mut scenario);
        assert!(Assumptions::of(&scenario).in_words().ends_with("stay away"));
        assert!(Assumptions { cost_share: f64::NAN, ..assumptions }.check().is_err());
    }
}
