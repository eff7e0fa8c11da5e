//! One generation's evaluations, from any number of threads, or read off a log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::archive::Point;

/// Upper bound of a figure: NaN and anything worse count as this.
pub const WORST: f64 = 1e30;

/// A log's generation by its points' coordinates.
pub(super) type KnownFigures = BTreeMap<Vec<u64>, Vec<f64>>;

/// Bits of coordinates that are not negative sort as the coordinates do.
pub(super) fn key(at: &[f64]) -> Vec<u64> {
    at.iter().map(|unit| unit.to_bits()).collect()
}

/// Evaluates, from any number of threads, or reads off a log what was evaluated before.
pub(super) struct Meter<'a> {
    evaluate: &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync),
    figures: usize,
    generation: Mutex<Measurement>,
}

#[derive(Default)]
struct Measurement {
    known: Option<KnownFigures>,
    points: KnownFigures,
    /// Something was asked that the log lacks.
    diverged: bool,
}

impl<'a> Meter<'a> {
    pub(super) fn new(
        evaluate: &'a (dyn Fn(&[f64]) -> Vec<f64> + Sync),
        figures: usize,
        known: Option<&KnownFigures>,
    ) -> Self {
        let generation = Mutex::new(Measurement { known: known.cloned(), ..Measurement::default() });
        Self { evaluate, figures, generation }
    }

    pub(super) fn know(&self, known: Option<KnownFigures>) {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        *generation = Measurement { known, ..Measurement::default() };
    }

    pub(super) fn measure(&self, at: &[f64]) -> Vec<f64> {
        let key = key(at);
        {
            // Held for the look-up alone: evaluating takes long and runs on all threads.
            let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = &generation.known {
                let figures = known.get(&key).filter(|values| values.len() == self.figures).cloned();
                generation.diverged |= figures.is_none();
                let figures = figures.unwrap_or_else(|| vec![WORST; self.figures]);
                generation.points.insert(key, figures.clone());
                return figures;
            }
        }
        let mut values = (self.evaluate)(at);
        values.resize(self.figures, WORST);
        values.iter_mut().for_each(|value| {
            // The log is JSON, which has no infinities.
            *value = if value.is_nan() { WORST } else { value.clamp(-WORST, WORST) };
        });
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        generation.points.insert(key, values.clone());
        values
    }

    /// The generation's points by their coordinates; none if a log said otherwise.
    pub(super) fn points(&self) -> Option<Vec<Point>> {
        let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let Measurement { known, points, diverged } = std::mem::take(&mut *generation);
        if diverged || known.is_some_and(|known| known.len() != points.len()) {
            return None;
        }
        let point = |(at, values): (Vec<u64>, Vec<f64>)| Point {
            at: at.into_iter().map(f64::from_bits).collect(),
            values,
        };
        Some(points.into_iter().map(point).collect())
    }
}
