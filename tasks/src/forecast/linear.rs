//! Least squares: what of a column lies within the span of others.
//!
//! By one-sided Jacobi rotations in written order: columns are turned pairwise until all are at right angles to one another; their lengths
//! are the singular values then, and those that are small beside the largest count as nothing.

use super::series::{ScoreError, Series, common, dot, is_constant, overlap};

/// Singular values below this share of the largest one count as nothing.
const RCOND: f64 = 1e-6;
const SWEEPS_MAX: usize = 60;

/// Columns by which predictions are neutralised, over the same ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Neutralizers {
    ids: Vec<String>,
    columns: Vec<Vec<f64>>,
}

impl Neutralizers {
    /// # Errors
    /// Columns over other ids than the first one's.
    pub fn new(columns: &[Series]) -> Result<Self, ScoreError> {
        let ids = columns.first().map_or(&[][..], Series::ids).to_vec();
        if columns.iter().any(|column| column.ids() != ids) {
            return Err(ScoreError::Ids);
        }
        Ok(Self { ids, columns: columns.iter().map(|column| column.values().to_vec()).collect() })
    }

    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    pub(super) fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// Ids with a value in every column.
    pub(super) fn present(&self) -> Vec<String> {
        let whole = |at: &usize| self.columns.iter().all(|column| !column[*at].is_nan());
        (0..self.ids.len()).filter(whole).map(|at| self.ids[at].clone()).collect()
    }

    /// Only these ids, which are among its own and in order.
    pub(super) fn only(&self, ids: &[String]) -> Self {
        let at: Vec<_> = ids.iter().filter_map(|id| self.ids.binary_search(id).ok()).collect();
        let column = |column: &Vec<f64>| at.iter().map(|at| column[*at]).collect();
        Self { ids: ids.to_vec(), columns: self.columns.iter().map(column).collect() }
    }

    /// What these and several series have in common, each of which must keep its share of rows.
    pub(super) fn with(
        &self,
        series: &[&Series],
        dropped_most: f64,
    ) -> Result<(Self, Vec<Series>), ScoreError> {
        let lists = series.iter().map(|one| one.present().cloned().collect::<Vec<_>>());
        let ids = common(lists.chain(std::iter::once(self.present())));
        for of in series.iter().map(|one| one.len()).chain(std::iter::once(self.ids.len())) {
            overlap(ids.len(), of, dropped_most)?;
        }
        Ok((self.only(&ids), series.iter().map(|one| one.only(&ids)).collect()))
    }

    /// The column less its projection, or a part of that, on these and a constant.
    pub(super) fn neutralized(&self, column: &[f64], part: f64) -> Result<Vec<f64>, ScoreError> {
        if is_constant(column) {
            return Err(ScoreError::Constant);
        }
        let mut turned = self.columns.clone();
        turned.push(vec![1.0; column.len()]);
        turn(&mut turned);
        let squares: Vec<f64> = turned.iter().map(|one| dot(one, one)).collect();
        let largest = squares.iter().fold(0.0, |largest: f64, next| largest.max(*next));
        let mut projection = vec![0.0; column.len()];
        for (one, square) in turned.iter().zip(&squares) {
            if libm::sqrt(*square) > RCOND * libm::sqrt(largest) {
                let share = dot(one, column) / square;
                projection.iter_mut().zip(one).for_each(|(sum, value)| *sum += share * value);
            }
        }
        Ok(column.iter().zip(&projection).map(|(value, projected)| value - part * projected).collect())
    }
}

/// Turns columns pairwise until they are at right angles to one another, but for rounding.
fn turn(columns: &mut [Vec<f64>]) {
    for _ in 0..SWEEPS_MAX {
        let mut is_done = true;
        for first in 0..columns.len() {
            for second in first + 1..columns.len() {
                let (head, tail) = columns.split_at_mut(second);
                is_done &= !rotate(&mut head[first], &mut tail[0]);
            }
        }
        if is_done {
            return;
        }
    }
}

/// Turns two columns in their plane; true where they were not at right angles yet.
fn rotate(one: &mut [f64], other: &mut [f64]) -> bool {
    let (alpha, beta, gamma) = (dot(one, one), dot(other, other), dot(one, other));
    if gamma.abs() <= f64::EPSILON * libm::sqrt(alpha * beta) {
        return false;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let sign = if zeta < 0.0 { -1.0 } else { 1.0 };
    let tangent = sign / (zeta.abs() + libm::sqrt(1.0 + zeta * zeta));
    let cosine = 1.0 / libm::sqrt(1.0 + tangent * tangent);
    let sine = cosine * tangent;
    for (a, b) in one.iter_mut().zip(other) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
    true
}
