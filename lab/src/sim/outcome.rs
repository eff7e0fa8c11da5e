//! Outcome of a run: figures by group, and the measured figures that they rest on.

use serde::{Deserialize, Serialize};

use weighhouse_types::profile::Profile;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulationOutcome {
    pub seed: u64,
    pub epochs: u32,
    /// The costs and detection rates that the run used, as measured.
    pub profile: Profile,
    /// CPU-seconds that a rao is worth.
    pub rao_value: f64,
    pub miners: Vec<MinerOutcome>,
    pub validators: Vec<ValidatorOutcome>,
    /// Of each honest validator: its stake, and what it and its delegators earned after the warm-up, in rao.
    pub dividends: Vec<(u64, u64)>,
    /// Spearman's rank correlation, after the warm-up, of what each registration earned with the mean mark that its
    /// answers deserve. `None` if either never differs.
    pub rank_correlation: Option<f64>,
    /// Lowest and mean vtrust of honest validators in the epochs after the warm-up, in [0, 1].
    pub vtrust_least: f64,
    pub vtrust_mean: f64,
    pub newcomers: Newcomers,
    /// Emission to registrations from weights that were made before they existed.
    pub misdirected_rao: u64,
    /// Emission of miners and validators, burned by the policy, and left over by rounding: together epochs times the
    /// emission.
    pub miners_rao: u64,
    pub validators_rao: u64,
    pub burned_rao: u64,
    pub dust_rao: u64,
    /// Epochs times honest validators that published nothing.
    pub abstentions: u64,
}

/// One group of miners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinerOutcome {
    pub name: String,
    pub attacker: bool,
    pub operators: u32,
    pub emission_rao: u64,
    /// The same by epoch.
    pub emission_by_epoch_rao: Vec<u64>,
    /// CPU-seconds, registrations aside.
    pub cost: f64,
    /// CPU-seconds that unjudged requests would cost if there were one per judged one.
    pub unjudged_cost: f64,
    pub registrations: u32,
    pub registration_rao: u64,
    pub evictions: u32,
    /// Emission less cost and registrations, in CPU-seconds.
    pub profit: f64,
    /// Emission over cost and registrations, both in CPU-seconds; `None` without cost.
    pub return_per_cost: Option<f64>,
    /// The mean mark that its answers deserve.
    pub quality: f64,
    /// Identities that gave a dishonest answer.
    pub dishonest: u32,
    /// Of these, how many fell below a tenth of what an honest identity earns.
    pub detected: u32,
    /// Epochs from the first dishonest answer to that, on average over the detected.
    pub epochs_to_detect: Option<f64>,
}

/// One group of validators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidatorOutcome {
    pub name: String,
    pub count: u32,
    pub stake_rao: u64,
    pub emission_rao: u64,
    /// Of it, what came after the warm-up.
    pub settled_rao: u64,
    /// Emission per stake after the warm-up, over that of the first group of honest validators.
    pub dividend_per_stake: f64,
    /// Mean vtrust after the warm-up.
    pub vtrust_mean: f64,
    /// CPU-seconds spent on references and judging.
    pub cost: f64,
    /// Emission less that cost, in CPU-seconds.
    pub profit: f64,
    /// Emission after the warm-up less the cost of those epochs, per epoch and 10^18 rao of stake, in CPU-seconds.
    pub settled_profit: f64,
}

/// Honest miners that registered after the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Newcomers {
    pub count: u32,
    /// Number that earned nine tenths of their share: the mean honest incumbent's incentive times the ratio of qualities.
    pub reached: u32,
    /// Epochs to it, on average and at most, over those that reached it.
    pub epochs_mean: Option<f64>,
    pub epochs_most: Option<u32>,
}

impl SimulationOutcome {
    /// Earnings of all honest miners, in rao.
    pub fn honest_emission_rao(&self) -> u64 {
        self.miners.iter().filter(|group| !group.attacker).map(|group| group.emission_rao).sum()
    }

    /// All attackers' profit in CPU-seconds.
    pub fn attacker_profit(&self) -> f64 {
        self.miners.iter().filter(|group| group.attacker).map(|group| group.profit).sum()
    }

    /// The group of miners called `name`.
    pub fn group(&self, name: &str) -> Option<&MinerOutcome> {
        self.miners.iter().find(|group| group.name == name)
    }

    /// The group of validators called `name`.
    pub fn validator_group(&self, name: &str) -> Option<&ValidatorOutcome> {
        self.validators.iter().find(|group| group.name == name)
    }
}
