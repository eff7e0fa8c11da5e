//! Settings of a search: the goal, the box, the budget and the starting points.

use weighhouse_types::{Digest, Hasher};

use super::error::SearchError;

/// Most coordinates of one problem.
pub const DIMENSIONS_MAX: usize = 256;
/// Most evaluations of one search, each held in memory.
pub const EVALUATIONS_MAX: u64 = 4_000_000;

/// Order of evaluations; smaller figures are better.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// The least sum of the figures, each times its weight.
    Sum(Vec<f64>),
    /// The Pareto front of this number of figures.
    Front(usize),
}

impl Goal {
    /// Number of figures of one evaluation.
    pub fn figures(&self) -> usize {
        match self {
            Self::Sum(weights) => weights.len(),
            Self::Front(figures) => *figures,
        }
    }
}

/// Settings of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub seed: u64,
    pub goal: Goal,
    /// Coordinates of a point, each in [0, 1].
    pub dimensions: usize,
    /// Points to begin with; none: the middle.
    pub starts: Vec<Vec<f64>>,
    /// Budget: the search ends with the generation that reaches it.
    pub evaluations: u64,
    /// Evaluations of one leg of the smallest population, and in proportion for the larger ones.
    pub leg_evaluations: u64,
    /// Standard deviation of a leg's first generation in each coordinate.
    pub step: f64,
    /// A leg has converged when its figures differ by less than this.
    pub tolerance: f64,
    /// Least distance between the reported best points in some coordinate; 0: they only differ.
    pub apart: f64,
}

impl Settings {
    /// Settings for a problem of `dimensions` coordinates, to begin in the middle.
    pub fn new(seed: u64, goal: Goal, dimensions: usize, evaluations: u64) -> Self {
        Self {
            seed,
            goal,
            dimensions,
            starts: Vec::new(),
            evaluations,
            leg_evaluations: 100 * dimensions as u64,
            step: 0.3,
            tolerance: 1e-12,
            apart: 0.0,
        }
    }

    pub(super) fn check(&self) -> Result<(), SearchError> {
        let within = |key, found: f64, least: f64, most: f64| {
            let right = (least..=most).contains(&found);
            if right { Ok(()) } else { Err(SearchError::Range { key, found, least, most }) }
        };
        within("number of parameters", self.dimensions as f64, 1.0, DIMENSIONS_MAX as f64)?;
        within("number of evaluations", self.evaluations as f64, 1.0, EVALUATIONS_MAX as f64)?;
        within("evaluations of a leg", self.leg_evaluations as f64, 1.0, EVALUATIONS_MAX as f64)?;
        within("number of figures", self.goal.figures() as f64, 1.0, 64.0)?;
        within("step", self.step, 1e-9, 1.0)?;
        within("tolerance", self.tolerance, 0.0, 1e9)?;
        if let Goal::Sum(weights) = &self.goal {
            weights.iter().try_for_each(|&weight| within("weight", weight, -1e9, 1e9))?;
        }
        for start in &self.starts {
            within("start's length", start.len() as f64, self.dimensions as f64, self.dimensions as f64)?;
        }
        Ok(())
    }

    /// All that decides which points are asked for, but for how long.
    pub(super) fn identity(&self, problem: Digest) -> Digest {
        let numbers = |values: &[f64]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_bits().to_le_bytes()).collect()
        };
        let mut hasher = Hasher::new("weighhouse/search/1")
            .part(problem.as_bytes())
            .part(&self.seed.to_le_bytes())
            .part(&(self.dimensions as u64).to_le_bytes())
            .part(&self.leg_evaluations.to_le_bytes())
            // Without `apart`, which only chooses which of the points found are reported.
            .part(&numbers(&[self.step, self.tolerance]));
        hasher = match &self.goal {
            Goal::Sum(weights) => hasher.part(b"sum").part(&numbers(weights)),
            Goal::Front(figures) => hasher.part(b"front").part(&(*figures as u64).to_le_bytes()),
        };
        self.starts.iter().fold(hasher, |hasher, start| hasher.part(&numbers(start))).finish()
    }

    /// The crate's default, Hansen's 4 + 3 ln n, from our own logarithm.
    pub(super) fn population(&self) -> usize {
        4 + libm::floor(3.0 * libm::log(self.dimensions as f64)) as usize
    }
}
