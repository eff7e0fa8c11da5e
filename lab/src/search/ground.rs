//! Arenas: worlds in which strategies are measured, and the worth of a strategy there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::RedTeamError;
use crate::attack::{self, Attack, AttackWorld, MinerNumbers, ratio_ci95};
use crate::sim::{Scenario, ScenarioError, SimulationPlan, Simulator, Strategy};

/// World in which strategies are measured, with the share of attackers in it and its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arena {
    /// Its first miner group gives the honest miners, as in [`attack::AttackPlan`].
    pub base: Scenario,
    /// Shares of miner uids that attackers hold; at 0 a single operator attacks.
    pub fractions: Vec<f64>,
    /// Runs from seeds at odd places last half as long again.
    pub seeds: Vec<u64>,
}

/// A strategy's worth in one arena.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Profit over honest profit, at the fraction where it is largest.
    pub ratio: f64,
    /// Lower and upper end of its 95 % confidence interval.
    pub ci95: [f64; 2],
    pub fraction: f64,
    /// By fraction: ratio and interval.
    pub by_fraction: Vec<(f64, f64, [f64; 2])>,
}

/// An arena with what honest work earns in it, computed once.
#[derive(Debug)]
pub(super) struct Ground {
    world: &'static str,
    plan: attack::AttackPlan,
    rao_value: f64,
    honest: Mutex<BTreeMap<MinerNumbers, Arc<Vec<f64>>>>,
}

impl Ground {
    pub(super) fn new(world: &'static str, arena: &Arena) -> Result<Self, RedTeamError> {
        let plan = attack::AttackPlan {
            policies: vec![("policy".to_owned(), arena.base.policy.clone())],
            base: arena.base.clone(),
            attacks: Vec::new(),
            fractions: arena.fractions.clone(),
            seeds: arena.seeds.clone(),
        };
        let rao_value = match arena.base.economy.rao_value {
            Some(value) => value,
            None => attack::honest_base(&plan).honest_rao_value(),
        };
        Ok(Self { world, plan, rao_value, honest: Mutex::default() })
    }

    pub(super) fn worth(&self, strategy: &Strategy) -> Result<Worth, RedTeamError> {
        let attack = Attack { name: String::new(), detectable: false, strategy: strategy.clone() };
        let plan = attack::AttackPlan { attacks: vec![attack], ..self.plan.clone() };
        let crowded = RedTeamError::Crowded { world: self.world, identities: strategy.identities };
        let mut by_fraction = Vec::with_capacity(plan.fractions.len());
        for &fraction in &plan.fractions {
            let Some(numbers) = attack::numbers(&plan, 0, fraction) else { continue };
            let attacked = self.profits(&plan, numbers, &AttackWorld::Attacked { attack: 0 })?;
            let honest = self.honest(&plan, numbers)?;
            let (ratio, ci95) =
                ratio_ci95(&attacked, &honest).ok_or(RedTeamError::NoHonestProfit { world: self.world })?;
            by_fraction.push((fraction, ratio, ci95));
        }
        let best = by_fraction.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1));
        let (fraction, ratio, ci95) = best.ok_or(crowded)?;
        Ok(Worth { ratio, ci95, fraction, by_fraction })
    }

    /// The strategy without habits that make no difference here.
    pub(super) fn stripped(&self, strategy: &Strategy, ratio: f64) -> Result<Strategy, RedTeamError> {
        const DROP: [fn(&mut Strategy); 12] = [
            |strategy| strategy.decoys = 0,
            |strategy| strategy.backend = None,
            |strategy| strategy.switch.rest_above = None,
            |strategy| strategy.switch.period = 0,
            |strategy| strategy.switch.work_first = 0,
            |strategy| strategy.rest = None,
            |strategy| strategy.sight = None,
            |strategy| strategy.served_stake = 1.0,
            |strategy| strategy.late = 0.0,
            |strategy| strategy.copy_delay = 0,
            |strategy| strategy.mirrored = false,
            |strategy| strategy.comes_back = None,
        ];
        let mut stripped = strategy.clone();
        for drop in DROP {
            let mut simpler = stripped.clone();
            drop(&mut simpler);
            // More computing power than one honest miner's is another game.
            let is_fair = simpler.identities == 1 || simpler.backend.is_some();
            // To the last bit: an idle habit changes nothing where the same seeds are drawn from.
            if is_fair && simpler != stripped && self.worth(&simpler)?.ratio == ratio {
                stripped = simpler;
            }
        }
        // These numbers mean nothing without the conditions that were dropped.
        if stripped.switch.rest_above.is_none() {
            stripped.switch.work_below = 0.0;
        }
        if stripped.switch.period == 0 {
            stripped.switch.duty = 0.0;
        }
        Ok(stripped)
    }

    fn honest(
        &self,
        plan: &attack::AttackPlan,
        numbers: MinerNumbers,
    ) -> Result<Arc<Vec<f64>>, ScenarioError> {
        let known = |map: &BTreeMap<MinerNumbers, Arc<Vec<f64>>>| map.get(&numbers).cloned();
        // A panic elsewhere can't spoil the map: entries go in whole.
        if let Some(profits) = known(&self.honest.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(profits);
        }
        // Without the lock: two threads may run the same world, and find the same.
        let profits = Arc::new(self.profits(plan, numbers, &AttackWorld::Honest)?);
        self.honest.lock().unwrap_or_else(PoisonError::into_inner).insert(numbers, profits.clone());
        Ok(profits)
    }

    /// Attackers' profit by seed.
    fn profits(
        &self,
        plan: &attack::AttackPlan,
        numbers: MinerNumbers,
        world: &AttackWorld,
    ) -> Result<Vec<f64>, ScenarioError> {
        let short = attack::scenario(plan, 0, numbers, world, self.rao_value);
        let long = Scenario { epochs: short.epochs + short.epochs / 2, ..short.clone() };
        let [short, long] = [Arc::new(SimulationPlan::new(&short)?), Arc::new(SimulationPlan::new(&long)?)];
        let run = |(at, seed): (usize, &u64)| {
            let plan = if at % 2 == 0 { &short } else { &long };
            Simulator::runs(plan.clone()).run(*seed).attacker_profit()
        };
        Ok(self.plan.seeds.par_iter().enumerate().map(run).collect())
    }
}
