//! Which miners of a shared round answered alike, beyond what the judge itself predicts.
//!
//! Good answers are alike because they are good: all of them are near the truth, and where nobody knows it, near the
//! reference that everyone has, or undecided. So each answer is first compared with the combination of truth, reference
//! and uniform guess that comes nearest to it; what is left are its own mistakes. Two miners are alike if their answers
//! are closer to each other than a small part of what each left, or if one's mistakes are the other's mirrored, as a
//! twin's are. An answer that leaves nothing is what the judge predicts and never evidence.
//!
//! A conformance task has one right answer and a private challenge one miner, so neither has groups.
//!
//! **Invariant.** Groups depend on the set of answers, not on their order, and on recorded bytes alone: `f64` arithmetic
//! in one fixed order, no thread, clock or randomness. No answer, whatever its bytes, panics this.

use weighhouse_models::digits::CLASSES;
use weighhouse_types::{InferAnswer, RegistrationId};

use crate::wire::probabilities;
use crate::{Challenge, Mode, Reference, Scope, TaskFile};

/// Answers are alike when they are closer than this part of what either leaves.
const ALIKE: f64 = 0.1;
/// The largest total variation distance of any item from its prediction that counts as none. Other arithmetic moves
/// answers by 0.0000011 at most, weights rounded to half precision by 0.00023 at least (measured on the built-in
/// conformance task, whose tolerance this is).
const PREDICTED: f64 = 0.000_05;
/// Directions shorter than this are none.
const DIRECTION_MIN: f64 = 1e-9;

/// Groups of two or more miners whose answers to one shared challenge are alike; transitive. Each group is sorted, and
/// groups are sorted by their first member; a miner is in one group at most.
///
/// `reference` must be the challenge's, and a miner occurs in `answers` once. Answers that the judge would call malformed
/// are left out.
pub fn groups(
    file: &TaskFile,
    challenge: &Challenge,
    reference: &Reference,
    answers: &[(RegistrationId, &InferAnswer)],
) -> Vec<Vec<RegistrationId>> {
    let own = reference.challenge() == challenge.digest() && reference.rows().len() == challenge.items();
    if file.scope == Scope::Private || matches!(file.mode, Mode::Conformance { .. }) || !own {
        return Vec::new();
    }
    let prediction = Prediction::new(challenge, reference);
    let mut left: Vec<Left> = answers
        .iter()
        .filter_map(|(who, answer)| prediction.left(*who, &probabilities(answer, challenge.items()).ok()?))
        .collect();
    left.sort_by_key(|left| left.who);
    left.dedup_by_key(|left| left.who);
    cluster(&left)
}

/// What one answer left.
struct Left {
    who: RegistrationId,
    mistakes: Vec<f64>,
    squared: f64,
}

impl Left {
    fn alike(&self, other: &Self) -> bool {
        let limit = ALIKE * ALIKE * self.squared.min(other.squared);
        let within = |of: &dyn Fn(f64, f64) -> f64| {
            let mut sum = 0.0;
            let mut rows = self.mistakes.chunks(CLASSES).zip(other.mistakes.chunks(CLASSES));
            // Most pairs are far apart after a few items.
            rows.all(|(a, b)| {
                sum += a.iter().zip(b).map(|(a, b)| of(*a, *b) * of(*a, *b)).sum::<f64>();
                sum <= limit
            })
        };
        within(&|a, b| a - b) || within(&|a, b| a + b)
    }
}

/// The combinations of reference, truth and uniform guess: a point and orthonormal directions from it.
struct Prediction {
    reference: Vec<f64>,
    directions: Vec<Vec<f64>>,
}

impl Prediction {
    fn new(challenge: &Challenge, reference: &Reference) -> Self {
        let reference: Vec<f64> = reference.rows().as_flattened().iter().copied().map(f64::from).collect();
        let truth = challenge
            .truth()
            .iter()
            .flat_map(|digit| (0..CLASSES).map(|class| f64::from(u8::from(class == usize::from(*digit)))));
        let uniform = std::iter::repeat_n(1.0 / CLASSES as f64, reference.len());
        let towards = |points: Vec<f64>| -> Vec<f64> {
            points.iter().zip(&reference).map(|(point, from)| point - from).collect()
        };
        let mut directions: Vec<Vec<f64>> = Vec::new();
        for mut direction in [towards(truth.collect()), towards(uniform.collect())] {
            for earlier in &directions {
                remove(&mut direction, earlier);
            }
            let length = squared(&direction).sqrt();
            if length > DIRECTION_MIN {
                direction.iter_mut().for_each(|value| *value /= length);
                directions.push(direction);
            }
        }
        Self { reference, directions }
    }

    /// `None` for an answer that is a combination itself.
    fn left(&self, who: RegistrationId, rows: &[[f32; CLASSES]]) -> Option<Left> {
        let answer = rows.as_flattened().iter().copied().map(f64::from);
        let mut mistakes: Vec<f64> = answer.zip(&self.reference).map(|(value, from)| value - from).collect();
        for direction in &self.directions {
            remove(&mut mistakes, direction);
        }
        let (own, _) = mistakes.as_chunks::<CLASSES>();
        if own.iter().all(|row| total_variation_of(row) <= PREDICTED) {
            return None;
        }
        let squared = squared(&mistakes);
        Some(Left { who, mistakes, squared })
    }
}

fn total_variation_of(differences: &[f64; CLASSES]) -> f64 {
    differences.iter().map(|difference| difference.abs()).sum::<f64>() / 2.0
}

fn squared(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// Takes out of `values` what lies along a direction of length 1.
fn remove(values: &mut [f64], direction: &[f64]) {
    let along: f64 = values.iter().zip(direction).map(|(value, direction)| value * direction).sum();
    values.iter_mut().zip(direction).for_each(|(value, direction)| *value -= along * direction);
}

/// Joins whoever is alike; `left` is sorted and so is what comes out.
fn cluster(left: &[Left]) -> Vec<Vec<RegistrationId>> {
    let mut first: Vec<usize> = (0..left.len()).collect();
    for later in 1..left.len() {
        for earlier in 0..later {
            let (a, b) = (first[earlier], first[later]);
            if a != b && left[earlier].alike(&left[later]) {
                let (to, from) = (a.min(b), a.max(b));
                first.iter_mut().filter(|at| **at == from).for_each(|at| *at = to);
            }
        }
    }
    (0..left.len())
        .map(|leader| {
            let members = left.iter().zip(&first).filter(|(_, first)| **first == leader);
            members.map(|(left, _)| left.who).collect::<Vec<_>>()
        })
        .filter(|group| group.len() > 1)
        .collect()
}

#[cfg(test)]
mod tests;
