//! Log-probabilities under the raw logits: the second witness of which model spoke.

use pulp::{Arch, Simd, WithSimd};

use super::largest;

/// Most of the likeliest tokens that can be asked for.
pub const TOP_LOG_PROBS_MAX: u8 = 20;

const LANES: usize = 16;

/// A model's log-probabilities at one position, at temperature 1 whatever the sampler's.
#[derive(Clone, Debug, PartialEq)]
pub struct LogProbs {
    /// That of the chosen token.
    pub chosen: f32,
    /// The likeliest tokens, likeliest first, equal ones by ascending id.
    pub top: Vec<(u32, f32)>,
}

/// The log-softmax of raw logits at `chosen` and at the `top` likeliest tokens ([`TOP_LOG_PROBS_MAX`] at most).
/// Minus infinity for a token that there is no logit of.
pub fn log_probs(logits: &[f32], chosen: u32, top: u8) -> LogProbs {
    let peak = largest(logits);
    let log_sum = if peak.is_finite() { libm::log(sum_of_powers(logits, peak)) } else { 0.0 };
    let of = |logit: f32| {
        // Apart from the rest, because the difference of two infinities is no number.
        if logit == peak {
            (-log_sum) as f32
        } else if logit.is_nan() {
            f32::NEG_INFINITY
        } else {
            (f64::from(logit) - f64::from(peak) - log_sum) as f32
        }
    };
    LogProbs {
        chosen: logits.get(chosen as usize).map_or(f32::NEG_INFINITY, |logit| of(*logit)),
        top: likeliest(logits, top.min(TOP_LOG_PROBS_MAX))
            .into_iter()
            .map(|(id, logit)| (id, of(logit)))
            .collect(),
    }
}

/// `sum(e^(logit - peak))`: single powers in f32, sixteen running sums in f64, added up in order.
fn sum_of_powers(logits: &[f32], peak: f32) -> f64 {
    struct Sum<'a>(&'a [f32], f32);
    impl WithSimd for Sum<'_> {
        type Output = f64;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> f64 {
            sum_in_lanes(self.0, self.1)
        }
    }
    Arch::new().dispatch(Sum(logits, peak))
}

#[inline(always)]
fn sum_in_lanes(logits: &[f32], peak: f32) -> f64 {
    let (lanes, rest) = logits.as_chunks::<LANES>();
    let mut sums = [0.0_f64; LANES];
    let mut powers = [0.0_f32; LANES];
    for chunk in lanes {
        for (to, logit) in powers.iter_mut().zip(chunk) {
            *to = power(*logit - peak);
        }
        for (sum, power) in sums.iter_mut().zip(&powers) {
            *sum += f64::from(*power);
        }
    }
    let rest: f64 = rest.iter().map(|logit| f64::from(power(logit - peak))).sum();
    sums.iter().sum::<f64>() + rest
}

/// `e^x` for `x <= 0` to 2 units in the last place, in operations that vectorise; below -87 it stays at `e^-87`, which
/// no sum of ours can see.
#[inline(always)]
pub(crate) fn power(x: f32) -> f32 {
    // 1.5 x 2^23: adding it leaves no bits for a fraction, and so rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with so few bits that its products are exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // NaN fails the comparison too, and counts as minus infinity.
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = x - whole * LN2_HIGH - whole * LN2_LOW;
    let p = 1.987_569_2e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // The integer stands in the low bits of `shifted`; moved into the exponent it multiplies by its power of two.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

fn likeliest(logits: &[f32], count: u8) -> Vec<(u32, f32)> {
    let count = usize::from(count);
    let mut top: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    if count == 0 {
        return top;
    }
    let mut least = None;
    for (id, &logit) in (0_u32..).zip(logits) {
        let enters = least.map_or(!logit.is_nan(), |least| logit > least);
        if !enters {
            continue;
        }
        // Behind its equals, whose ids are lower.
        let at = top.partition_point(|(_, other)| *other >= logit);
        top.insert(at, (id, logit));
        top.truncate(count);
        least = if top.len() == count { top.last().map(|(_, logit)| *logit) } else { None };
    }
    top
}
