//! Which miners of a shared round answered alike, beyond what the judge itself predicts.
//!
//! Good answers are alike because they are good: all of them are near the truth, and where nobody knows it, near the
//! reference that everyone has, or undecided. So of each item's answer only what no combination of truth, reference and
//! uniform guess explains is compared: a model's own mistakes. Two miners are alike if, over the items on which they
//! are most mistaken, their mistakes are closer to each other than most of their size, or to each other's mirror image,
//! as a twin's are. Answers without mistakes of their own are what the judge predicts, and never evidence.
//!
//! A conformance task has one right answer and a private challenge one miner, so neither has groups.
//!
//! **Invariant.** Groups depend on the set of answers, not on their order, and on recorded bytes alone: `f64` arithmetic
//! in one fixed order, no thread, clock or randomness. No answer, whatever its bytes, panics this.

use ndarray::Array2;
use weighhouse_models::digits::CLASSES;
use weighhouse_types::RegistrationId;

/// Miners are alike when their mistakes are this close, in parts of the smaller one's size. Over 200 rounds of the
/// built-in quality task, at its 128 items:
///   weights of the same recipe from other seeds      0.88 at least
///   the better weights rounded to 4 bits, and whole  0.43 at least
///   a copy, each probability times `e^(0.2 z)`       0.48 at most (it loses 0.0003 to 0.007 of skill)
///   a copy, each probability times `e^(0.5 z)`       1.05 to 1.8 at most (it loses 0.002 to 0.04 of skill)
const ALIKE: f64 = 0.5;
/// And when they are this close to the other's mirror image. Models of any two seeds: 1.7 at least. Twins about the
/// reference: 0.46 at most with `e^(0.2 z)`, 0.76 with `e^(0.3 z)`, 1.6 with `e^(0.5 z)`.
const MIRRORED: f64 = 1.0;
/// Items for each one that is compared, which are those with the largest mistakes: noise where a model is certain costs it nothing.
const LOOKED_AT: usize = 4;
/// The largest total variation distance of any item from its prediction that counts as none. Other arithmetic moves
/// answers by 0.0000011 at most, weights rounded to half precision by 0.00023 at least (measured on the built-in
/// conformance task, whose tolerance this is).
const PREDICTED: f64 = 0.000_05;
/// Directions shorter than this are none.
const DIRECTION_MIN: f64 = 1e-9;

/// Groups of two or more miners whose answers to one shared challenge are alike; transitive. Each group is sorted, and
/// groups are sorted by their first member; a miner is in one group at most.
///
/// `reference` must be of the scans that show `truth`, and a miner occurs in `answers` once.
pub(crate) fn groups(
    truth: &[u8],
    reference: &[[f32; CLASSES]],
    answers: &[(RegistrationId, &Vec<[f32; CLASSES]>)],
) -> Vec<Vec<RegistrationId>> {
    if reference.len() != truth.len() {
        return Vec::new();
    }
    let prediction = Prediction::new(truth, reference);
    let mut left: Vec<ErrorPattern> =
        answers.iter().filter_map(|(who, rows)| prediction.left(*who, rows)).collect();
    left.sort_by_key(|left| left.who);
    // Given twice, a miner would be alike with itself.
    left.dedup_by_key(|left| left.who);
    cluster(&left)
}

/// Mistakes of one answer beyond what the judge predicts.
struct ErrorPattern {
    who: RegistrationId,
    /// A row for each item.
    mistakes: Array2<f64>,
    sizes: Vec<f64>,
}

impl ErrorPattern {
    fn alike(&self, other: &Self) -> bool {
        let items = self.looked_at(other);
        self.apart(other, &items, 1.0) <= ALIKE || self.apart(other, &items, -1.0) <= MIRRORED
    }

    /// The items on which either is most mistaken.
    fn looked_at(&self, other: &Self) -> Vec<usize> {
        let mut items: Vec<usize> = (0..self.sizes.len()).collect();
        let larger = |item: usize| self.sizes[item].max(other.sizes[item]);
        let count = items.len().div_ceil(LOOKED_AT);
        if count < items.len() {
            // Equal mistakes go by position: else the selection's own order would decide.
            items.select_nth_unstable_by(count, |a, b| larger(*b).total_cmp(&larger(*a)).then(a.cmp(b)));
            items.truncate(count);
        }
        items
    }

