//! The search itself: CMA-ES in legs, each with a start of its own.
//!
//! The starts are evaluated first, then the neighbours of the best points, where a problem has any, until none leads on. Of the legs that follow, every other one begins at the next best start (or, once these
//! are used up, anywhere), the others at the best point so far, in turn narrowly with twice the population, wider with
//! four times and as wide as the first with eight times (after Hansen, "Benchmarking a BI-population CMA-ES", 2009). A leg ends when its population
//! has converged or its share of evaluations is spent. For a front, each leg has its own weights (drawn evenly from the
//! simplex after one leg for each figure alone) and minimises the augmented Tchebycheff distance (Steuer and Choo, 1983)
//! from the best of each figure, in units of the range on the front so far, so that hollows of the front are found too; the
//! result is the non-dominated set of every point evaluated.

use std::collections::BTreeSet;

use rayon::prelude::*;
use weighhouse_types::Digest;

use super::archive::{Archive, Point};
use super::error::SearchError;
use super::fold::fold;
use super::log::{self, Generation, Head, Log, LogError};
use super::meter::{Evaluate, KnownFigures, coordinates, key, measure};
use super::optimiser::{Opening, Optimiser};
use super::settings::{Goal, Settings};
use crate::sim::rng::Stream;

/// Points in [`SearchResult::best`].
pub const BEST_MOST: usize = 64;
/// Factors of population and step of the legs from the best point so far.
const AROUND_BEST: [(usize, f64); 3] = [(2, 0.1), (4, 0.3), (8, 1.0)];
/// Best points whose neighbours are evaluated, and neighbours that are evaluated in one generation.
const BEAM: usize = 3;
const STEPS_AT_ONCE: usize = 64;
/// The weight of the sum beside the largest part in a Tchebycheff distance.
const AUGMENTATION: f64 = 0.05;

/// Progress of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct LegProgress {
    pub evaluations: u64,
    pub generations: u64,
    pub legs: u64,
    /// The least weighted sum so far; for a front, the number of points on it.
    pub best: f64,
}

/// Observer of a search, who may end it.
pub trait Watch {
    /// Returns true to go on; called before each generation that is not in the log yet.
    fn go_on(&mut self, progress: &LegProgress) -> bool;

    /// Takes a line for the log, line feed included; lines of a resumed log are not repeated.
    fn line(&mut self, line: &str);
}

/// Result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchResult {
    pub evaluations: u64,
    pub generations: u64,
    /// Points with the least weighted sums, best first, [`Settings::apart`] from each other; empty for a front.
    pub best: Vec<Point>,
    /// The non-dominated points, by their first figure.
    pub front: Vec<Point>,
}

/// Points that lie one step from another.
pub type Neighbours<'a> = &'a dyn Fn(&[f64]) -> Vec<Vec<f64>>;

/// A problem to be solved: its name, what a point is worth, and which points lie one step from another.
pub struct Problem<'a> {
    /// Names what `evaluate` and `next_to` do; with the settings it decides which logs belong to a search.
    pub digest: Digest,
    /// Gets points, their coordinates in [0, 1], and gives for each as many figures as the goal has.
    pub evaluate: Evaluate<'a>,
    /// Points that differ from one in a single choice. The best points' neighbours are evaluated before the first leg and whenever a
    /// leg found a better one.
    pub next_to: Option<Neighbours<'a>>,
}

impl std::fmt::Debug for Problem<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Problem").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// Minimises `evaluate`, which gets coordinates in [0, 1] and gives as many figures as the goal has. Points of one
/// generation are evaluated in parallel on the current rayon pool.
///
/// `problem` names what `evaluate` does; with the settings it decides which logs belong to this search. Evaluations and
/// threads are free to differ between a run and the run that resumes it.
///
/// # Errors
/// Settings out of range, or a log that belongs to another search.
pub fn search(
    settings: &Settings,
    problem: Digest,
    resumed: Option<Log>,
    evaluate: &(dyn Fn(&[f64]) -> Vec<f64> + Sync),
    watch: &mut dyn Watch,
) -> Result<SearchResult, SearchError> {
    let all = |points: &[Vec<f64>]| Ok(points.par_iter().map(|at| evaluate(at)).collect());
    solve(settings, &Problem { digest: problem, evaluate: &all, next_to: None }, resumed, watch)
}

