//! Every point that was evaluated, in the order of the log.

use serde::{Deserialize, Serialize};

use super::pareto;

/// Points that a front keeps while a search runs.
const FRONT_MOST: usize = 256;

/// One evaluated point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Coordinates in [0, 1].
    pub at: Vec<f64>,
    /// Figures of the point; smaller is better.
    pub values: Vec<f64>,
}

/// All of them, with those that no other beats.
#[derive(Debug, Default)]
pub(super) struct Archive {
    pub(super) points: Vec<Point>,
    /// Places of the non-dominated.
    front: Vec<usize>,
}

impl Archive {
    pub(super) fn push(&mut self, point: Point) {
        let at = self.points.len();
        self.points.push(point);
        let new = &self.points[at].values;
        let of = |other: usize| &self.points[other].values;
        // A point equal to one of the front adds nothing to it.
        if self.front.iter().any(|&other| of(other) == new || pareto::dominates(of(other), new)) {
            return;
        }
        self.front.retain(|&other| !pareto::dominates(new, of(other)));
        self.front.push(at);
        pareto::thin(|at| &self.points[at].values, &mut self.front, FRONT_MOST);
    }

    pub(super) fn front(&self) -> Vec<&Point> {
        self.front.iter().map(|&at| &self.points[at]).collect()
    }

    /// The place of the point with the least `figure`; of equals, the first.
    pub(super) fn least(&self, figure: impl Fn(&[f64]) -> f64) -> Option<usize> {
        (0..self.points.len()).min_by(|&a, &b| {
            figure(&self.points[a].values).total_cmp(&figure(&self.points[b].values)).then(a.cmp(&b))
        })
    }
}
