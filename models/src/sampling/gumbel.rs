//! Seeded Gumbel noise and the largest noisy logit.
//!
//! The definition is three lines ([`Noise::score`]); the rest finds its maximum without taking two logarithms for each
//! of 150,000 tokens: a table bounds the noise from above by a word's leading bits, and only tokens that may still win
//! are worked out.

use std::sync::LazyLock;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use weighhouse_types::Hasher;

use super::{finite_order, largest};

const DOMAIN: &str = "weighhouse/gumbel/v1";
/// Leading bits of a word by which the noise is bounded.
const TABLE_BITS: u32 = 12;
/// More than the logarithm's rounding can add to the noise.
const SLACK: f64 = 1e-9;
/// Words that are drawn at a time.
const WORDS: usize = 512;
/// Words that are compared at a time.
const LANES: usize = 16;

/// No less than the noise of any word with these leading bits.
static UPPER: LazyLock<Vec<f64>> = LazyLock::new(|| {
    // The noise grows with the word, so that a bin's last word bounds the bin.
    let last = |bin: u32| (bin << (32 - TABLE_BITS)) | (u32::MAX >> TABLE_BITS);
    (0..1 << TABLE_BITS).map(|bin| of_word(last(bin)) + SLACK).collect()
});

/// The noise at one position of a sequence.
pub(super) struct Noise {
    key: [u8; 32],
    position: u32,
}

/// The noise that `gumbel/v1` adds to a token.
pub fn gumbel(seed: u64, position: u32, token: u32) -> f64 {
    Noise::new(seed, position).of(token)
}

/// The margin of Token-DiFR as published, for noise that somebody else drew: the largest `logit + temperature * noise`
/// less the claimed token's. Infinite for a token there is no logit or noise of.
pub fn token_difr(temperature: f64, logits: &[f64], noise: &[f64], claimed: usize) -> f64 {
    let score = |(logit, noise): (&f64, &f64)| logit + temperature * noise;
    let Some(own) = logits.iter().zip(noise).map(score).nth(claimed) else { return f64::INFINITY };
    let best = logits.iter().zip(noise).map(score).fold(f64::NEG_INFINITY, f64::max);
    super::distance(best, own)
}

impl Noise {
    pub(super) fn new(seed: u64, position: u32) -> Self {
        let key = Hasher::new(DOMAIN).part(&seed.to_le_bytes()).finish();
        Self { key: key.0, position }
    }

    /// The words from a token's on.
    fn words(&self, token: u32) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        // A position is a stream and a token a word in it, so that either is reached at once.
        rng.set_stream(u64::from(self.position));
        rng.set_word_pos(u128::from(token));
        rng
    }

    pub(super) fn of(&self, token: u32) -> f64 {
        of_word(self.words(token).next_u32())
    }

    pub(super) fn score(&self, temperature: f64, logit: f32, token: u32) -> f64 {
        score(temperature, logit, self.of(token))
    }

    /// The token with the largest score, the lowest id among equals, and the score.
    pub(super) fn best(&self, temperature: f64, logits: &[f32]) -> (u32, f64) {
        let upper: &[f64; 1 << TABLE_BITS] =
            UPPER.as_slice().try_into().expect("the table has an entry for each value of the leading bits");
        let mut rng = self.words(0);
        let mut bytes = [0; WORDS * 4];
        let mut words = [0; WORDS];
        let mut best = (0, f64::NEG_INFINITY);
        for (start, logits) in (0..).step_by(WORDS).zip(logits.chunks(WORDS)) {
            rng.fill_bytes(&mut bytes);
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*bytes);
            }
            // Not even the largest of these logits wins with less noise.
            let peak = f64::from(largest(logits));
            let least = upper.partition_point(|upper| peak + temperature * upper <= best.1);
            let lanes = logits.chunks(LANES).zip(words.chunks(LANES));
            for (first, (logits, words)) in (start..).step_by(LANES).zip(lanes) {
                if !reaches(words, least) {
                    continue;
                }
                for (token, (logit, word)) in (first..).zip(logits.iter().zip(words)) {
                    let bin = (word >> (32 - TABLE_BITS)) as usize;
                    if bin < least {
                        continue;
                    }
                    let bound = f64::from(*logit) + temperature * upper[bin];
                    // Tokens come in ascending order, so an equal score never replaces.
                    if bound > best.1 {
                        let exact = score(temperature, *logit, of_word(*word));
                        if exact > best.1 {
                            best = (token, exact);
                        }
                    }
                }
            }
        }
        best
    }

    /// The best like [`Noise::best`], of some tokens.
    pub(super) fn best_of(&self, temperature: f64, logits: &[f32], tokens: &[u32]) -> (u32, f64) {
        let mut best: Option<(u32, f64)> = None;
        for &token in tokens {
            let Some(logit) = logits.get(token as usize) else { continue };
            let score = self.score(temperature, *logit, token);
            let wins = |(id, other): (u32, f64)| score > other || (score == other && token < id);
            if best.is_none_or(wins) {
                best = Some((token, score));
            }
        }
        best.unwrap_or((0, f64::NEG_INFINITY))
    }
}

/// True if the leading bits of any word are at least these.
fn reaches(words: &[u32], least: usize) -> bool {
    words.iter().fold(false, |any, word| any | ((word >> (32 - TABLE_BITS)) as usize >= least))
}

fn score(temperature: f64, logit: f32, noise: f64) -> f64 {
    finite_order(logit) + temperature * noise
}

/// The word's place in (0, 1), then the Gumbel distribution's quantile.
fn of_word(word: u32) -> f64 {
    // Half a step from both ends, where the logarithms are infinite.
    let uniform = (f64::from(word) + 0.5) / 4_294_967_296.0;
    -libm::log(-libm::log(uniform))
}
