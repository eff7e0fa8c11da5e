//! The red team: an optimiser that plays the attacker against a policy, and tells how much its best strategy earns.
//!
//! A strategy's worth is its *profit ratio* as in [`mod@crate::attack`]: attackers' profit over what the same operators would
//! earn honestly in the same places, the larger one of the given fractions of attackers. The search runs in a small world on
//! training seeds, half of them with a longer horizon, so that no strategy can live off knowing the last epoch. What it
//! found is measured again in the small world on held-out seeds, and the best few of that, with honest work beside them, in
//! the full world on held-out seeds. The best there is the best response. As honest work is open to every operator, that
//! is never less than 1.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use weighhouse_types::{Digest, Hasher};

use super::genome::Genome;
use super::legs::{SearchError, Watch, search};
use super::log::Log;
use super::meter::WORST;
use super::settings::{Goal, Settings};
use crate::attack::{self, Attack, CATALOGUE, Numbers, World, ratio_ci95};
use crate::policy::Policy;
use crate::sim::{Judging, Profile, Scenario, ScenarioError, Simulator, Strategy, Subnet};

#[cfg(test)]
mod tests;

/// Most uids of one operator in the small world.
const IDENTITIES_MOST: u16 = 16;

/// Where strategies are measured: a world, how many attack in it, and from which seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arena {
    /// Its first miner group gives the honest miners, as in [`attack::Plan`].
    pub base: Scenario,
    /// Shares of miner uids that attackers hold; at 0 a single operator attacks.
    pub fractions: Vec<f64>,
    /// Runs from seeds at odd places last half as long again.
    pub seeds: Vec<u64>,
}

/// What the red team plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedTeam {
    /// The small world, with training seeds.
    pub training: Arena,
    /// Seeds on which what was found is measured again in the small world.
    pub screening_seeds: Vec<u64>,
    /// The full world, with held-out seeds.
    pub full: Arena,
    pub evaluations: u64,
    /// The optimiser's own.
    pub seed: u64,
    /// Strategies that are measured in the full world.
    pub finalists: usize,
    /// How well an attacker can tell judged requests from others, in [0, 1]; 0.5 is guessing.
    pub sight_most: f64,
    /// Further strategies to begin with, besides the catalogue's.
    #[serde(default)]
    pub starts: Vec<Strategy>,
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

/// A strategy among the finalists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finalist {
    pub strategy: Strategy,
    /// In the small world on training seeds, then on held-out seeds.
    pub training: f64,
    pub screening: f64,
    /// In the full world on held-out seeds.
    pub worth: Worth,
}

/// The red team's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The best response's profit over honest profit, in the full world on held-out seeds.
    pub best_response: f64,
    pub ci95: [f64; 2],
    /// Share of attackers at which it is that good.
    pub fraction: f64,
    /// Evaluations of the search.
    pub evaluations: u64,
    /// To be replayed by [`RedTeam::evaluate`].
    pub strategy: Strategy,
    /// The best response in the small world, on training seeds.
    pub training: f64,
    pub task: String,
    /// SHA-256 of the policy's text.
    pub policy: Digest,
    pub seed: u64,
    pub training_seeds: Vec<u64>,
    pub held_out_seeds: Vec<u64>,
    /// All finalists, best first.
    pub finalists: Vec<Finalist>,
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
    #[error("the red team needs at least one {missing}")]
    Missing { missing: &'static str },
}

impl RedTeam {
    /// The usual game against a policy on a task. Small world: 8 validators, 40 miners, 48 epochs of 32 challenges (72 for
    /// every second seed), a quarter of the miners attackers. Full world: 16 validators, 112 miners, 96 epochs, attackers
    /// alone and 40 %.
    pub fn new(profile: Profile, policy: &str, evaluations: u64) -> Self {
        let world = |miners: u16, validators: u16, epochs: u32| Scenario {
            policy: policy.to_owned(),
            judging: Judging { challenges: 32, ..Judging::default() },
            subnet: Subnet { max_uids: miners + validators, ..Subnet::default() },
            ..Scenario::honest(profile.clone(), miners, validators, epochs)
        };
        Self {
            training: Arena { base: world(40, 8, 48), fractions: vec![0.25], seeds: vec![11, 12] },
            screening_seeds: (1001..1009).collect(),
            full: Arena {
                base: world(112, 16, 96),
                fractions: vec![0.0, 0.4],
                seeds: (2001..2009).collect(),
            },
            evaluations,
            seed: 1,
            finalists: 8,
            sight_most: 0.75,
            starts: Vec::new(),
        }
    }

