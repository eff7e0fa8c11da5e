//! The choice of the next token, and the distance of a claimed token from being chosen.
//!
//! Two samplers are specified to the bit (`docs/gumbel-v1.md`), so that somebody who has the same logits and seed can
//! say which token an honest sampler chose: `greedy`, and `gumbel/v1`, which adds seeded Gumbel noise to the logits and
//! takes the largest sum. The distance between the chosen token's sum and a claimed token's is the margin of Token-DiFR
//! (A. Karvonen et al., arXiv 2511.20621): 0 for the choice itself, tiny where rounding swapped two tokens, large
//! where another model, temperature or seed made the claim.
//!
//! **Invariant.** The same logits, settings and position give the same token and margin on every machine. No logits,
//! whatever their bits, panic: NaN counts as minus infinity.

mod filter;
mod gumbel;
mod log_probs;

pub use gumbel::{gumbel, token_difr};
pub(crate) use log_probs::power;
pub use log_probs::{LogProbs, TOP_LOG_PROBS_MAX, log_probs};

use filter::SamplingCandidates;
use gumbel::Noise;

/// Highest temperature that is taken.
pub const TEMPERATURE_MAX: f32 = 100.0;

/// The rule by which a token follows from logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampler {
    /// The largest logit, the lowest id among equals.
    Greedy,
    /// The largest of logit plus temperature times seeded Gumbel noise.
    GumbelV1,
}

impl Sampler {
    /// `greedy` or `gumbel/v1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::GumbelV1 => "gumbel/v1",
        }
    }
}

/// Settings of a sequence's choices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 is greedy, whatever the other settings say.
    pub temperature: f32,
    /// The number of the largest logits that can be chosen; 0 is all of them.
    pub top_k: u32,
    /// Only the fewest tokens that together have this probability can be chosen; 1 is all of them.
    pub top_p: f32,
    pub seed: u64,
}

/// Why settings are refused.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplingError {
    #[error("temperature {0} is outside 0 to {TEMPERATURE_MAX}")]
    Temperature(f32),
    #[error("top_p {0} is outside (0, 1]")]
    TopP(f32),
}

impl Sampling {
    pub const GREEDY: Self = Self { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0 };

    /// # Errors
    /// A temperature outside 0 to [`TEMPERATURE_MAX`] or a `top_p` outside (0, 1].
    pub fn new(temperature: f32, top_k: u32, top_p: f32, seed: u64) -> Result<Self, SamplingError> {
        if !(0.0..=TEMPERATURE_MAX).contains(&temperature) {
            return Err(SamplingError::Temperature(temperature));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(SamplingError::TopP(top_p));
        }
        Ok(Self { temperature, top_k, top_p, seed })
    }

    pub fn sampler(&self) -> Sampler {
        if self.temperature > 0.0 { Sampler::GumbelV1 } else { Sampler::Greedy }
    }

    /// The token at `position`, which counts generated tokens from 0. 0 if there are no logits.
    pub fn choose(&self, position: u32, logits: &[f32]) -> u32 {
        match self.sampler() {
            Sampler::Greedy => greedy(logits),
            Sampler::GumbelV1 => {
                let (noise, temperature) = (Noise::new(self.seed, position), f64::from(self.temperature));
                match SamplingCandidates::new(self, logits) {
                    None => noise.best(temperature, logits).0,
                    Some(kept) => noise.best_of(temperature, logits, kept.ids()).0,
                }
            }
        }
    }

    /// The distance of `claimed` from being chosen, in units of the logits: 0 for the choice itself, infinite for an id
    /// that the vocabulary doesn't have.
    ///
    /// A token that top-k or top-p shuts out is as far off as its sum, plus what it lacks to be let in: to the k-th
    /// logit, and `temperature * ln((1 - top_p) / (1 - c))` where the tokens before it have probability `c`. Both are
    /// small where rounding moved the border.
    pub fn margin(&self, position: u32, logits: &[f32], claimed: u32) -> f64 {
        let Some(logit) = logits.get(claimed as usize) else { return f64::INFINITY };
        if self.sampler() == Sampler::Greedy {
            let best =
                logits.get(greedy(logits) as usize).map_or(f64::NEG_INFINITY, |best| finite_order(*best));
            return distance(best, finite_order(*logit));
        }
        let (noise, temperature) = (Noise::new(self.seed, position), f64::from(self.temperature));
        let score = noise.score(temperature, *logit, claimed);
        match SamplingCandidates::new(self, logits) {
            None => distance(noise.best(temperature, logits).1, score),
            Some(kept) => {
                let best = noise.best_of(temperature, logits, kept.ids()).1;
                distance(best, score) + kept.lacks(claimed)
            }
        }
    }
}

/// The largest logit's id, the lowest among equals; NaN is never larger.
fn greedy(logits: &[f32]) -> u32 {
    // Two passes, each of which the compiler turns into vector instructions.
    let largest = largest(logits);
    logits.iter().position(|logit| *logit == largest).unwrap_or(0) as u32
}

fn largest(logits: &[f32]) -> f32 {
    let (lanes, rest) = logits.as_chunks::<16>();
    let mut largest = [f32::NEG_INFINITY; 16];
    for chunk in lanes {
        for (largest, logit) in largest.iter_mut().zip(chunk) {
            *largest = if *logit > *largest { *logit } else { *largest };
        }
    }
    largest
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, |largest, logit| if logit > largest { logit } else { largest })
}

/// A logit as a number that has a place in an order.
fn finite_order(logit: f32) -> f64 {
    // Adding zero makes one zero of the two.
    if logit.is_nan() { f64::NEG_INFINITY } else { f64::from(logit) + 0.0 }
}

/// `best - score`, never negative and never NaN: infinities are no distance from themselves.
fn distance(best: f64, score: f64) -> f64 {
    if score >= best { 0.0 } else { best - score }
}

#[cfg(test)]
mod tests;