/// As [`search`], of a problem whose points may have neighbours.
///
/// # Errors
/// As [`search`].
pub fn solve(
    settings: &Settings,
    problem: &Problem<'_>,
    resumed: Option<Log>,
    watch: &mut dyn Watch,
) -> Result<SearchResult, SearchError> {
    settings.check()?;
    let identity = settings.identity(problem.digest);
    let mut replay = Vec::new();
    match resumed {
        Some(log) => {
            log.check_problem(identity)?;
            replay = log.generations;
            replay.reverse();
        }
        None => watch.line(&log::line(&Head::new(identity))),
    }
    let mut run = LegRun {
        settings,
        evaluate: problem.evaluate,
        next_to: problem.next_to,
        expanded: BTreeSet::new(),
        watch,
        replay,
        archive: Archive::default(),
        best: f64::INFINITY,
        generations: 0,
        legs: 0,
    };
    run.all()?;
    Ok(run.found())
}

/// Scalarisation: the one figure of an evaluation's figures that a leg minimises.
enum Scale {
    Sum(Vec<f64>),
    Distance { weights: Vec<f64>, ideal: Vec<f64>, range: Vec<f64> },
}

impl Scale {
    fn figure(&self, values: &[f64]) -> f64 {
        match self {
            Self::Sum(weights) => weighted(weights, values),
            Self::Distance { weights, ideal, range } => {
                let (mut largest, mut sum) = (f64::NEG_INFINITY, 0.0);
                for (at, value) in values.iter().enumerate() {
                    let part = weights[at] * (value - ideal[at]) / range[at];
                    largest = largest.max(part);
                    sum += part;
                }
                largest + AUGMENTATION * sum
            }
        }
    }
}

fn weighted(weights: &[f64], values: &[f64]) -> f64 {
    weights.iter().zip(values).map(|(weight, value)| weight * value).sum()
}

/// One leg, before it runs.
struct Leg {
    start: Vec<f64>,
    step: f64,
    population: usize,
    evaluations: u64,
    scale: Scale,
}

struct LegRun<'a> {
    settings: &'a Settings,
    evaluate: Evaluate<'a>,
    next_to: Option<Neighbours<'a>>,
    /// Points whose neighbours were evaluated.
    expanded: BTreeSet<Vec<u64>>,
    watch: &'a mut dyn Watch,
    /// Generations of the log still to come, the next one last.
    replay: Vec<Generation>,
    archive: Archive,
    /// The least weighted sum.
    best: f64,
    generations: u64,
    legs: u64,
}

