//! Tuning a policy: moving some of its keys until the figures that matter are best.
//!
//! The tuning file names the parameters with their ranges, the figures that count, and the seeds. The search measures
//! candidates on training seeds; the best of them, and the base policy beside them, are measured again on held-out seeds and a
//! longer horizon, and the best there wins: what is only luck on the training seeds does not. Two ways to weigh several
//! figures: a weighted `sum`, or the Pareto `front`, whose members are told one by one and whose winner is the one with the
//! least augmented Tchebycheff distance from the best of each figure.

use std::collections::BTreeMap;
use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use weighhouse_types::config::{self, ConfigError};
use weighhouse_types::{Digest, Hasher};

use super::candidate::{CandidateError, Candidates, Parameter};
use super::error::SearchError;
use super::legs::{Problem, Watch, solve};
use super::log::Log;
use super::measure::{Measure, Measures, Proving, attacks};
use super::meter::WORST;
use super::pareto;
use super::settings::{Goal, Settings};
use crate::profiles::{self, UnknownProfile};
use crate::sim::ScenarioError;
use crate::sim::error::within;
use crate::work::{Hands, Local, Stopped, Work};
use crate::world::Assumptions;
use weighhouse_scoring::policy::PolicyFile;
use weighhouse_types::profile::{Profile, ProfileError};

/// The version of the tuning file that this code reads.
pub const TUNING_VERSION: u32 = 1;
/// A tuning file is refused above this size.
pub const TUNING_BYTES_MAX: usize = 64 * 1024;
/// Members of a front that are measured on held-out seeds.
pub const FRONT_FINALISTS: usize = 24;
/// Beside the largest part of a distance, the weight of the sum.
const AUGMENTATION: f64 = 0.05;

/// Way to make one decision of several figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// One winner by the weighted sum of objectives.
    Sum,
    /// All policies that no other beats in every objective.
    Front,
}

/// One figure that counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    pub measure: Measure,
    /// Its weight in the sum; in a front, only whether it counts.
    #[serde(default = "one")]
    pub weight: f64,
    /// Good enough: better than this counts no more. In the measure's own direction, for instance a vtrust of 0.97.
    #[serde(default)]
    pub enough: Option<f64>,
}

/// Seeds and horizon of a set of runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    pub seeds: Vec<u64>,
    pub epochs: u32,
}

/// The worlds, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worlds {
    /// A shipped profile's name, or a whole profile.
    #[schemars(with = "serde_json::Value")]
    pub profile: toml::Value,
    pub miners: u16,
    pub validators: u16,
    /// Attacks by name; none: every one that the profile has figures for.
    #[serde(default)]
    pub attacks: Vec<String>,
    /// Shares of miner uids that attackers hold; at 0 a single operator attacks.
    pub fractions: Vec<f64>,
    /// The cost of honest work over what it earns.
    #[serde(default = "half")]
    pub cost_share: f64,
    /// Requests that nobody judges, per judged one.
    #[serde(default)]
    pub unjudged: f64,
    /// Whether honest miners that were pruned register again.
    #[serde(default = "yes")]
    pub pruned_return: bool,
}

impl Worlds {
    fn assumptions(&self) -> Assumptions {
        let Self { cost_share, unjudged, pruned_return, .. } = *self;
        Assumptions { cost_share, unjudged, pruned_return }
    }
}

