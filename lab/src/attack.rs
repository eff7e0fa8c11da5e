//! Earnings of an attack over those of honest work by the same operator in the same place.
//!
//! For each attack, fraction and policy three worlds run from the same seeds, so that they share their luck:
//! - *attacked*: of the base's miner uids the fraction belongs to attackers, the rest to honest operators;
//! - *honest*: as many operators as attacked before work honestly instead, each with one uid and one miner's computing
//!   power; the further uids that an attacker would split itself into stay empty;
//! - *absent*: their uids stay empty.
//!
//! Profit is the value of emission less the cost of answering, of computing power held ready, and of registrations. The
//! *profit ratio* is all attackers' profit in the attacked world over their profit in the honest one, both summed over
//! seeds; its confidence interval follows from the seeds' residuals with Student's t. The *honest loss* is the share of
//! their emission in the honest world that the honest miners of both lack in the attacked one; the *displacement* is the
//! same against the absent world, and counts what attackers earn by honest work as well. At fraction 0 a single operator attacks.
//! A rao is worth the same CPU-seconds in all worlds: what makes honest work in the base's full subnet cost the base's
//! `cost_share` of what it earns.

use serde::{Deserialize, Serialize};
use weighhouse_scoring::policy::PolicyFile;

use crate::sim::error::{SEEDS_MAX, within};
use crate::sim::{MinerGroup, Mix, Scenario, ScenarioError, Strategy};
use crate::work::Local;
use crate::world::Assumptions;
use weighhouse_types::profile::{HONEST, Profile};

mod figures;
mod runs;
mod statistics;
#[cfg(test)]
mod tests;
mod words;

pub use figures::AttackFigures;
pub use runs::{AttackRun, Runs};
pub use statistics::ratio_ci95;
pub use words::{AttackWords, WORDS, markdown, words};

/// The catalogue's attacks, and which of them leave traces in the answers that judges see. The flags are fixed.
pub const CATALOGUE: [(&str, bool); 20] = [
    ("lazy", true),
    ("random", true),
    ("nan", true),
    ("cached", true),
    ("weak", true),
    ("half", true),
    ("int8", true),
    ("int4", true),
    ("plagiarist", true),
    ("twin", true),
    ("sleeper", true),
    ("burst", true),
    ("relay", false),
    ("sybil", false),
    ("veiled", false),
    ("decoy", false),
    ("timing", false),
    ("silence", false),
    ("boycott", false),
    ("shirker", false),
];

/// Personas that are no attack by themselves: honest and better work, parts of `twin` and of `veiled`, and silence.
const NO_ATTACKS: [&str; 8] =
    [HONEST, "better", "noise", "mirror", "silent", "veiled-0.2", "veiled-0.5", "veiled-1"];

/// Shares of bad miners that the matrix has columns for.
pub const FRACTIONS: [f64; 7] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];

/// Share of attacking miners up to which a policy answers for it.
pub const FRACTION_MAX: f64 = 0.4;

/// An attack by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    pub name: String,
    /// True if a judge could tell its answers from honest ones.
    pub detectable: bool,
    pub strategy: Strategy,
}

impl Attack {
    /// The catalogue's attack of that name, or one that splits an operator into `sybil-<n>` identities.
    pub fn named(name: &str) -> Option<Self> {
        let strategy = match name.strip_prefix("sybil-") {
            Some(identities) => Strategy {
                name: name.to_owned(),
                identities: identities.parse().ok()?,
                ..Strategy::persona("sybil")?
            },
            None => Strategy::persona(name)?,
        };
        let listed = CATALOGUE.iter().find(|(listed, _)| *listed == name);
        if listed.is_none() && !name.starts_with("sybil-") {
            return None;
        }
        Some(Self { name: name.to_owned(), detectable: listed.is_some_and(|(_, flag)| *flag), strategy })
    }

    /// Answers of one of the profile's personas, all the time: each task has cheats of its own.
    pub fn answering(profile: &Profile, name: &str) -> Option<Self> {
        profile.persona(name).ok()?;
        Some(Self::by(Strategy::plain(name, name), name))
    }

