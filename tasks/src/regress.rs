//! Kind `regress`: tables with some targets missing, and predictions of them.
//!
//! This is the worked example of `docs/new-task.md`: everything that a kind needs in one file. A table is drawn from a seed,
//! and with it the truth and the skill of a straight line, which is the floor. All of it follows from the seed, so there is no
//! word of a reference to record, and an auditor has to believe nobody.

use crate::kind::prelude::*;
use crate::persona::Conduct::{Better, Cheat, Honest};
use ndarray::{Array2, ArrayView1, ArrayView2};

/// Tensors of the request: all rows, and the targets of the first of them; and of the answer: the targets of the others.
const FEATURES: &str = "features";
const TARGETS: &str = "targets";
const PREDICTIONS: &str = "predictions";

const ROWS_MAX: u32 = 4_096;
const FEATURES_MAX: u32 = 16;
/// Added to the diagonal of the normal equations, so that they have a solution whatever the rows are.
const RIDGE: f64 = 1e-6;

/// A task of tables.
pub(crate) struct Regress {
    /// Targets that are asked about.
    items: usize,
    rows: usize,
    features: usize,
    bend: f64,
    noise: f64,
    floor_margin: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    rows: u32,
    features: u32,
    bend: f64,
    noise: f64,
    floor_margin: f64,
}

/// A table, and what only the judge knows of it.
#[derive(Debug, Encode)]
pub(crate) struct Table {
    /// Row-major; rows with targets come first.
    features: Vec<f32>,
    targets: Vec<f32>,
    truth: Vec<f32>,
    /// The skill of the straight line.
    floor: f64,
}

impl Kind for Regress {
    const NAME: &'static str = "regress";
    const FILES: &'static [(&'static str, &'static str)] =
        &[("regress", include_str!("../files/regress.toml"))];

    const TABLE: Option<&'static str> = Some(Self::NAME);

    type Section = Settings;
    type Question = Table;
    type Answer = Vec<f32>;
    type Word = ();

    fn new(file: &TaskFile, settings: Settings, _: &dyn References) -> Result<Self, TaskError> {
        let Settings { rows, features, bend, noise, floor_margin } = settings;
        Ok(Self {
            items: file.items as usize,
            rows: count("regress.rows", rows, ROWS_MAX)? as usize,
            features: count("regress.features", features, FEATURES_MAX)? as usize,
            bend: within("regress.bend", bend, 1.0)?,
            noise: within("regress.noise", noise, 1.0)?,
            floor_margin: within("regress.floor_margin", floor_margin, 1.0)?,
        })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Table>, TaskError> {
        Ok(per_seed(seeds, |rng| {
            let mut normal = Gaussian::default();
            let mut draw = |deviation: f64| deviation * normal.next(rng);
            // The order of the draws is part of the challenge: a seed must give the same table for ever.
            let numbers = (self.rows + self.items) * self.features;
            let features: Vec<f32> = (0..numbers).map(|_| draw(1.0) as f32).collect();
            // One more than the features, for the constant term.
            let mut weights: Vec<f64> = (0..=self.features).map(|_| draw(1.0)).collect();
            let products = self.features * (self.features + 1) / 2;
            weights.extend((0..products).map(|_| draw(self.bend)));
            let rows = self.rows(&features);
            let exact: Vec<f64> =
                rows.rows().into_iter().map(|row| dot(&terms(row, Line::Bent), &weights)).collect();
            let (told, asked) = exact.split_at(self.rows);
            // The truth has no noise, so that a perfect model reaches a skill of 1.
            let targets: Vec<f32> = told.iter().map(|target| (target + draw(self.noise)) as f32).collect();
            let truth: Vec<f32> = asked.iter().map(|target| *target as f32).collect();
            let floor = skill(&truth, &predict(rows, &targets, self.rows, Line::Straight), &targets);
            Table { features, targets, truth, floor }
        }))
    }

    fn request(&self, table: &Table) -> InferRequest {
        let features = Tensor::table(FEATURES, self.rows(&table.features));
        InferRequest::asking(vec![features, Tensor::numbers(TARGETS, &table.targets)], &[PREDICTIONS])
    }

    fn read(&self, table: &Table, answer: &InferAnswer) -> Result<Vec<f32>, Judgement> {
        reading::numbers(answer, PREDICTIONS, &[table.truth.len()])
    }

    fn judge(&self, table: &Table, (): &(), predictions: &Vec<f32>) -> Result<Judgement, TaskError> {
        let own = skill(&table.truth, predictions, &table.targets);
        Ok(verdict::skill(own, table.floor, self.floor_margin))
    }

    fn personas(&self) -> Vec<Persona> {
        let honest =
            persona("honest", Honest, |rows, told, _| predict(rows, told, told.len(), Line::Straight));
        vec![
            honest.clone(),
            persona("better", Better, |rows, told, _| predict(rows, told, told.len(), Line::Bent)),
            // Looks at as many rows as a line needs, and no more.
            persona("hasty", Cheat, |rows, told, _| predict(rows, told, rows.ncols() + 2, Line::Straight)),
            // Says the mean of the told targets to everything.
            persona("mean", Cheat, |rows, told, _| vec![mean(told) as f32; rows.nrows() - told.len()]),
            persona("random", Cheat, |rows, told, rng| {
                let mut normal = Gaussian::default();
                (told.len()..rows.nrows()).map(|_| normal.next(rng) as f32).collect()
            }),
            Persona::cached(&honest),
            persona("nan", Cheat, |rows, told, _| vec![f32::NAN; rows.nrows() - told.len()]),
            Persona::silent(),
        ]
    }
}

impl Regress {
    fn rows<'a>(&self, features: &'a [f32]) -> ArrayView2<'a, f32> {
        let shape = (self.rows + self.items, self.features);
        ArrayView2::from_shape(shape, features).expect("drawn with this shape")
    }
}