/// A tuning file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Always 1.
    pub version: u32,
    /// The optimiser's own: the same files and seed give the same search.
    pub seed: u64,
    /// Candidates that are tried.
    pub evaluations: u64,
    pub decision: Decision,
    /// Candidates that are measured on held-out seeds.
    #[serde(default = "eight")]
    pub finalists: usize,
    #[serde(rename = "parameter")]
    pub parameters: Vec<Parameter>,
    #[serde(rename = "objective")]
    pub objectives: Vec<Objective>,
    pub worlds: Worlds,
    pub train: Runs,
    pub held_out: Runs,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TuningError {
    #[error("the tuning file has {bytes} bytes, at most {TUNING_BYTES_MAX} are read")]
    TooLong { bytes: usize },
    #[error("tuning file: {0}")]
    Config(#[from] ConfigError),
    #[error("tuning file version {found}, this software reads version {TUNING_VERSION}")]
    Version { found: u32 },
    #[error("the tuning file needs at least one {missing}")]
    Missing { missing: &'static str },
    #[error("objective `{measure:?}` comes twice")]
    ObjectiveTwice { measure: Measure },
    #[error("seed {seed} is both a training and a held-out seed")]
    SeedShared { seed: u64 },
    #[error("`{name}` is no attack, or one that the task has no figures for")]
    Attack { name: String },
    #[error("{0}")]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    UnknownProfile(#[from] UnknownProfile),
    #[error("{0}")]
    Candidate(#[from] CandidateError),
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    #[error("{0}")]
    Search(#[from] SearchError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
    #[error("the search ended before it had tried a policy: give it more time")]
    Nothing,
    #[error("under none of the {evaluations} policies that were tried does honest work earn anything")]
    NoPolicy { evaluations: u64 },
}

/// A candidate with its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TunedCandidate {
    /// The parameters' values.
    pub values: BTreeMap<String, toml::Value>,
    /// The policy's text, without the head.
    pub policy: String,
    pub train: Measures,
    pub held_out: Measures,
    /// Weighted sum of the objectives' costs, or distance in a front; less is better.
    pub train_objective: f64,
    pub held_out_objective: f64,
}

/// Result of a tuning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningResult {
    pub evaluations: u64,
    pub decision: Decision,
    pub assumptions: Assumptions,
    /// The winner's file: its provenance in comments, then the policy.
    pub winner_text: String,
    pub winner: TunedCandidate,
    /// The base policy's figures.
    pub base: TunedCandidate,
    /// By their held-out objective, the base among them; for a front, those that no other beats on held-out seeds.
    pub finalists: Vec<TunedCandidate>,
}

fn one() -> f64 {
    1.0
}

fn half() -> f64 {
    0.5
}

fn yes() -> bool {
    true
}

fn eight() -> usize {
    8
}

impl Tuning {
    /// Reads a tuning file's bytes.
    ///
    /// # Errors
    /// Names the key that is unknown, missing or out of range.
    pub fn parse(bytes: &[u8]) -> Result<Self, TuningError> {
        if bytes.len() > TUNING_BYTES_MAX {
            return Err(TuningError::TooLong { bytes: bytes.len() });
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| ConfigError { message: "not UTF-8 text".to_owned() })?;
        let tuning: Self = config::parse(text)?;
        tuning.check()?;
        Ok(tuning)
    }

    /// The JSON Schema of tuning files.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn check(&self) -> Result<(), TuningError> {
        if self.version != TUNING_VERSION {
            return Err(TuningError::Version { found: self.version });
        }
        let needed = [
            (self.parameters.is_empty(), "parameter"),
            (self.objectives.is_empty(), "objective"),
            (self.train.seeds.len() < 2, "second training seed, as one world shows no spread"),
            (self.held_out.seeds.len() < 2, "second held-out seed, as one world shows no spread"),
            (self.worlds.fractions.is_empty(), "fraction of attackers"),
            (self.finalists == 0, "finalist"),
        ];
        if let Some((_, missing)) = needed.into_iter().find(|(lacks, _)| *lacks) {
            return Err(TuningError::Missing { missing });
        }
        self.worlds.assumptions().check()?;
        let fractions = self.worlds.fractions.iter();
        fractions.copied().try_for_each(|fraction| within("worlds.fractions", fraction, 0.0, 1.0))?;
        if let Some(&seed) = self.held_out.seeds.iter().find(|seed| self.train.seeds.contains(seed)) {
            return Err(TuningError::SeedShared { seed });
        }
        for (at, objective) in self.objectives.iter().enumerate() {
            let measure = objective.measure;
            if self.objectives[..at].iter().any(|other| other.measure == measure) {
                return Err(TuningError::ObjectiveTwice { measure });
            }
        }
        Ok(())
    }

    /// The worlds that the file describes.
    ///
    /// # Errors
    /// A profile or an attack that is not known.
    pub fn proving(&self) -> Result<Proving, TuningError> {
        let profile = match &self.worlds.profile {
            toml::Value::String(name) => profiles::shipped(name)?,
            whole => {
                let text =
                    toml::to_string(whole).map_err(|error| ConfigError { message: error.to_string() })?;
                Profile::parse(&text)?
            }
        };
        let Worlds { miners, validators, fractions, attacks: names, .. } = &self.worlds;
        let attacks = attacks(&profile, names).map_err(|name| TuningError::Attack { name })?;
        let fractions = fractions.clone();
        let mut proving = Proving::new(&profile, *miners, *validators, self.train.epochs, attacks, fractions);
        self.worlds.assumptions().apply(&mut proving.base);
        Ok(proving)
    }

    /// The costs that count, of one policy's figures.
    fn costs(&self, measures: &Measures) -> Vec<f64> {
        let cost = |objective: &Objective| {
            let cost = objective.measure.cost(measures.of(objective.measure));
            // Less is better of every cost, so that the larger one is what counts as good enough.
            objective.enough.map_or(cost, |enough| cost.max(objective.measure.cost(enough)))
        };
        self.objectives.iter().map(cost).collect()
    }

    fn weighted(&self, costs: &[f64]) -> f64 {
        self.objectives.iter().zip(costs).map(|(objective, cost)| objective.weight * cost).sum()
    }

    fn goal(&self) -> Goal {
        match self.decision {
            Decision::Sum => Goal::Sum(self.objectives.iter().map(|objective| objective.weight).collect()),
            Decision::Front => Goal::Front(self.objectives.len()),
        }
    }
}

/// Tunes `base`, a policy file of version 2, in the worlds of `proving` ([`Tuning::proving`], or the caller's own), on all
/// threads of the current rayon pool. A log of an earlier run of the same tuning is taken up where it ends.
///
/// # Errors
/// A parameter that policies don't have, a world that can't be simulated, a foreign log.
pub fn tune(
    tuning: &Tuning,
    base: &PolicyFile,
    proving: &Proving,
    resumed: Option<Log>,
    watch: &mut dyn Watch,
) -> Result<TuningResult, TuningError> {
    TuningJob::new(tuning.clone(), base.clone(), proving.clone())?.run(&Local, resumed, watch)
}

/// The first of a sum's best; of a front, evenly from end to end.
fn thin(finalists: &mut Vec<(Vec<f64>, PolicyFile)>, most: usize, decision: Decision) {
    let count = finalists.len();
    if decision == Decision::Front && count > most && most > 1 {
        let kept = (0..most).map(|at| finalists[at * (count - 1) / (most - 1)].clone()).collect();
        *finalists = kept;
    }
    finalists.truncate(most);
}

/// A tuning made ready.
#[derive(Debug)]
pub struct TuningJob {
    tuning: Tuning,
    proving: Proving,
    candidates: Candidates,
    base: PolicyFile,
}

/// What a tuning asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TuningUnit {
    /// A point of the search, on training seeds.
    Point(Vec<f64>),
    /// A policy's figures on both sets of seeds, with the point at which it lies.
    Prove(Vec<f64>, PolicyFile),
}