    /// Plays. A log of an earlier run of the same game is taken up where it ends.
    ///
    /// # Errors
    /// A world that can't be simulated, a foreign log, or a policy under which honest work earns nothing.
    pub fn run(&self, resumed: Option<Log>, watch: &mut dyn Watch) -> Result<Response, RedTeamError> {
        self.check()?;
        let genome = self.genome();
        let starts = self.starting_strategies();
        let training = Ground::new("small", &self.training)?;
        training.worth(&Strategy::default())?;
        let settings = Settings {
            starts: starts.iter().map(|strategy| genome.encode(strategy)).collect(),
            tolerance: 1e-5,
            step: 0.2,
            apart: 0.1,
            ..Settings::new(self.seed, Goal::Sum(vec![1.0]), genome.dimensions(), self.evaluations)
        };
        let figure = |strategy: &Strategy| training.worth(strategy).map_or(WORST, |worth| -worth.ratio);
        let found =
            search(&settings, self.identity(), resumed, &|at| vec![figure(&genome.decode(at))], watch)?;
        let mut candidates = vec![(Strategy::default(), 1.0)];
        for point in &found.best {
            let strategy = genome.decode(&point.at);
            if point.values[0] < WORST && candidates.iter().all(|(other, _)| *other != strategy) {
                candidates.push((strategy, -point.values[0]));
            }
        }
        self.confirm(candidates, found.evaluations)
    }

    /// A strategy's worth in the full world on held-out seeds.
    ///
    /// # Errors
    /// As [`RedTeam::run`], or more identities than the world has room for.
    pub fn evaluate(&self, strategy: &Strategy) -> Result<Worth, RedTeamError> {
        Ground::new("full", &self.full)?.worth(strategy)
    }

    /// What strategies of this game are written as.
    pub fn genome(&self) -> Genome {
        let base = &self.training.base;
        let uids = u64::from(base.subnet.max_uids).saturating_sub(base.validator_uids());
        let room = u16::try_from(uids / 2).unwrap_or(u16::MAX);
        Genome::new(&base.profile, room.min(IDENTITIES_MOST), self.sight_most)
    }

    fn check(&self) -> Result<(), RedTeamError> {
        let needed = [
            (self.training.seeds.is_empty(), "training seed"),
            (self.screening_seeds.is_empty(), "screening seed"),
            (self.full.seeds.is_empty(), "held-out seed"),
            (self.training.fractions.is_empty() || self.full.fractions.is_empty(), "fraction of attackers"),
            (self.finalists == 0, "finalist"),
        ];
        match needed.into_iter().find(|(lacks, _)| *lacks) {
            Some((_, missing)) => Err(RedTeamError::Missing { missing }),
            None => Ok(()),
        }
    }

    /// The catalogue's personas that the task has figures for, and each kind of answer on its own.
    fn starting_strategies(&self) -> Vec<Strategy> {
        let profile = &self.training.base.profile;
        let personas = CATALOGUE.iter().filter_map(|(name, _)| Strategy::persona(name));
        let plain = profile.kinds.iter().map(|kind| Strategy::plain(&kind.name, &kind.name));
        let mut starts = vec![Strategy::default()];
        for strategy in personas.chain(plain).chain(self.starts.iter().cloned()) {
            if strategy.is_measured(profile) && starts.iter().all(|other| other.name != strategy.name) {
                starts.push(strategy);
            }
        }
        starts
    }

    /// Everything that decides what a point is worth to the search.
    fn identity(&self) -> Digest {
        let training = serde_json::to_vec(&self.training).expect("a world has a JSON form");
        Hasher::new("weighhouse/redteam/1")
            .part(env!("CARGO_PKG_VERSION").as_bytes())
            .part(&training)
            .part(&self.sight_most.to_bits().to_le_bytes())
            .finish()
    }

