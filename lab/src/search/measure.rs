//! Worth of a policy, in figures that a tuning can weigh against each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_types::Digest;

use weighhouse_scoring::policy::PolicyFile;

use crate::attack::{self, Attack};
use crate::sim::{MinerGroup, Scenario, ScenarioError, SimulationOutcome, Strategy, run_all};
use weighhouse_types::profile::Profile;

/// Single miners whose pay is watched from epoch to epoch.
const PROBES: u16 = 3;

/// A figure of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The largest profit ratio among the attacks and fractions; at 1 attacking pays as much as honest work.
    AttackProfit,
    /// Spearman's correlation of incentive with true quality among honest miners of unlike quality.
    RankCorrelation,
    /// The lowest vtrust of an honest validator after the warm-up.
    Vtrust,
    /// Variation of an honest miner's pay from epoch to epoch: standard deviation over mean, averaged over three miners.
    Stability,
    /// Mean epochs until a good newcomer earns nine tenths of its share; right-censored at the run's length.
    NewcomerDelay,
    /// The largest share of their emission that attackers cost honest miners.
    HonestLoss,
}

impl Measure {
    /// Its value turned so that less is better.
    pub fn cost(self, value: f64) -> f64 {
        match self {
            Self::RankCorrelation | Self::Vtrust => 1.0 - value,
            Self::AttackProfit | Self::Stability | Self::NewcomerDelay | Self::HonestLoss => value,
        }
    }
}

/// All figures of one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    pub attack_profit: f64,
    /// The attack and the fraction behind it.
    pub worst_attack: String,
    pub rank_correlation: f64,
    pub vtrust: f64,
    pub stability: f64,
    pub newcomer_delay: f64,
    pub honest_loss: f64,
}

impl Measures {
    pub fn of(&self, measure: Measure) -> f64 {
        match measure {
            Measure::AttackProfit => self.attack_profit,
            Measure::RankCorrelation => self.rank_correlation,
            Measure::Vtrust => self.vtrust,
            Measure::Stability => self.stability,
            Measure::NewcomerDelay => self.newcomer_delay,
            Measure::HonestLoss => self.honest_loss,
        }
    }
}

/// The worlds in which policies are measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proving {
    /// World in which attacks are played, as in [`attack::AttackPlan`]; its policy is not read.
    pub base: Scenario,
    /// Honest miners of unlike quality, probes and newcomers; its policy is not read.
    pub peaceful: Scenario,
    pub attacks: Vec<Attack>,
    /// Shares of miner uids that attackers hold.
    pub fractions: Vec<f64>,
}

impl Proving {
    /// Worlds with these numbers of uids. In the peaceful one quality lies between 0.6 and 1, a newcomer arrives every fourth epoch,
    /// and a tenth of a mark's scale is noise between validators' machines.
    pub fn new(
        profile: &Profile,
        miners: u16,
        validators: u16,
        epochs: u32,
        attacks: Vec<Attack>,
        fractions: Vec<f64>,
    ) -> Self {
        let base = Scenario::honest(profile.clone(), miners, validators, epochs);
        let mut peaceful = base.clone();
        let others = miners.saturating_sub(PROBES).max(1);
        // A tenth of the uids stays free for newcomers.
        peaceful.miners = vec![MinerGroup {
            quality: [0.6, 1.0],
            arrivals: 0.25,
            ..MinerGroup::honest((u32::from(others) * 9 / 10) as u16)
        }];
        for probe in 0..PROBES {
            let name = format!("probe {probe}");
            peaceful.miners.push(MinerGroup { name, ..MinerGroup::honest(1) });
        }
        peaceful.judging.noise = 0.1;
        Self { base, peaceful, attacks, fractions }
    }

