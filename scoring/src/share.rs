//! From scores to the vector of an epoch: clusters, shape, caps, burn, and what the chain asks of a vector.
//!
//! A score of zero has weight zero under every shape, equal scores that nothing else tells apart have equal weights, and a
//! higher score never has a lower weight. Floating point is the four basic operations and `libm`, in a fixed order.

use weighhouse_types::{Score, Uid};

use crate::conform::{ConformError, Limits, conform_into};
use crate::policy::{ClusterPay, Fraction, Policy, Shape};

#[cfg(test)]
mod tests;

/// One miner that may be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub uid: Uid,
    pub score: Score,
    /// Miners of one number answer alike beyond what the judge expects.
    pub cluster: Option<u32>,
    /// The place when the epoch before was weighed, the best being 0.
    pub place: Option<u16>,
    /// The block of its registration: a cluster's earliest was there first.
    pub registered_at: u64,
}

/// Makes vectors; keeps its buffers, so that nothing is allocated once they are large enough.
#[derive(Clone, Debug, Default)]
pub struct Weigher {
    weights: Vec<(Uid, f64)>,
    /// Candidates that stand for themselves or their cluster, best first.
    order: Vec<usize>,
    /// By candidate: who stands for it.
    stands: Vec<usize>,
    places: Vec<Option<u16>>,
    sorted: Vec<f64>,
}

impl Weigher {
    pub fn new() -> Self {
        Self::default()
    }

    /// The vector that the chain is sent, ascending by uid; `burn` is the uid that gets the policy's burn.
    ///
    /// # Errors
    /// Weights without an honest vector: see [`ConformError`].
    pub fn vector(
        &mut self,
        policy: &Policy,
        candidates: &[Candidate],
        burn: Option<Uid>,
        limits: &Limits,
        out: &mut Vec<(Uid, u16)>,
    ) -> Result<(), ConformError> {
        self.weights(policy, candidates, burn);
        // The burn was pushed last; the chain wants ascending uids.
        self.weights.sort_unstable_by_key(|(uid, _)| *uid);
        conform_into(&mut self.weights, limits, &mut self.sorted, out)
    }

    /// The relative weights before the chain's limits, in the order of `candidates`; the burn, if any, comes last.
    pub fn weights(&mut self, policy: &Policy, candidates: &[Candidate], burn: Option<Uid>) -> &[(Uid, f64)] {
        let clustered = policy.cluster_pay() != ClusterPay::Each
            && candidates.iter().any(|candidate| candidate.cluster.is_some());
        self.stands.clear();
        self.stands.extend(0..candidates.len());
        if clustered {
            self.stand(candidates);
        }
        self.shape(policy.shape(), candidates);
        if clustered {
            self.split(policy.cluster_pay(), candidates);
        }
        // After the clusters were split: a cap on each member would let a cluster have several.
        if policy.cap() < Fraction::ONE {
            cap(&mut self.weights, policy.cap().to_f64(), &mut self.sorted);
        }
        if let (Some((share, _)), Some(uid)) = (policy.burn(), burn) {
            self.burn(share.to_f64(), uid);
        }
        &self.weights
    }

    /// By candidate: its place now, the best being 0; `None` where it has no score. To be carried to the next epoch.
    pub fn places(&self) -> &[Option<u16>] {
        &self.places
    }

    /// Representatives: each candidate for itself, or a cluster's best, the earliest of equals.
    fn stand(&mut self, candidates: &[Candidate]) {
        let rank = |at: usize| {
            let candidate = &candidates[at];
            // The oldest of equals: registering once more must not win a place.
            (std::cmp::Reverse(candidate.score), candidate.registered_at, candidate.uid)
        };
        for (at, candidate) in candidates.iter().enumerate() {
            let Some(cluster) = candidate.cluster else { continue };
            let members = candidates.iter().enumerate().filter(|(_, other)| other.cluster == Some(cluster));
            if let Some(best) = members.map(|(member, _)| member).min_by_key(|member| rank(*member)) {
                self.stands[at] = best;
            }
        }
    }

    fn shape(&mut self, shape: Shape, candidates: &[Candidate]) {
        self.weights.clear();
        // Billionths below 2^53: exact.
        let weights = candidates.iter().zip(&self.stands).enumerate().map(|(at, (candidate, stands))| {
            let weight = if *stands == at { candidate.score.billionths() as f64 } else { 0.0 };
            (candidate.uid, weight)
        });
        self.weights.extend(weights);
        self.places.clear();
        let weights = &mut self.weights;
        let top = |weights: &[(Uid, f64)]| weights.iter().map(|(_, score)| *score).fold(0.0, f64::max);
        match shape {
            Shape::Linear => {}
            Shape::Power { exponent } => {
                let top = top(weights);
                // Relative to the best, so that no power underflows for everybody.
                remake(weights, |_, score| libm::pow(score / top, exponent));
            }
            Shape::Softmax { temperature } => {
                let top = top(weights);
                // Softmax is the same for shifted scores, and no exponential overflows.
                remake(weights, |_, score| libm::exp((score - top) / 1e9 / temperature));
            }
            Shape::Rank { .. } | Shape::WinnerTakesAll { .. } | Shape::TopK { .. } => {
                self.rank(shape, candidates);
                let places = &self.places;
                let place = |at: usize| places[at].map_or(usize::MAX, usize::from);
                remake(&mut self.weights, |at, score| match shape {
                    Shape::Rank { ratio, .. } => libm::pow(ratio, place(at) as f64),
                    Shape::TopK { keep } if place(at) >= keep => 0.0,
                    Shape::WinnerTakesAll { .. } => f64::from(u8::from(place(at) == 0)),
                    _ => score,
                });
            }
        }
    }