/// Predictions of the rows without targets, from all rows and the told targets.
type Predict = fn(ArrayView2<'_, f32>, &[f32], &mut ChaCha20Rng) -> Vec<f32>;

fn persona(name: &'static str, conduct: Conduct, predict: Predict) -> Persona {
    Persona::simple(name, conduct, move |request, rng| {
        let rows = request.input(FEATURES).ok()?.matrix().ok()?;
        let told = request.input(TARGETS).ok()?.to_f32().ok()?;
        let is_sound = told.len() <= rows.nrows();
        let predictions = is_sound.then(|| predict(rows.view(), &told, rng))?;
        Some(request.answered(vec![Tensor::numbers(PREDICTIONS, &predictions)]))
    })
}

/// The shape of the line that is fitted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Straight,
    /// With the products of two features, as the truth has.
    Bent,
}

/// The terms of which a target is the weighted sum.
fn terms(row: ArrayView1<'_, f32>, line: Line) -> Vec<f64> {
    let row: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
    let mut terms = vec![1.0];
    terms.extend(&row);
    if line == Line::Bent {
        let pairs = (0..row.len()).flat_map(|one| (0..=one).map(move |other| (one, other)));
        terms.extend(pairs.map(|(one, other)| row[one] * row[other]));
    }
    terms
}

/// Fits a line to the first `fitted` rows by least squares, and predicts those without a target.
fn predict(rows: ArrayView2<'_, f32>, told: &[f32], fitted: usize, line: Line) -> Vec<f32> {
    let rows: Vec<Vec<f64>> = rows.rows().into_iter().map(|row| terms(row, line)).collect();
    let width = rows.first().map_or(0, Vec::len);
    let mut equations = Array2::from_diag_elem(width, RIDGE);
    let mut right = vec![0.0; width];
    for (row, target) in rows.iter().zip(told).take(fitted) {
        for (at, term) in row.iter().enumerate() {
            right[at] += term * f64::from(*target);
            for (other, factor) in row.iter().enumerate() {
                equations[[at, other]] += term * factor;
            }
        }
    }
    let weights = solve(equations, right);
    rows[told.len()..].iter().map(|row| dot(row, &weights) as f32).collect()
}

/// Gauss elimination without pivoting, for positive definite equations.
fn solve(mut equations: Array2<f64>, mut right: Vec<f64>) -> Vec<f64> {
    for pivot in 0..right.len() {
        for below in pivot + 1..right.len() {
            // Positive definite equations have no pivot of 0.
            let factor = equations[[below, pivot]] / equations[[pivot, pivot]];
            for column in pivot..right.len() {
                equations[[below, column]] -= factor * equations[[pivot, column]];
            }
            right[below] -= factor * right[pivot];
        }
    }
    for row in (0..right.len()).rev() {
        for known in row + 1..right.len() {
            right[row] -= equations[[row, known]] * right[known];
        }
        right[row] /= equations[[row, row]];
    }
    right
}

/// The coefficient of determination (R squared) about the mean of the told targets: 1 for the truth, 0 for that mean.
fn skill(truth: &[f32], predictions: &[f32], told: &[f32]) -> f64 {
    let mean = mean(told);
    let squares = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        let errors = truth.iter().zip(predictions).map(|(one, other)| of(f64::from(*one), f64::from(*other)));
        errors.map(|error| error * error).sum()
    };
    1.0 - squares(&|truth, prediction| truth - prediction) / squares(&|truth, _| truth - mean)
}

// Sums run in the order of the rows: `ndarray`'s own promise none.
fn mean(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len() as f64
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[cfg(test)]
mod tests;