    /// An attack by a strategy from elsewhere, under the strategy's own name where it has one. Judges can tell its answers
    /// from honest ones unless all of them are honest.
    pub fn by(strategy: Strategy, otherwise: &str) -> Self {
        let is_honest = |mix: &Mix| mix.0.iter().all(|(kind, share)| kind == HONEST || *share == 0.0);
        let detectable = !(is_honest(&strategy.work) && strategy.rest.as_ref().is_none_or(is_honest));
        // The default strategy is called honest, which is no name for an attack.
        let unnamed = strategy.name.is_empty() || strategy.name == HONEST;
        let name = if unnamed { otherwise.to_owned() } else { strategy.name.clone() };
        Self { name: name.clone(), detectable, strategy: Strategy { name, ..strategy } }
    }
}

/// The whole catalogue, as far as the profile has figures for it, with the cheats that only the profile's task knows; and the
/// names that it has no figures for.
pub fn catalogue(profile: &Profile) -> (Vec<Attack>, Vec<&'static str>) {
    let (mut attacks, mut missing) = (Vec::new(), Vec::new());
    for (name, _) in CATALOGUE {
        let attack = Attack::named(name).expect("every name of the catalogue has a preset");
        if attack.strategy.is_measured(profile) { attacks.push(attack) } else { missing.push(name) }
    }
    let names = profile.personas.iter().map(|persona| persona.name.as_str());
    let own =
        names.filter(|name| !NO_ATTACKS.contains(name) && CATALOGUE.iter().all(|(known, _)| known != name));
    attacks.extend(own.filter_map(|name| Attack::answering(profile, name)));
    (attacks, missing)
}

/// Input of an attack matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackPlan {
    /// Its first miner group gives the honest miners; their number is that of all miner uids in every world. Its policy
    /// is not read.
    pub base: Scenario,
    /// Name and file of each policy.
    pub policies: Vec<(String, PolicyFile)>,
    pub attacks: Vec<Attack>,
    pub fractions: Vec<f64>,
    pub seeds: Vec<u64>,
}

impl AttackPlan {
    /// Refuses a plan that would give no figures, or figures that say nothing.
    ///
    /// # Errors
    /// A fraction outside [0, 1], fewer than two seeds, no miners, policies, attacks or fractions.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let needed = [
            (self.policies.is_empty(), "policy"),
            (self.attacks.is_empty(), "attack"),
            (self.fractions.is_empty(), "share of bad miners"),
            (self.base.miners.is_empty() || miner_uids(self) == 0, "miner"),
        ];
        if let Some((_, missing)) = needed.into_iter().find(|(lacks, _)| *lacks) {
            return Err(ScenarioError::Missing { missing });
        }
        self.fractions.iter().try_for_each(|fraction| within("fractions", *fraction, 0.0, 1.0))?;
        // One world's ratio has no interval, so that nothing tells luck from profit.
        if !(2..=SEEDS_MAX).contains(&self.seeds.len()) {
            return Err(ScenarioError::Seeds { found: self.seeds.len() });
        }
        Ok(())
    }
}

/// Result of one attack at one share of attackers under one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixCell {
    pub attack: String,
    /// Share of miner uids that attackers hold, in [0, 1]; at 0 a single operator attacks.
    pub fraction: f64,
    /// The policy's name.
    pub policy: String,
    /// True if a judge could tell single answers from honest ones.
    pub detectable: bool,
    /// Profit over that of honest work; `None` where honest work in the same place earns nothing.
    pub profit_ratio: Option<f64>,
    /// Lower and upper end of the ratio's 95 % confidence interval.
    pub ci95: Option<[f64; 2]>,
}

/// A cell of the matrix with the figures behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixRow {
    #[serde(flatten)]
    pub cell: MatrixCell,
    pub honest_loss: f64,
    pub displacement: f64,
    /// Share of its dividends in the honest world that the honest validator which is hit hardest lacks, and its delegators
    /// with it.
    pub validator_loss: f64,
    /// Share of honest validators' stake, delegated or not, that loses more than a twentieth of its dividends.
    pub harmed_stake: f64,
    /// Profits per attacking operator in the attacked and in the honest world, in CPU-seconds.
    pub profit: f64,
    pub honest_profit: f64,
    /// Share of dishonest identities that were detected, and the mean epochs to it.
    pub detected: f64,
    pub epochs_to_detect: Option<f64>,
    pub vtrust_least: f64,
}