/// The answers to [`TuningUnit`], one by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TuningAnswer {
    Figures(Vec<f64>),
    /// Nothing where honest work earns nothing.
    Proved(Option<Box<TunedCandidate>>),
}

impl Work for TuningJob {
    type Unit = TuningUnit;
    type Answer = TuningAnswer;
    type Error = TuningError;

    fn answer(&self, unit: &TuningUnit) -> Result<TuningAnswer, TuningError> {
        Ok(match unit {
            // The search fills an empty list up with the worst figures.
            TuningUnit::Point(at) => TuningAnswer::Figures(self.train(at).unwrap_or_default()),
            TuningUnit::Prove(at, policy) => TuningAnswer::Proved(self.measured(at, policy)?.map(Box::new)),
        })
    }
}

impl TuningJob {
    /// Makes a tuning ready.
    ///
    /// # Errors
    /// A parameter that policies don't have.
    pub fn new(tuning: Tuning, base: PolicyFile, proving: Proving) -> Result<Self, TuningError> {
        tuning.check()?;
        let candidates = Candidates::new(&base, &tuning.parameters)?;
        Ok(Self { tuning, proving, candidates, base })
    }

    /// As [`tune`], by whoever answers the units.
    ///
    /// # Errors
    /// As [`tune`].
    pub fn run(
        &self,
        hands: &impl Hands,
        resumed: Option<Log>,
        watch: &mut dyn Watch,
    ) -> Result<TuningResult, TuningError> {
        let tuning = &self.tuning;
        // An error of the worlds shows here, before the search, in which it would only look like a bad candidate.
        let base = TuningUnit::Prove(Vec::new(), self.candidates.base()?);
        let base = self.proved(hands, &[base])?.pop().flatten();
        let settings = Settings {
            starts: vec![self.candidates.start()],
            tolerance: 1e-6,
            ..Settings::new(tuning.seed, tuning.goal(), self.candidates.dimensions(), tuning.evaluations)
        };
        let evaluate = |points: &[Vec<f64>]| {
            let units: Vec<TuningUnit> = points.iter().cloned().map(TuningUnit::Point).collect();
            let figures = |answer| match answer {
                Ok(TuningAnswer::Figures(figures)) => figures,
                _ => Vec::new(),
            };
            Ok(hands.all(self, &units)?.into_iter().map(figures).collect())
        };
        let problem = Problem { digest: self.identity(), evaluate: &evaluate, next_to: None };
        let found = solve(&settings, &problem, resumed, watch)?;
        if found.evaluations == 0 {
            return Err(TuningError::Nothing);
        }
        let (points, most) = match tuning.decision {
            Decision::Sum => (found.best, tuning.finalists),
            Decision::Front => (found.front, tuning.finalists.max(FRONT_FINALISTS)),
        };
        let mut finalists = Vec::new();
        for point in &points {
            let valid = point.values.iter().all(|value| *value < WORST);
            if let Some(policy) = self.candidates.policy(&point.at).filter(|_| valid)
                && finalists.iter().all(|(_, other)| *other != policy)
            {
                finalists.push((point.at.clone(), policy));
            }
        }
        thin(&mut finalists, most, tuning.decision);
        let units = finalists.into_iter().map(|(at, policy)| TuningUnit::Prove(at, policy));
        let measured = self.proved(hands, &units.collect::<Vec<_>>())?;
        self.decide(measured, base, found.evaluations)
    }

