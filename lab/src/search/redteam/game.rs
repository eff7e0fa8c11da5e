//! The red team's game in units: points of the search, then worlds for what it found.

use serde::{Deserialize, Serialize};

use super::{Finalist, RedTeam, Response};
use crate::search::error::RedTeamError;
use crate::search::genome::Genome;
use crate::search::ground::{Ground, Worth};
use crate::search::legs::{Problem, Watch, solve};
use crate::search::log::Log;
use crate::search::meter::WORST;
use crate::search::moves;
use crate::search::settings::{Goal, Settings};
use crate::sim::Strategy;
use crate::work::{Hands, Work};
use crate::world::Assumptions;

/// A game made ready.
#[derive(Debug)]
pub struct Game {
    team: RedTeam,
    genome: Genome,
    training: Ground,
    screening: Ground,
    full: Ground,
}

/// What a game asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RedTeamUnit {
    /// A point of the search, in the tiny world.
    Point(Vec<f64>),
    /// A strategy's profit ratio in the small world.
    Screen(Strategy),
    /// The strategy, of this ratio in the small world, without its idle habits.
    Strip(Strategy, f64),
    /// A strategy's worth in the full world.
    Prove(Strategy),
}

/// The answers to [`RedTeamUnit`], one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RedTeamAnswer {
    Figures(Vec<f64>),
    Ratio(f64),
    Stripped(Strategy),
    Worth(Worth),
}

impl Work for Game {
    type Unit = RedTeamUnit;
    type Answer = RedTeamAnswer;
    type Error = RedTeamError;

    fn answer(&self, unit: &RedTeamUnit) -> Result<RedTeamAnswer, RedTeamError> {
        Ok(match unit {
            RedTeamUnit::Point(at) => {
                let worth = self.training.worth(&self.genome.decode(at));
                // A strategy that the world has no room for is a bad point, and no reason to stop.
                RedTeamAnswer::Figures(vec![worth.map_or(WORST, |worth| -worth.ratio)])
            }
            RedTeamUnit::Screen(strategy) => RedTeamAnswer::Ratio(self.screening.worth(strategy)?.ratio),
            RedTeamUnit::Strip(strategy, ratio) => {
                RedTeamAnswer::Stripped(self.screening.stripped(strategy, *ratio)?)
            }
            RedTeamUnit::Prove(strategy) => RedTeamAnswer::Worth(self.full.worth(strategy)?),
        })
    }
}

impl Game {
    /// Makes a game ready.
    ///
    /// # Errors
    /// Settings that give no game, or a world that can't be simulated.
    pub fn new(team: RedTeam) -> Result<Self, RedTeamError> {
        team.check()?;
        Ok(Self {
            genome: team.genome(),
            training: Ground::new("tiny", &team.training)?,
            screening: Ground::new("small", &team.screening)?,
            full: Ground::new("full", &team.full)?,
            team,
        })
    }

