//! Random numbers that any machine draws alike: a function of (seed, stream, counter), without state.
//!
//! A [`Stream`]'s key is the seed with each of the stream's ids mixed in; its number `i` is the splitmix64 output
//! function (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) of `key + i * GOLDEN`. So two
//! worlds that share a seed share each number that both ask for, whatever else they ask for: what the simulator's
//! comparisons rest on.
//!
//! A normal deviate is read off a table of the inverse normal distribution at 512 equally likely steps of its upper
//! half, linear in between, and mirrored. The last step's end is set so that the variance is exactly 1; nothing beyond it
//! is ever drawn.

use std::sync::OnceLock;

#[cfg(test)]
mod tests;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Steps of the table over the upper half.
const STEPS: usize = 512;

/// One sequence of random numbers with free access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
}

impl Stream {
    pub fn new(seed: u64, ids: &[u64]) -> Self {
        let key = ids.iter().fold(mix(seed.wrapping_add(GOLDEN)), |key, id| {
            mix(key.wrapping_mul(3) ^ mix(id.wrapping_add(GOLDEN)))
        });
        Self { key }
    }

    /// The number at `counter`.
    #[inline(always)]
    pub fn at(self, counter: u64) -> u64 {
        mix(self.key.wrapping_add(counter.wrapping_mul(GOLDEN)))
    }

    /// In [0, 1), a multiple of 2^-53.
    #[inline(always)]
    pub fn uniform(self, counter: u64) -> f64 {
        (self.at(counter) >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// The splitmix64 output function.
#[inline(always)]
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The table behind normal deviates.
#[derive(Debug)]
pub struct Normal {
    knots: Box<[f64; STEPS + 1]>,
}

impl Normal {
    /// The one table.
    pub fn table() -> &'static Self {
        static TABLE: OnceLock<Normal> = OnceLock::new();
        TABLE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let mut knots = Box::new([0.0; STEPS + 1]);
        let mut squares = 0.0;
        for step in 1..STEPS {
            let (low, high) =
                (knots[step - 1], above(0.5 - 0.5 * step as f64 / STEPS as f64, knots[step - 1]));
            knots[step] = high;
            squares += (low * low + low * high + high * high) / 3.0;
        }
        // The end x of the last step solves (low^2 + low x + x^2) / 3 = what is missing of a variance of 1.
        let low = knots[STEPS - 1];
        let missing = 3.0 * (STEPS as f64 - squares) - low * low;
        knots[STEPS] = 0.5 * (-low + libm::sqrt(low * low + 4.0 * missing));
        Self { knots }
    }

    /// A standard normal deviate from 32 random bits.
    #[inline(always)]
    pub fn from_bits(&self, bits: u32) -> f64 {
        const FRACTION_BITS: u32 = 22;
        let step = (bits >> FRACTION_BITS) as usize & (STEPS - 1);
        let within = f64::from(bits & ((1 << FRACTION_BITS) - 1)) * (1.0 / f64::from(1_u32 << FRACTION_BITS));
        let (low, high) = (self.knots[step], self.knots[step + 1]);
        let deviate = low + (high - low) * within;
        // Half of all deviates are negative: a branch would be mispredicted as often.
        f64::from_bits(deviate.to_bits() ^ (u64::from(bits >> 31) << 63))
    }

    /// Two independent deviates from one random number.
    #[inline(always)]
    pub fn pair(&self, bits: u64) -> (f64, f64) {
        (self.from_bits(bits as u32), self.from_bits((bits >> 32) as u32))
    }
}

/// The deviate that a share `tail` of the normal distribution exceeds, by Newton's method from below.
fn above(tail: f64, from: f64) -> f64 {
    const ITERATIONS: usize = 40;
    let mut deviate = from;
    for _ in 0..ITERATIONS {
        let excess = 0.5 * libm::erfc(deviate / std::f64::consts::SQRT_2) - tail;
        let density = libm::exp(-0.5 * deviate * deviate) / libm::sqrt(2.0 * std::f64::consts::PI);
        deviate += excess / density;
    }
    deviate
}