impl LegRun<'_> {
    fn all(&mut self) -> Result<(), SearchError> {
        let mut starts = self.settings.starts.clone();
        if starts.is_empty() {
            starts.push(vec![0.5; self.settings.dimensions]);
        }
        for chunk in starts.chunks(self.settings.population()) {
            if !self.go_on() {
                return Ok(());
            }
            let asked = chunk.iter().map(|at| at.iter().map(|&unit| fold(unit)).collect()).collect();
            self.first(asked)?;
        }
        let mut order: Vec<usize> = (0..self.archive.points.len()).collect();
        if let Goal::Sum(weights) = &self.settings.goal {
            let scale = Scale::Sum(weights.clone());
            let figure = |at: usize| scale.figure(&self.archive.points[at].values);
            // Worst first, because the next start is taken from the end.
            order.sort_by(|&a, &b| figure(b).total_cmp(&figure(a)).then(b.cmp(&a)));
        }
        let mut waiting: Vec<Vec<f64>> =
            order.into_iter().map(|at| self.archive.points[at].at.clone()).collect();
        self.climb()?;
        while self.go_on() {
            let leg = self.plan(&mut waiting);
            self.legs += 1;
            let best = self.best;
            self.leg(&leg)?;
            if self.best < best {
                self.climb()?;
            }
        }
        Ok(())
    }

    /// Evaluates the neighbours of the best points until none of them leads on.
    fn climb(&mut self) -> Result<(), SearchError> {
        let (Some(next_to), Goal::Sum(weights)) = (self.next_to, &self.settings.goal) else { return Ok(()) };
        let weights = weights.clone();
        loop {
            let beam = self.beam(&weights);
            let mut known: BTreeSet<Vec<u64>> =
                self.archive.points.iter().map(|point| key(&point.at)).collect();
            let mut asked = Vec::new();
            for at in beam {
                for next in next_to(&at) {
                    let next: Vec<f64> = next.into_iter().map(fold).collect();
                    if known.insert(key(&next)) {
                        asked.push(next);
                    }
                }
                self.expanded.insert(key(&at));
            }
            if asked.is_empty() {
                return Ok(());
            }
            for chunk in asked.chunks(STEPS_AT_ONCE) {
                if !self.go_on() {
                    return Ok(());
                }
                self.first(chunk.to_vec())?;
            }
        }
    }

    /// The best points of unlike worth whose neighbours were not evaluated yet, if they are among the best few.
    fn beam(&self, weights: &[f64]) -> Vec<Vec<f64>> {
        let figure = |point: &Point| weighted(weights, &point.values);
        let mut order: Vec<&Point> = self.archive.points.iter().collect();
        order.sort_by(|one, other| figure(one).total_cmp(&figure(other)));
        // Idle habits change nothing: what is worth the same to the last bit is one strategy.
        order.dedup_by(|next, kept| figure(next) == figure(kept));
        let best = order.into_iter().take(BEAM);
        best.filter(|point| !self.expanded.contains(&key(&point.at))).map(|point| point.at.clone()).collect()
    }

    fn go_on(&mut self) -> bool {
        let evaluations = self.archive.points.len() as u64;
        evaluations < self.settings.evaluations
            // Generations of the log cost nothing, so that nobody is asked whether to go on.
            && (!self.replay.is_empty() || self.watch.go_on(&self.progress()))
    }

    fn progress(&self) -> LegProgress {
        let best = match &self.settings.goal {
            Goal::Sum(_) => self.best,
            Goal::Front(_) => self.archive.front().len() as f64,
        };
        let evaluations = self.archive.points.len() as u64;
        LegProgress { evaluations, generations: self.generations, legs: self.legs, best }
    }

    /// Starts are evaluated without an optimiser.
    fn first(&mut self, asked: Vec<Vec<f64>>) -> Result<(), SearchError> {
        let keys: BTreeSet<Vec<u64>> = asked.iter().map(|at| key(at)).collect();
        let (figures, known) = self.measured(|| asked)?;
        if !figures.keys().eq(&keys) {
            return Err(self.diverged());
        }
        self.keep(figures, known);
        Ok(())
    }

    /// The next generation's figures: off the log, which is told, or of the points that `ask` gives.
    fn measured(&mut self, ask: impl FnOnce() -> Vec<Vec<f64>>) -> Result<(KnownFigures, bool), SearchError> {
        let figures = self.settings.goal.figures();
        let Some(generation) = self.replay.pop() else {
            return Ok((measure(self.evaluate, figures, &ask())?, false));
        };
        if generation.points.iter().any(|point| point.values.len() != figures) {
            return Err(self.diverged());
        }
        let points = generation.points.into_iter();
        Ok((points.map(|point| (key(&point.at), point.values)).collect(), true))
    }

    fn diverged(&self) -> SearchError {
        LogError::Diverged { generation: self.generations }.into()
    }

    /// Takes a generation in; `known`: it was in the log.
    fn keep(&mut self, figures: KnownFigures, known: bool) {
        let points = figures.into_iter().map(|(key, values)| Point { at: coordinates(&key), values });
        let generation = Generation { generation: self.generations, points: points.collect() };
        if !known {
            self.watch.line(&log::line(&generation));
        }
        self.generations += 1;
        for point in generation.points {
            if let Goal::Sum(weights) = &self.settings.goal {
                self.best = self.best.min(weighted(weights, &point.values));
            }
            self.archive.push(point);
        }
    }

    fn plan(&self, waiting: &mut Vec<Vec<f64>>) -> Leg {
        let settings = self.settings;
        let from_best = self.legs % 2 == 1;
        let scale = self.scale();
        let best = || {
            let at = self.archive.least(|values| scale.figure(values));
            self.archive.points[at.expect("the starts were evaluated")].at.clone()
        };
        let start = match (&settings.goal, from_best) {
            (Goal::Sum(_), false) => waiting.pop().unwrap_or_else(|| self.anywhere()),
            _ => best(),
        };
        let (factor, step) = if from_best { AROUND_BEST[(self.legs / 2) as usize % 3] } else { (1, 1.0) };
        Leg {
            start,
            step: settings.step * step,
            population: settings.population() * factor,
            evaluations: settings.leg_evaluations.saturating_mul(factor as u64),
            scale,
        }
    }

    fn anywhere(&self) -> Vec<f64> {
        // Each use of chance has a stream of its own, so that none repeats another's numbers.
        let stream = Stream::new(self.settings.seed, &[1, self.legs]);
        (0..self.settings.dimensions as u64).map(|at| stream.uniform(at)).collect()
    }

    fn scale(&self) -> Scale {
        let figures = match &self.settings.goal {
            Goal::Sum(weights) => return Scale::Sum(weights.clone()),
            Goal::Front(figures) => *figures,
        };
        let front = self.archive.front();
        let least = |at: usize| front.iter().map(|point| point.values[at]).fold(f64::INFINITY, f64::min);
        let most = |at: usize| front.iter().map(|point| point.values[at]).fold(f64::NEG_INFINITY, f64::max);
        let ideal: Vec<f64> = (0..figures).map(least).collect();
        // A figure that is the same all over the front has no range to divide by.
        let range = (0..figures).map(|at| (most(at) - ideal[at]).max(1e-9)).collect();
        let alone = usize::try_from(self.legs).ok().filter(|leg| *leg < figures);
        let weights = match alone {
            Some(leg) => (0..figures).map(|at| if at == leg { 1.0 } else { 0.0 }).collect(),
            None => self.drawn_weights(figures),
        };
        Scale::Distance { weights, ideal, range }
    }

    /// Evenly from the simplex: exponential deviates over their sum.
    fn drawn_weights(&self, figures: usize) -> Vec<f64> {
        let stream = Stream::new(self.settings.seed, &[2, self.legs]);
        let drawn: Vec<f64> =
            // The logarithm of 0 is infinite, and a weight of 0 would leave a figure out.
            (0..figures as u64).map(|at| -libm::log(1.0 - stream.uniform(at)) + 1e-6).collect();
        let sum: f64 = drawn.iter().sum();
        drawn.into_iter().map(|weight| weight / sum).collect()
    }

    fn leg(&mut self, leg: &Leg) -> Result<(), SearchError> {
        let mut optimiser = Optimiser::new(Opening {
            start: leg.start.clone(),
            step: leg.step,
            population: leg.population,
            evaluations: leg.evaluations,
            tolerance: self.settings.tolerance,
            seed: Stream::new(self.settings.seed, &[3]).at(self.legs),
        });
        while self.go_on() {
            let (figures, known) = self.measured(|| optimiser.ask())?;
            let costs = figures.iter().map(|(at, values)| (at.clone(), leg.scale.figure(values)));
            let ended = optimiser.tell(costs.collect()).ok_or_else(|| self.diverged())?;
            self.keep(figures, known);
            if ended {
                break;
            }
        }
        Ok(())
    }

    fn found(self) -> SearchResult {
        let mut best = Vec::new();
        if let Goal::Sum(weights) = &self.settings.goal {
            let scale = Scale::Sum(weights.clone());
            let mut order: Vec<&Point> = self.archive.points.iter().collect();
            // A stable sort: of equals the one that was found first.
            order.sort_by(|a, b| scale.figure(&a.values).total_cmp(&scale.figure(&b.values)));
            for point in order {
                if best.len() == BEST_MOST {
                    break;
                }
                let apart = |other: &Point| {
                    let mut distances = other.at.iter().zip(&point.at).map(|(a, b)| (a - b).abs());
                    distances.any(|distance| distance > 0.0 && distance >= self.settings.apart)
                };
                if best.iter().all(apart) {
                    best.push(point.clone());
                }
            }
        }
        let mut front: Vec<Point> = self.archive.front().into_iter().cloned().collect();
        front.sort_by(|a, b| a.values[0].total_cmp(&b.values[0]));
        SearchResult {
            evaluations: self.archive.points.len() as u64,
            generations: self.generations,
            best,
            front,
        }
    }
}
