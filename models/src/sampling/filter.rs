//! Top-k, then top-p: which tokens can be chosen at all.

use std::cmp::Ordering;

use super::{Sampling, finite_order};

/// Tokens that are put in order at first when nobody knows how many top-p needs.
const SORTED_FIRST: usize = 64;

/// The tokens that pass, largest logit first, equal logits by ascending id.
pub(super) struct SamplingCandidates {
    temperature: f64,
    top_p: f64,
    ids: Vec<u32>,
    /// The others, with what each lacks.
    others: Others,
}

struct Others {
    /// All tokens in order.
    logits: Vec<f64>,
    /// The smallest logit that top-k lets pass.
    floor: f64,
    top_k: usize,
    total: f64,
    peak: f64,
}

impl SamplingCandidates {
    /// `None` when every token passes.
    pub(super) fn new(sampling: &Sampling, logits: &[f32]) -> Option<Self> {
        let count = logits.len();
        let top_k = match sampling.top_k as usize {
            0 => count,
            top_k => top_k.min(count),
        };
        let top_p = f64::from(sampling.top_p);
        if logits.is_empty() || (top_k == count && top_p >= 1.0) {
            return None;
        }
        let logits: Vec<f64> = logits.iter().map(|logit| finite_order(*logit)).collect();
        let order = |a: &u32, b: &u32| descending(&logits, *a, *b);
        let mut ids: Vec<u32> = (0..count as u32).collect();
        if top_k < count {
            ids.select_nth_unstable_by(top_k - 1, order);
            ids.truncate(top_k);
        }
        let temperature = f64::from(sampling.temperature);
        // Ascending ids, so that the sum's last bits don't depend on how the tokens were selected.
        ids.sort_unstable();
        let peak = ids.iter().map(|id| logits[*id as usize]).fold(f64::NEG_INFINITY, f64::max);
        let floor = ids.iter().map(|id| logits[*id as usize]).fold(f64::INFINITY, f64::min);
        let total = ids.iter().map(|id| weight(logits[*id as usize], peak, temperature)).sum();
        let mut kept = Self { temperature, top_p, ids, others: Others { logits, floor, top_k, total, peak } };
        kept.cut();
        Some(kept)
    }

    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Puts as many tokens in order as top-p needs, and drops the rest.
    fn cut(&mut self) {
        let Others { logits, total, peak, .. } = &self.others;
        let order = |a: &u32, b: &u32| descending(logits, *a, *b);
        if self.top_p >= 1.0 {
            return;
        }
        let (mut sorted, mut mass) = (0, 0.0);
        while sorted < self.ids.len() {
            // Four times as many each time: how many are needed shows only at the end.
            let upto = (sorted * 4).max(SORTED_FIRST).min(self.ids.len());
            if upto < self.ids.len() {
                self.ids[sorted..].select_nth_unstable_by(upto - sorted - 1, order);
            }
            self.ids[sorted..upto].sort_unstable_by(order);
            for at in sorted..upto {
                mass += weight(logits[self.ids[at] as usize], *peak, self.temperature);
                if mass >= self.top_p * total {
                    self.ids.truncate(at + 1);
                    return;
                }
            }
            sorted = upto;
        }
    }

    /// The distance of a token from being let in; 0 for one that is.
    pub(super) fn lacks(&self, token: u32) -> f64 {
        let Others { logits, floor, top_k, total, peak } = &self.others;
        let Some(&own) = logits.get(token as usize) else { return f64::INFINITY };
        if self.ids.contains(&token) {
            return 0.0;
        }
        let mut before: Vec<u32> =
            (0..logits.len() as u32).filter(|id| descending(logits, *id, token) == Ordering::Less).collect();
        let outside_top_k = before.len() >= *top_k;
        let to_top_k = if outside_top_k { super::distance(*floor, own) } else { 0.0 };
        if self.top_p >= 1.0 || outside_top_k {
            return to_top_k;
        }
        // In the order in which `cut` adds up, so that both sums agree to the last bit.
        before.sort_unstable_by(|a, b| descending(logits, *a, *b));
        let mass: f64 = before.iter().map(|id| weight(logits[*id as usize], *peak, self.temperature)).sum();
        let left = 1.0 - mass / total;
        let to_top_p =
            // At 0 or below, the tokens before it have all the probability that floats can tell.
            if left > 0.0 { self.temperature * libm::log((1.0 - self.top_p) / left) } else { f64::INFINITY };
        // Rounding may leave a distance just below 0.
        to_top_p.max(0.0)
    }
}

/// Larger logits first, equal ones by ascending id.
fn descending(logits: &[f64], a: u32, b: u32) -> Ordering {
    logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b))
}

/// A token's probability over that of the likeliest.
fn weight(logit: f64, peak: f64, temperature: f64) -> f64 {
    if logit == peak { 1.0 } else { libm::exp((logit - peak) / temperature) }
}