    fn proved(
        &self,
        hands: &impl Hands,
        units: &[TuningUnit],
    ) -> Result<Vec<Option<TunedCandidate>>, TuningError> {
        let proved = |answer| match answer? {
            TuningAnswer::Proved(tuned) => Ok(tuned.map(|tuned| *tuned)),
            TuningAnswer::Figures(_) => Ok(None),
        };
        hands.all(self, units)?.into_iter().map(proved).collect()
    }

    /// The costs of a point on training seeds; `None` where it is no policy or honest work earns nothing.
    fn train(&self, at: &[f64]) -> Option<Vec<f64>> {
        let policy = self.candidates.policy(at)?;
        let Runs { seeds, epochs } = &self.tuning.train;
        let measures = self.proving.measure(&policy, seeds, *epochs).ok()??;
        Some(self.tuning.costs(&measures))
    }

    /// A policy's figures on both sets of seeds. `None` where honest work earns nothing.
    fn measured(&self, at: &[f64], policy: &PolicyFile) -> Result<Option<TunedCandidate>, TuningError> {
        let on = |runs: &Runs| self.proving.measure(policy, &runs.seeds, runs.epochs);
        let (Some(train), Some(held_out)) = (on(&self.tuning.train)?, on(&self.tuning.held_out)?) else {
            return Ok(None);
        };
        Ok(Some(TunedCandidate {
            values: self.candidates.values(at).into_iter().collect(),
            policy: policy.text().to_owned(),
            train_objective: self.tuning.weighted(&self.tuning.costs(&train)),
            held_out_objective: self.tuning.weighted(&self.tuning.costs(&held_out)),
            train,
            held_out,
        }))
    }

    /// Everything that decides what a point is worth to the search.
    fn identity(&self) -> Digest {
        // Neither number changes which points are asked for, so that a log serves a longer run too.
        let tuning = Tuning { evaluations: 1, finalists: 1, ..self.tuning.clone() };
        Hasher::new("weighhouse/tuning/1")
            .part(env!("CARGO_PKG_VERSION").as_bytes())
            .part(&serde_json::to_vec(&tuning).expect("a tuning file has a JSON form"))
            .part(self.candidates.base_text().as_bytes())
            .part(self.proving.digest().as_bytes())
            .finish()
    }

    fn decide(
        &self,
        measured: Vec<Option<TunedCandidate>>,
        base: Option<TunedCandidate>,
        evaluations: u64,
    ) -> Result<TuningResult, TuningError> {
        let mut finalists: Vec<TunedCandidate> =
            base.iter().cloned().chain(measured.into_iter().flatten()).collect();
        if self.tuning.decision == Decision::Front {
            self.front(&mut finalists);
        }
        finalists.sort_by(|one, other| one.held_out_objective.total_cmp(&other.held_out_objective));
        let Some(winner) = finalists.first().cloned() else {
            return Err(TuningError::NoPolicy { evaluations });
        };
        let base = base.unwrap_or_else(|| winner.clone());
        Ok(TuningResult {
            evaluations,
            decision: self.tuning.decision,
            assumptions: Assumptions::of(&self.proving.base),
            winner_text: self.head(&winner, &base, evaluations) + &self.commented(&winner),
            winner,
            base,
            finalists,
        })
    }