    fn confirm(&self, candidates: Vec<(Strategy, f64)>, evaluations: u64) -> Result<Response, RedTeamError> {
        let arena = Arena { seeds: self.screening_seeds.clone(), ..self.training.clone() };
        let screening = Ground::new("small", &arena)?;
        let mut screened = Vec::with_capacity(candidates.len());
        for (strategy, training) in candidates {
            let ratio = screening.worth(&strategy)?.ratio;
            screened.push((strategy, training, ratio));
        }
        screened[1..].sort_by(|one, other| other.2.total_cmp(&one.2));
        screened.truncate(self.finalists + 1);
        let full = Ground::new("full", &self.full)?;
        let mut finalists = Vec::with_capacity(screened.len());
        for (strategy, training, screening) in screened {
            let worth = full.worth(&strategy)?;
            finalists.push(Finalist { strategy, training, screening, worth });
        }
        finalists.sort_by(|one, other| other.worth.ratio.total_cmp(&one.worth.ratio));
        let best = &finalists[0];
        Ok(Response {
            best_response: best.worth.ratio,
            ci95: best.worth.ci95,
            fraction: best.worth.fraction,
            evaluations,
            strategy: best.strategy.clone(),
            training: best.training,
            task: self.full.base.profile.task.clone(),
            policy: Policy::hash(self.full.base.policy.as_bytes()),
            seed: self.seed,
            training_seeds: self.training.seeds.clone(),
            held_out_seeds: self.full.seeds.clone(),
            finalists,
        })
    }
}

/// An arena with what honest work earns in it, computed once.
#[derive(Debug)]
struct Ground<'a> {
    world: &'static str,
    arena: &'a Arena,
    plan: attack::Plan,
    rao_value: f64,
    honest: Mutex<BTreeMap<Numbers, Arc<Vec<f64>>>>,
}

impl<'a> Ground<'a> {
    fn new(world: &'static str, arena: &'a Arena) -> Result<Self, RedTeamError> {
        let plan = attack::Plan {
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
        Ok(Self { world, arena, plan, rao_value, honest: Mutex::default() })
    }

    fn worth(&self, strategy: &Strategy) -> Result<Worth, RedTeamError> {
        let attack = Attack { name: String::new(), detectable: false, strategy: strategy.clone() };
        let plan = attack::Plan { attacks: vec![attack], ..self.plan.clone() };
        let crowded = RedTeamError::Crowded { world: self.world, identities: strategy.identities };
        let mut by_fraction = Vec::with_capacity(plan.fractions.len());
        for &fraction in &plan.fractions {
            let Some(numbers) = attack::numbers(&plan, 0, fraction) else { continue };
            let attacked = self.profits(&plan, numbers, &World::Attacked { attack: 0 })?;
            let honest = self.honest(&plan, numbers)?;
            let (ratio, ci95) =
                ratio_ci95(&attacked, &honest).ok_or(RedTeamError::NoHonestProfit { world: self.world })?;
            by_fraction.push((fraction, ratio, ci95));
        }
        let best = by_fraction.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1));
        let (fraction, ratio, ci95) = best.ok_or(crowded)?;
        Ok(Worth { ratio, ci95, fraction, by_fraction })
    }

    fn honest(&self, plan: &attack::Plan, numbers: Numbers) -> Result<Arc<Vec<f64>>, ScenarioError> {
        let known = |map: &BTreeMap<Numbers, Arc<Vec<f64>>>| map.get(&numbers).cloned();
        if let Some(profits) = known(&self.honest.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(profits);
        }
        let profits = Arc::new(self.profits(plan, numbers, &World::Honest)?);
        self.honest.lock().unwrap_or_else(PoisonError::into_inner).insert(numbers, profits.clone());
        Ok(profits)
    }

    /// Attackers' profit by seed.
    fn profits(
        &self,
        plan: &attack::Plan,
        numbers: Numbers,
        world: &World,
    ) -> Result<Vec<f64>, ScenarioError> {
        let short = attack::scenario(plan, 0, numbers, world, self.rao_value);
        let long = Scenario { epochs: short.epochs + short.epochs / 2, ..short.clone() };
        let run = |(at, seed): (usize, &u64)| {
            let scenario = if at % 2 == 0 { &short } else { &long };
            Ok(Simulator::new(scenario)?.run(*seed).attacker_profit())
        };
        self.arena.seeds.par_iter().enumerate().map(run).collect()
    }
}