    /// Measures a policy on `epochs` epochs from each seed. `None` where honest work earns nothing under it.
    ///
    /// # Errors
    /// A world that can't be simulated.
    pub fn measure(
        &self,
        policy: &PolicyFile,
        seeds: &[u64],
        epochs: u32,
    ) -> Result<Option<Measures>, ScenarioError> {
        let plan = attack::AttackPlan {
            base: Scenario { epochs, ..self.base.clone() },
            policies: vec![("candidate".to_owned(), policy.clone())],
            attacks: self.attacks.clone(),
            fractions: self.fractions.clone(),
            seeds: seeds.to_vec(),
        };
        let matrix = attack::matrix(&plan)?;
        let (mut attack_profit, mut worst_attack) = (0.0, "none".to_owned());
        let mut honest_loss: f64 = 0.0;
        for row in &matrix.matrix {
            let Some(ratio) = row.cell.profit_ratio else { return Ok(None) };
            if ratio > attack_profit {
                attack_profit = ratio;
                worst_attack = format!("{} at {}", row.cell.attack, row.cell.fraction);
            }
            honest_loss = honest_loss.max(row.honest_loss);
        }
        let peaceful = Scenario { epochs, policy: policy.clone(), ..self.peaceful.clone() };
        let outcomes = run_all(std::slice::from_ref(&peaceful), seeds)?.remove(0);
        let mean = |figure: &dyn Fn(&SimulationOutcome) -> f64| {
            outcomes.iter().map(figure).sum::<f64>() / outcomes.len().max(1) as f64
        };
        if outcomes.iter().any(|outcome| outcome.miners_rao == 0) {
            return Ok(None);
        }
        Ok(Some(Measures {
            attack_profit,
            worst_attack,
            rank_correlation: mean(&|outcome| outcome.rank_correlation.unwrap_or(0.0)),
            vtrust: outcomes.iter().map(|outcome| outcome.vtrust_least).fold(1.0, f64::min),
            stability: mean(&|outcome| straying(outcome, peaceful.warmup_epochs)),
            newcomer_delay: mean(&newcomer_delay),
            honest_loss,
        }))
    }

    /// A digest of the worlds.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("worlds have a JSON form"))
    }
}

/// The attacks of the catalogue that the profile has figures for, or those named.
///
/// # Errors
/// The first name that is no attack, or one that the task has no figures for.
pub(super) fn attacks(profile: &Profile, names: &[String]) -> Result<Vec<Attack>, String> {
    if names.is_empty() {
        return Ok(attack::catalogue(profile).0);
    }
    let named = |name: &String| {
        let attack = Attack::named(name).or_else(|| Attack::answering(profile, name));
        let attack = attack.ok_or_else(|| name.clone())?;
        let measured = |strategy: &Strategy| strategy.is_measured(profile);
        if measured(&attack.strategy) { Ok(attack) } else { Err(name.clone()) }
    };
    names.iter().map(named).collect()
}

/// Standard deviation over mean of the probes' emission, epoch by epoch after the warm-up.
fn straying(outcome: &SimulationOutcome, warmup: u32) -> f64 {
    let mut sum = 0.0;
    let mut probes = 0_u32;
    for group in outcome.miners.iter().filter(|group| group.name.starts_with("probe ")) {
        let paid: Vec<f64> =
            group.emission_by_epoch_rao.iter().skip(warmup as usize).map(|rao| *rao as f64).collect();
        let count = paid.len().max(1) as f64;
        let mean = paid.iter().sum::<f64>() / count;
        let variance = paid.iter().map(|rao| (rao - mean) * (rao - mean)).sum::<f64>() / count;
        // A probe that is never paid varies by 0, and not by NaN.
        sum += libm::sqrt(variance) / mean.max(1.0);
        probes += 1;
    }
    sum / f64::from(probes.max(1))
}

fn newcomer_delay(outcome: &SimulationOutcome) -> f64 {
    let newcomers = &outcome.newcomers;
    if newcomers.count == 0 {
        return 0.0;
    }
    let reached = f64::from(newcomers.reached);
    let missed = f64::from(newcomers.count) - reached;
    (reached * newcomers.epochs_mean.unwrap_or(0.0) + missed * f64::from(outcome.epochs))
        / f64::from(newcomers.count)
}