    /// The winner's text as its base was written, comments and all, with the values that moved; every key written out where the text can't
    /// take them.
    fn commented(&self, winner: &TunedCandidate) -> String {
        let values: Vec<_> = winner.values.clone().into_iter().collect();
        let kept = self.base.with(&values);
        let wanted = PolicyFile::parse(winner.policy.as_bytes());
        match (kept, wanted) {
            (Some(kept), Ok(wanted)) if kept.policy() == wanted.policy() => kept.text().to_owned(),
            _ => winner.policy.clone(),
        }
    }

    /// Keeps those that no other beats on held-out seeds, and gives each its distance from the best of each cost.
    fn front(&self, finalists: &mut Vec<TunedCandidate>) {
        for held_out in [false, true] {
            let costs: Vec<Vec<f64>> = finalists
                .iter()
                .map(|tuned| self.tuning.costs(if held_out { &tuned.held_out } else { &tuned.train }))
                .collect();
            let kept = pareto::non_dominated(&costs.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let distances = distances(&costs);
            for (tuned, distance) in finalists.iter_mut().zip(distances) {
                *(if held_out { &mut tuned.held_out_objective } else { &mut tuned.train_objective }) =
                    distance;
            }
            if held_out {
                // Only the held-out figures decide who stays.
                *finalists = kept.into_iter().map(|at| finalists[at].clone()).collect();
            }
        }
    }

    /// The winner's provenance, as comments.
    fn head(&self, winner: &TunedCandidate, base: &TunedCandidate, evaluations: u64) -> String {
        let Tuning { seed, train, held_out, objectives, decision, .. } = &self.tuning;
        let mut head = format!(
            "# Tuned by weighhouse {} from the policy {}\n# by the tuning {}: {evaluations} evaluations, seed {seed}.\n",
            env!("CARGO_PKG_VERSION"),
            self.base.hash(),
            self.identity(),
        );
        for (name, runs) in [("Training", train), ("Held-out", held_out)] {
            // Writing to a string cannot fail.
            let _ = writeln!(head, "# {name} seeds {:?}, {} epochs.", runs.seeds, runs.epochs);
        }
        let _ = writeln!(
            head,
            "# Objective ({decision:?}, less is better): training {:.6}, held-out {:.6}; the policy it began with {:.6} \
             and {:.6}.",
            winner.train_objective, winner.held_out_objective, base.train_objective, base.held_out_objective
        );
        let _ = writeln!(head, "# Assumes that {}.", Assumptions::of(&self.proving.base).in_words());
        for Objective { measure, weight, .. } in objectives {
            let _ = writeln!(
                head,
                "#   {measure:?}, weight {weight}: training {:.6}, held-out {:.6}; before {:.6} and {:.6}.",
                winner.train.of(*measure),
                winner.held_out.of(*measure),
                base.train.of(*measure),
                base.held_out.of(*measure)
            );
        }
        head.push('\n');
        head
    }
}

/// Each one's augmented Tchebycheff distance from the least of each cost, in units of the costs' ranges.
fn distances(costs: &[Vec<f64>]) -> Vec<f64> {
    let figures = costs.first().map_or(0, Vec::len);
    let end = |at: usize, pick: fn(f64, f64) -> f64, start: f64| {
        costs.iter().map(|costs| costs[at]).fold(start, pick)
    };
    let ideal: Vec<f64> = (0..figures).map(|at| end(at, f64::min, f64::INFINITY)).collect();
    let range: Vec<f64> =
        (0..figures).map(|at| (end(at, f64::max, f64::NEG_INFINITY) - ideal[at]).max(1e-9)).collect();
    let distance = |costs: &Vec<f64>| {
        let parts = costs.iter().enumerate().map(|(at, cost)| (cost - ideal[at]) / range[at]);
        parts.clone().fold(0.0, f64::max) + AUGMENTATION * parts.sum::<f64>()
    };
    costs.iter().map(distance).collect()
}

#[cfg(test)]
mod tests;