    /// As [`RedTeam::run`], by whoever answers the units.
    ///
    /// # Errors
    /// As [`RedTeam::run`].
    pub fn run(
        &self,
        hands: &impl Hands,
        resumed: Option<Log>,
        watch: &mut dyn Watch,
    ) -> Result<Response, RedTeamError> {
        let genome = &self.genome;
        // Without honest profit there is no ratio: told here, and not by a search full of bad points.
        self.training.worth(&Strategy::default())?;
        let starts = self.team.starting_strategies();
        let settings = Settings {
            starts: starts
                .iter()
                .chain(&moves::starts(genome))
                .map(|strategy| genome.encode(strategy))
                .collect(),
            tolerance: 1e-5,
            step: 0.2,
            apart: 0.1,
            ..Settings::new(self.team.seed, Goal::Sum(vec![1.0]), genome.dimensions(), self.team.evaluations)
        };
        let evaluate = |points: &[Vec<f64>]| {
            let units: Vec<RedTeamUnit> = points.iter().cloned().map(RedTeamUnit::Point).collect();
            let figures = |answer| match answer {
                Ok(RedTeamAnswer::Figures(figures)) => figures,
                _ => Vec::new(),
            };
            Ok(hands.all(self, &units)?.into_iter().map(figures).collect())
        };
        let next_to = |at: &[f64]| {
            let steps = moves::next_to(&genome.decode(at), genome);
            steps.iter().map(|strategy| genome.encode(strategy)).collect()
        };
        let problem = Problem { digest: self.team.identity(), evaluate: &evaluate, next_to: Some(&next_to) };
        let found = solve(&settings, &problem, resumed, watch)?;
        if found.evaluations == 0 {
            return Err(RedTeamError::Nothing);
        }
        let mut candidates = vec![(Strategy::default(), 1.0)];
        for point in &found.best {
            let strategy = genome.decode(&point.at);
            // Different points may stand for one strategy.
            if point.values[0] < WORST && candidates.iter().all(|(other, _)| *other != strategy) {
                candidates.push((strategy, -point.values[0]));
            }
        }
        self.confirm(hands, candidates, found.evaluations)
    }

    fn confirm(
        &self,
        hands: &impl Hands,
        candidates: Vec<(Strategy, f64)>,
        evaluations: u64,
    ) -> Result<Response, RedTeamError> {
        let units = candidates.iter().map(|(strategy, _)| RedTeamUnit::Screen(strategy.clone()));
        let ratios = hands.all(self, &units.collect::<Vec<_>>())?;
        let mut screened = Vec::with_capacity(candidates.len());
        for ((strategy, training), ratio) in candidates.into_iter().zip(ratios) {
            screened.push((strategy, training, ratio?.ratio()));
        }
        // The first is honest work, which stays among the finalists whatever it earns.
        screened[1..].sort_by(|one, other| other.2.total_cmp(&one.2));
        // Strategies that differ in idle habits only are worth exactly the same.
        screened.dedup_by(|next, kept| next.2 == kept.2);
        screened.truncate(self.team.finalists + 1);
        let units = screened.iter().map(|(strategy, _, ratio)| RedTeamUnit::Strip(strategy.clone(), *ratio));
        let stripped = hands.all(self, &units.collect::<Vec<_>>())?;
        for ((strategy, ..), answer) in screened.iter_mut().zip(stripped) {
            if let RedTeamAnswer::Stripped(simpler) = answer? {
                *strategy = simpler;
            }
        }
        let units = screened.iter().map(|(strategy, ..)| RedTeamUnit::Prove(strategy.clone()));
        let worths = hands.all(self, &units.collect::<Vec<_>>())?;
        let mut finalists = Vec::with_capacity(screened.len());
        for ((strategy, training, screening), answer) in screened.into_iter().zip(worths) {
            if let RedTeamAnswer::Worth(worth) = answer? {
                finalists.push(Finalist { strategy, training, screening, worth });
            }
        }
        finalists.sort_by(|one, other| other.worth.ratio.total_cmp(&one.worth.ratio));
        let Some(best) = finalists.first() else { return Err(RedTeamError::Nothing) };
        let (worth, strategy) = (&best.worth, best.strategy.clone());
        let RedTeam { training, full, seed, .. } = &self.team;
        Ok(Response {
            best_response: worth.ratio,
            ci95: worth.ci95,
            fraction: worth.fraction,
            evaluations,
            strategy,
            training: best.training,
            task: full.base.profile.task.clone(),
            assumptions: Assumptions::of(&full.base),
            policy: full.base.policy.hash(),
            seed: *seed,
            training_seeds: training.seeds.clone(),
            held_out_seeds: full.seeds.clone(),
            finalists,
        })
    }
}

impl RedTeamAnswer {
    fn ratio(&self) -> f64 {
        if let Self::Ratio(ratio) = self { *ratio } else { f64::NAN }
    }
}