    /// Places, equals on one; who was ahead stays ahead of whom does not beat it by the hysteresis.
    fn rank(&mut self, shape: Shape, candidates: &[Candidate]) {
        let margin = match shape {
            Shape::Rank { hysteresis, .. } | Shape::WinnerTakesAll { hysteresis } => hysteresis,
            Shape::Linear | Shape::Power { .. } | Shape::Softmax { .. } | Shape::TopK { .. } => {
                Fraction::ZERO
            }
        };
        let score = |at: usize| candidates[at].score.billionths();
        let stands = &self.stands;
        self.places.resize(candidates.len(), None);
        self.order.clear();
        self.order.extend((0..candidates.len()).filter(|&at| stands[at] == at && score(at) > 0));
        if margin == Fraction::ZERO {
            self.order.sort_by_key(|&at| (std::cmp::Reverse(score(at)), candidates[at].uid));
        } else {
            let before = |at: usize| candidates[at].place.map_or(usize::MAX, usize::from);
            self.order.sort_by_key(|&at| (before(at), std::cmp::Reverse(score(at)), candidates[at].uid));
            let unit = Fraction::ONE.billionths();
            let beats = |challenger: usize, holder: usize| {
                let needed = match candidates[holder].place {
                    Some(_) => unit + margin.billionths(),
                    None => unit,
                };
                // At most 10^9 x 2 x 10^9, which fits 64 bits.
                score(challenger) * unit > score(holder) * needed
            };
            insertion_sort(&mut self.order, beats);
        }
        let mut place = 0;
        for position in 0..self.order.len() {
            let (at, previous) =
                (self.order[position], position.checked_sub(1).map(|before| self.order[before]));
            // Under hysteresis equal scores from different places are no tie: the holder stays ahead.
            let ties = previous.is_some_and(|previous| {
                score(previous) == score(at)
                    && (margin == Fraction::ZERO || candidates[previous].place == candidates[at].place)
            });
            if !ties {
                place = position;
            }
            self.places[at] = u16::try_from(place).ok();
        }
    }

    /// A cluster's pay to its members.
    fn split(&mut self, pay: ClusterPay, candidates: &[Candidate]) {
        for at in 0..candidates.len() {
            let best = self.stands[at];
            if candidates[at].cluster.is_none() || best != at {
                continue;
            }
            let members = |other: &usize| self.stands[*other] == at;
            let weight = self.weights[at].1;
            match pay {
                ClusterPay::Each => {}
                ClusterPay::Split => {
                    // Members without a score take no part: they would only dilute the pay of those who earned it.
                    let earning = |other: &usize| members(other) && candidates[*other].score > Score::ZERO;
                    let count = (0..candidates.len()).filter(earning).count();
                    for other in (0..candidates.len()).filter(earning).collect::<Vec<_>>() {
                        self.weights[other].1 = weight / count as f64;
                    }
                }
                ClusterPay::First => {
                    let first = (0..candidates.len())
                        .filter(members)
                        .min_by_key(|&other| (candidates[other].registered_at, candidates[other].uid));
                    self.weights[at].1 = 0.0;
                    if let Some(first) = first {
                        self.weights[first].1 = weight;
                    }
                }
            }
        }
    }

    fn burn(&mut self, share: f64, uid: Uid) {
        let total = self.weights.iter().fold(0.0, |total, (_, weight)| total + weight);
        if total > 0.0 {
            // Added to the total, this makes up the given share of both.
            let burned = total * share / (1.0 - share);
            match self.weights.iter_mut().find(|(other, _)| *other == uid) {
                Some((_, weight)) => *weight += burned,
                None => self.weights.push((uid, burned)),
            }
        }
    }
}

/// Weights of their places and scores, where there is a score.
fn remake(weights: &mut [(Uid, f64)], weight: impl Fn(usize, f64) -> f64) {
    let scored = weights.iter_mut().enumerate().filter(|(_, (_, score))| *score > 0.0);
    scored.for_each(|(at, (_, score))| *score = weight(at, *score));
}

/// Sorts by a relation that need not be transitive: each in turn passes those right before it that it beats.
fn insertion_sort(order: &mut [usize], beats: impl Fn(usize, usize) -> bool) {
    for end in 1..order.len() {
        let mut at = end;
        while at > 0 && beats(order[at], order[at - 1]) {
            order.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Lowers the largest weights to `share` of the sum that results; where there are too few positive weights for that, to
/// equal ones.
fn cap(weights: &mut [(Uid, f64)], share: f64, sorted: &mut Vec<f64>) {
    sorted.clear();
    sorted.extend(weights.iter().map(|(_, weight)| *weight).filter(|weight| *weight > 0.0));
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len();
    // With the `cut` largest at the level L and the rest whole, L = share x (cut x L + rest).
    let mut rest = sorted.iter().fold(0.0, |total, weight| total + weight);
    for cut in 0..count {
        let largest_whole = sorted[count - 1 - cut];
        let level = if cut == 0 { share * rest } else { share * rest / (1.0 - share * cut as f64) };
        let is_free = 1.0 - share * cut as f64 <= 0.0;
        // So many are cut that the rest can't fill the sum any more: only equal weights are left.
        if is_free {
            break;
        }
        if largest_whole <= level {
            if cut > 0 {
                weights.iter_mut().for_each(|(_, weight)| *weight = weight.min(level));
            }
            return;
        }
        rest -= largest_whole;
    }
    weights.iter_mut().filter(|(_, weight)| *weight > 0.0).for_each(|(_, weight)| *weight = 1.0);
}
