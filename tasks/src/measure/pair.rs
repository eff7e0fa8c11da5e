//! Two miners of a persona, and the figures that follow from what they earned.

use std::collections::BTreeMap;

use weighhouse_types::Mark;
use weighhouse_types::profile::{PersonaFigures, Scope};

use super::statistics;
use crate::persona::{Answerer, Persona};

/// Significant digits of a figure that comes from marks.
const MARK_DIGITS: usize = 6;
/// Significant digits of a figure that comes from a clock.
pub(super) const TIME_DIGITS: usize = 3;

/// Two miners of a persona, and what their answers were worth.
pub(super) struct Pair {
    pub(super) persona: Persona,
    pub(super) first: Answerer,
    pub(super) second: Answerer,
    pub(super) marks: [Vec<f64>; 2],
    /// CPU-seconds per answer of the first, a block each.
    pub(super) seconds: Vec<f64>,
    /// The same, of the reference where it is asked about answers, and of the judge.
    pub(super) testifying: Vec<f64>,
    pub(super) judging: Vec<f64>,
}

impl Pair {
    pub(super) fn new(persona: Persona, first: Answerer, second: Answerer) -> Self {
        let marks = [Vec::new(), Vec::new()];
        Self {
            persona,
            first,
            second,
            marks,
            seconds: Vec::new(),
            testifying: Vec::new(),
            judging: Vec::new(),
        }
    }

    /// Its row of a profile.
    pub(super) fn measured(&self, honest: &Self, scope: Scope) -> PersonaFigures {
        let [marks, others] = &self.marks;
        let mut ratios: Vec<f64> =
            self.seconds.iter().zip(&honest.seconds).map(|(own, base)| own / base).collect();
        let rejected = marks.iter().filter(|mark| **mark <= Mark::ZERO.to_f64()).count();
        let figure = |value: f64| statistics::rounded(value, MARK_DIGITS);
        PersonaFigures {
            name: self.persona.name.to_owned(),
            mean: figure(statistics::mean(marks)),
            deviation: figure(statistics::deviation(marks)),
            cost: statistics::rounded(statistics::median(&mut ratios), TIME_DIGITS),
            rejected: figure(rejected as f64 / marks.len() as f64),
            correlation: figure(statistics::correlation(marks, others)),
            detections: self.detections(honest, scope),
            alike: BTreeMap::new(),
        }
    }

    /// By the mean of marks if challenges are private, and of differences from an honest miner's mark on the same
    /// challenge if they are shared.
    fn detections(&self, honest: &Self, scope: Scope) -> Option<u32> {
        let [marks, others] = &honest.marks;
        match scope {
            Scope::Private => statistics::detections(marks, &self.marks[0]),
            Scope::Shared => {
                let less = |marks: &[f64], base: &[f64]| -> Vec<f64> {
                    marks.iter().zip(base).map(|(mark, base)| mark - base).collect()
                };
                statistics::detections(&less(others, marks), &less(&self.marks[0], marks))
            }
        }
    }
}