    /// The median, over these items, of the distance between the two mistakes over the smaller one's size; of the
    /// distance to the mirror image if `sign` is -1.
    fn apart(&self, other: &Self, items: &[usize], sign: f64) -> f64 {
        let ratio = |item: &usize| {
            let (own, theirs) = (self.mistakes.row(*item), other.mistakes.row(*item));
            let distance = size_of(&std::array::from_fn(|class| own[class] - sign * theirs[class]));
            let smaller = self.sizes[*item].min(other.sizes[*item]);
            // Where one of them made no mistake there is nothing to be alike in.
            if smaller > 0.0 { distance / smaller } else { f64::INFINITY }
        };
        let mut ratios: Vec<f64> = items.iter().map(ratio).collect();
        let middle = ratios.len() / 2;
        if ratios.is_empty() {
            return f64::INFINITY;
        }
        *ratios.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}

/// Of each item the combinations of reference, truth and uniform guess: a point and orthonormal directions from it.
struct Prediction {
    items: Vec<([f64; CLASSES], Vec<[f64; CLASSES]>)>,
}

impl Prediction {
    fn new(truth: &[u8], reference: &[[f32; CLASSES]]) -> Self {
        let item = |(row, digit): (&[f32; CLASSES], &u8)| {
            let reference = row.map(f64::from);
            let truth: [f64; CLASSES] =
                std::array::from_fn(|class| f64::from(u8::from(class == usize::from(*digit))));
            let mut directions: Vec<[f64; CLASSES]> = Vec::with_capacity(2);
            for point in [truth, [1.0 / CLASSES as f64; CLASSES]] {
                let mut direction = std::array::from_fn(|class| point[class] - reference[class]);
                directions.iter().for_each(|earlier| remove(&mut direction, earlier));
                let length = size_of(&direction);
                if length > DIRECTION_MIN {
                    directions.push(direction.map(|value| value / length));
                }
            }
            (reference, directions)
        };
        Self { items: reference.iter().zip(truth).map(item).collect() }
    }

    /// `None` for an answer that is predicted.
    fn left(&self, who: RegistrationId, rows: &[[f32; CLASSES]]) -> Option<ErrorPattern> {
        let mistake = |(row, (reference, directions)): (&[f32; CLASSES], &([f64; CLASSES], Vec<_>))| {
            let mut mistake = std::array::from_fn(|class| f64::from(row[class]) - reference[class]);
            directions.iter().for_each(|direction| remove(&mut mistake, direction));
            mistake
        };
        let mistakes: Vec<[f64; CLASSES]> = rows.iter().zip(&self.items).map(mistake).collect();
        if mistakes.iter().all(|mistake| total_variation_of(mistake) <= PREDICTED) {
            return None;
        }
        let sizes = mistakes.iter().map(size_of).collect();
        Some(ErrorPattern { who, mistakes: Array2::from(mistakes), sizes })
    }
}

fn total_variation_of(differences: &[f64; CLASSES]) -> f64 {
    differences.iter().map(|difference| difference.abs()).sum::<f64>() / 2.0
}

fn size_of(values: &[f64; CLASSES]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Takes out of `values` what lies along a direction of length 1.
fn remove(values: &mut [f64; CLASSES], direction: &[f64; CLASSES]) {
    let along: f64 = values.iter().zip(direction).map(|(value, direction)| value * direction).sum();
    values.iter_mut().zip(direction).for_each(|(value, direction)| *value -= along * direction);
}

/// Joins whoever is alike; `left` is sorted and so is what comes out.
fn cluster(left: &[ErrorPattern]) -> Vec<Vec<RegistrationId>> {
    let mut first: Vec<usize> = (0..left.len()).collect();
    for later in 1..left.len() {
        for earlier in 0..later {
            let (a, b) = (first[earlier], first[later]);
            if a != b && left[earlier].alike(&left[later]) {
                // The lesser index leads, whatever order they are joined in.
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
