//! Two policies over one simulated subnet: which kinds of miner gain by the change, and which lose.
//!
//! The subnet has honest miners and one miner of each other kind that the profile measured.

use serde::Serialize;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_types::profile::{HONEST, Profile};

use crate::sim::{MinerGroup, Scenario, ScenarioError, SimulationOutcome, Strategy, run_all};

#[cfg(test)]
mod tests;

pub const HONEST_MINERS: u16 = 16;
pub const VALIDATORS: u16 = 8;
pub const EPOCHS: u32 = 60;
/// Worlds that the figures are means over.
pub const SEEDS: u64 = 8;

/// Miners of one kind under both policies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindChange {
    /// Share of the miners' emission under the second policy, in [0, 1].
    pub after: f64,
    /// The same under the first.
    pub before: f64,
    pub kind: String,
}

/// Effect of a change of policy in a simulated subnet. The keys are in the order of the alphabet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyComparison {
    /// The largest gain first.
    pub changes: Vec<KindChange>,
    /// The profile's name, as the caller gave it.
    pub profile: String,
    pub seeds: u64,
}

/// A key that two policy files give unlike values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyChange {
    pub key: String,
    /// As written in TOML; `None` where the file's version has no such key.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Keys whose values differ, defaults included, by name.
pub fn keys(before: &PolicyFile, after: &PolicyFile) -> Vec<KeyChange> {
    let (one, other) = (before.values(), after.values());
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| KeyChange {
            key: name.clone(),
            before: one.get(name).map(ToString::to_string),
            after: other.get(name).map(ToString::to_string),
        })
        .collect()
}

/// Runs both policies in the same worlds.
///
/// # Errors
/// As [`run_all`].
pub fn compare(
    policies: [PolicyFile; 2],
    name: &str,
    profile: Profile,
) -> Result<PolicyComparison, ScenarioError> {
    let kinds: Vec<String> = profile.personas.iter().map(|persona| persona.name.clone()).collect();
    let mut scenario = Scenario::honest(profile, HONEST_MINERS, VALIDATORS, EPOCHS);
    for kind in kinds.iter().filter(|kind| *kind != HONEST) {
        scenario.miners.push(MinerGroup::attackers(Strategy::plain(kind, kind), 1));
    }
    let others = u16::try_from(kinds.len()).unwrap_or(u16::MAX);
    scenario.subnet.max_uids = scenario.subnet.max_uids.saturating_add(others);
    let scenarios = policies.map(|policy| Scenario { policy, ..scenario.clone() });
    let runs = run_all(&scenarios, &(1..=SEEDS).collect::<Vec<_>>())?;
    let change = |group: &MinerGroup| KindChange {
        after: mean_share(&runs[1], &group.name),
        before: mean_share(&runs[0], &group.name),
        kind: group.name.clone(),
    };
    let mut changes: Vec<KindChange> = scenario.miners.iter().map(change).collect();
    changes.sort_by(|one, other| (other.after - other.before).total_cmp(&(one.after - one.before)));
    Ok(PolicyComparison { changes, profile: name.to_owned(), seeds: SEEDS })
}

/// A group's share of the miners' emission, on average over runs.
fn mean_share(runs: &[SimulationOutcome], group: &str) -> f64 {
    let share = |run: &SimulationOutcome| {
        let earned = run.group(group).map_or(0, |group| group.emission_rao);
        // Where no miner was paid at all the share is 0, and no NaN.
        earned as f64 / (run.miners_rao as f64).max(1.0)
    };
    runs.iter().map(share).sum::<f64>() / runs.len().max(1) as f64
}
