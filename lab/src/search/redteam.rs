//! The red team: an optimiser that plays the attacker against a policy, and tells how much its best strategy earns.
//!
//! A strategy's worth is its *profit ratio* as in [`mod@crate::attack`]: attackers' profit over what the same operators would
//! earn honestly in the same places, the larger one of the given fractions of attackers. The search runs in a tiny world on
//! training seeds, half of them with a longer horizon, so that no strategy can live off knowing the last epoch. What it
//! found is measured again in a small world on other seeds, and the best few of that, stripped of habits that make no
//! difference and with honest work beside them, in the full world on held-out seeds. The best there is the best response.
//! As honest work is open to every operator, that is never less than 1.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use weighhouse_types::{Digest, Hasher};

use super::error::RedTeamError;
use super::genome::Genome;
use super::ground::{Arena, Ground, Worth};
use super::legs::Watch;
use super::log::Log;
use crate::attack::CATALOGUE;
use crate::sim::error::within;
use crate::sim::{Judging, Scenario, ScenarioSubnet, Strategy};
use crate::work::Local;
use crate::world::Assumptions;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_types::profile::Profile;

mod game;

pub use game::{Game, RedTeamAnswer, RedTeamUnit};

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;

/// Most uids of one operator that the search tries.
const IDENTITIES_MOST: u16 = 16;
/// Of the miner uids in the tiny world, the part that one operator may hold at most.
const ROOM: u64 = 2;

/// Settings of a red team's game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedTeam {
    /// The tiny world in which the search runs, with training seeds.
    pub training: Arena,
    /// The small world in which what was found is measured again.
    pub screening: Arena,
    /// The full world, with held-out seeds.
    pub full: Arena,
    pub evaluations: u64,
    /// The optimiser's own.
    pub seed: u64,
    /// Strategies that are measured in the full world.
    pub finalists: usize,
    /// Best accuracy with which an attacker tells judged requests from others, in [0, 1]; 0.5 is guessing.
    pub sight_most: f64,
    /// Further strategies to begin with, besides the catalogue's.
    #[serde(default)]
    pub starts: Vec<Strategy>,
}

/// A strategy among the finalists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finalist {
    pub strategy: Strategy,
    /// In the tiny world, before its idle habits were dropped, and in the small one.
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
    /// The same in the tiny world on training seeds.
    pub training: f64,
    pub task: String,
    pub assumptions: Assumptions,
    /// SHA-256 of the policy's text.
    pub policy: Digest,
    pub seed: u64,
    pub training_seeds: Vec<u64>,
    pub held_out_seeds: Vec<u64>,
    /// All finalists, best first.
    pub finalists: Vec<Finalist>,
}

impl RedTeam {
    /// The usual game against a policy on a task. Tiny world: 4 validators and 16 miners, 24 epochs of 32 challenges, small
    /// enough for 100,000 evaluations. Small world: 8 validators, 40 miners, 48 epochs. In both a quarter of the miners
    /// attack. Full world: 16 validators, 112 miners, 96 epochs, a single attacker and 40 %. Every second seed's runs last
    /// half as long again.
    pub fn new(profile: Profile, policy: &PolicyFile, evaluations: u64, assumptions: Assumptions) -> Self {
        let arena = |[miners, validators]: [u16; 2], epochs: u32, fractions: &[f64], seeds: Range<u64>| {
            let mut base = Scenario {
                policy: policy.clone(),
                judging: Judging { challenges: 32, ..Judging::default() },
                subnet: ScenarioSubnet { max_uids: miners + validators, ..ScenarioSubnet::default() },
                ..Scenario::honest(profile.clone(), miners, validators, epochs)
            };
            assumptions.apply(&mut base);
            Arena { base, fractions: fractions.to_vec(), seeds: seeds.collect() }
        };
        Self {
            // No seed occurs twice: luck in one world does not go on in the next.
            training: arena([16, 4], 24, &[0.25], 11..13),
            screening: arena([40, 8], 48, &[0.25], 1001..1005),
            full: arena([112, 16], 96, &[0.0, 0.4], 2001..2009),
            evaluations,
            seed: 1,
            finalists: 8,
            sight_most: 0.75,
            starts: Vec::new(),
        }
    }

    /// Plays on all threads of the current rayon pool. A log of an earlier run of the same game is taken up where it ends.
    ///
    /// # Errors
    /// A world that can't be simulated, a foreign log, or a policy under which honest work earns nothing.
    pub fn run(&self, resumed: Option<Log>, watch: &mut dyn Watch) -> Result<Response, RedTeamError> {
        Game::new(self.clone())?.run(&Local, resumed, watch)
    }

    /// A strategy's worth in the full world on held-out seeds.
    ///
    /// # Errors
    /// As [`RedTeam::run`], or more identities than the world has room for.
    pub fn evaluate(&self, strategy: &Strategy) -> Result<Worth, RedTeamError> {
        Ground::new("full", &self.full)?.worth(strategy)
    }

    /// The encoding of this game's strategies.
    pub fn genome(&self) -> Genome {
        let base = &self.training.base;
        let uids = u64::from(base.subnet.max_uids).saturating_sub(base.validator_uids());
        let room = u16::try_from(uids / ROOM).unwrap_or(u16::MAX);
        Genome::new(&base.profile, room.min(IDENTITIES_MOST), self.sight_most)
    }

    fn check(&self) -> Result<(), RedTeamError> {
        let arenas = [&self.training, &self.screening, &self.full];
        let needed = [
            (self.full.seeds.len() < 2, "two held-out seeds"),
            (arenas.iter().any(|arena| arena.seeds.is_empty()), "one seed of each world"),
            (arenas.iter().any(|arena| arena.fractions.is_empty()), "one fraction of attackers"),
            (self.finalists == 0, "one finalist"),
        ];
        let fractions = arenas.iter().flat_map(|arena| &arena.fractions);
        fractions.copied().try_for_each(|fraction| within("fractions", fraction, 0.0, 1.0))?;
        match needed.into_iter().find(|(lacks, _)| *lacks) {
            Some((_, missing)) => Err(RedTeamError::Missing { missing }),
            None => Ok(()),
        }
    }

    /// The catalogue's personas that the task has figures for, and each kind of answer on its own.
    fn starting_strategies(&self) -> Vec<Strategy> {
        let profile = &self.training.base.profile;
        let personas = CATALOGUE.iter().filter_map(|(name, _)| Strategy::persona(name));
        let plain = profile.personas.iter().map(|kind| Strategy::plain(&kind.name, &kind.name));
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
        Hasher::new("weighhouse/redteam/2")
            // Another version may give the same point another figure.
            .part(env!("CARGO_PKG_VERSION").as_bytes())
            .part(&training)
            .part(&self.sight_most.to_bits().to_le_bytes())
            .finish()
    }
}