/// The result, with the measured figures that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    pub matrix: Vec<MatrixRow>,
    /// What was not run, as its identities would leave too few honest miners: attack and share of bad miners.
    pub left_out: Vec<(String, f64)>,
    pub profile: Profile,
    pub seeds: Vec<u64>,
    pub epochs: u32,
    pub assumptions: Assumptions,
    /// By policy, cost share and unjudged requests: the best attack there. Empty where a rao's value is given.
    pub sweep: Vec<SweepRow>,
    /// CPU-seconds that a rao is worth in all worlds.
    pub rao_value: f64,
}

/// The best attack on a policy, at up to 40 % bad miners, under another cost share and number of unjudged requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepRow {
    pub policy: String,
    pub cost_share: f64,
    pub unjudged: f64,
    pub attack: String,
    pub fraction: f64,
    pub profit_ratio: f64,
    pub ci95: [f64; 2],
}

/// Numbers of honest miners and of attackers in one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MinerNumbers {
    pub(crate) honest: u16,
    pub(crate) attackers: u16,
}

/// Conduct of the attackers in a world.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AttackWorld {
    Attacked { attack: usize },
    Honest,
    Absent,
}

/// Computes the matrix on all threads of the current rayon pool. The result does not depend on their number.
///
/// # Errors
/// As [`Runs::new`].
pub fn matrix(plan: &AttackPlan) -> Result<Matrix, ScenarioError> {
    Runs::new(plan.clone())?.matrix(&Local)
}

#[derive(Debug)]
struct Cell {
    policy: usize,
    attack: usize,
    fraction: f64,
    numbers: MinerNumbers,
    /// Scenarios by number.
    attacked: usize,
    honest: usize,
    absent: usize,
}

/// The base with honest miners on all miner uids.
pub(crate) fn honest_base(plan: &AttackPlan) -> Scenario {
    scenario(plan, 0, MinerNumbers { honest: miner_uids(plan), attackers: 0 }, &AttackWorld::Absent, 1.0)
}

fn miner_uids(plan: &AttackPlan) -> u16 {
    let validators = u16::try_from(plan.base.validator_uids()).unwrap_or(u16::MAX);
    plan.base.subnet.max_uids.saturating_sub(validators)
}

/// `None` where one attacking operator does not leave honest miners half of the uids at fraction 0, or a quarter.
pub(crate) fn numbers(plan: &AttackPlan, attack: usize, fraction: f64) -> Option<MinerNumbers> {
    let uids = miner_uids(plan);
    let identities = plan.attacks[attack].strategy.identities.max(1);
    let wanted = (fraction * f64::from(uids) + 0.5) as u16;
    let attackers = (wanted / identities).max(1);
    let honest = uids.checked_sub(attackers.checked_mul(identities)?)?;
    (honest >= uids / 4).then_some(MinerNumbers { honest, attackers })
}

pub(crate) fn scenario(
    plan: &AttackPlan,
    policy: usize,
    numbers: MinerNumbers,
    world: &AttackWorld,
    rao_value: f64,
) -> Scenario {
    let mut scenario = plan.base.clone();
    if let Some((_, file)) = plan.policies.get(policy) {
        scenario.policy.clone_from(file);
    }
    // One value for all worlds, so that their profits compare.
    scenario.economy.rao_value = Some(rao_value);
    scenario.miners.truncate(1);
    if let Some(honest) = scenario.miners.first_mut() {
        honest.operators = numbers.honest;
    }
    let strategy = match world {
        AttackWorld::Attacked { attack } => plan.attacks[*attack].strategy.clone(),
        // As the base's honest miners do, who may register again where they were pruned.
        AttackWorld::Honest => {
            plan.base.miners.first().map_or_else(Strategy::default, |group| group.strategy.clone())
        }
        AttackWorld::Absent => return scenario,
    };
    let attackers = MinerGroup::attackers(strategy, numbers.attackers);
    scenario.miners.push(MinerGroup { name: "attackers".to_owned(), ..attackers });
    scenario
}
