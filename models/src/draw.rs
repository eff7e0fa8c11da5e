//! Draws from ChaCha20 that recorded challenges, personas' noise and shipped weights depend on.
//!
//! **Invariant.** They are pinned: the same generator gives the same numbers in every version and on every machine, by
//! `f64` arithmetic in a written order and the `libm` crate. `rand` may change its distributions between minor versions,
//! so nothing that a record or a shipped file depends on is drawn by it.

use std::f64::consts::PI;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

/// Uniform in `0..bound`. The bias of the multiplication is at most `bound` in 2^32.
pub fn below(bound: u32, rng: &mut ChaCha20Rng) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// Uniform in [0, 1), 32 bits.
pub fn unit(rng: &mut ChaCha20Rng) -> f64 {
    f64::from(rng.next_u32()) / 4_294_967_296.0
}

/// Bytes, such as a salt.
pub fn bytes<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Puts a list in random order (R. Durstenfeld, 1964).
pub fn shuffle<T>(list: &mut [T], rng: &mut ChaCha20Rng) {
    for end in (1..list.len()).rev() {
        list.swap(end, below(end as u32 + 1, rng) as usize);
    }
}

/// Different numbers in `0..of`, ascending; all of them where fewer are there.
pub fn some(count: usize, of: usize, rng: &mut ChaCha20Rng) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..of).collect();
    shuffle(&mut numbers, rng);
    numbers.truncate(count);
    numbers.sort_unstable();
    numbers
}

/// Standard normal numbers, two at a time (G. E. P. Box and M. E. Muller, 1958).
#[derive(Clone, Debug, Default)]
pub struct Gaussian {
    spare: Option<f64>,
}

impl Gaussian {
    /// One number with mean 0 and deviation 1.
    pub fn next(&mut self, rng: &mut ChaCha20Rng) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // Above 0 and at most 1, because the logarithm of 0 is infinite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - unit(rng)));
        let angle = 2.0 * PI * unit(rng);
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn draws_are_pinned() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let mut normal = Gaussian::default();
        assert_eq!(below(1_000, &mut rng), 470);
        assert_eq!(unit(&mut rng).to_bits(), 0x3fd0_7daa_95c0_0000);
        let pair = [normal.next(&mut rng), normal.next(&mut rng)].map(f64::to_bits);
        assert_eq!(pair, [0xbff7_f807_ca11_428b, 0x3fe3_344b_8dcc_9010]);
    }

    #[test]
    fn bytes_orders_and_choices_are_pinned() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let mut list = [0, 1, 2, 3, 4, 5];
        shuffle(&mut list, &mut rng);
        let drawn = (bytes::<4>(&mut rng), list, some(3, 10, &mut rng), some(3, 2, &mut rng));
        assert_eq!(drawn, ([20, 118, 171, 87], [0, 3, 4, 5, 1, 2], vec![1, 3, 4], vec![0, 1]));
    }

    #[test]
    fn noise_has_the_asked_deviation() {
        let mut noise = Gaussian::default();
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let samples: Vec<f64> = (0..20_000).map(|_| noise.next(&mut rng)).collect();
        let mean = samples.iter().sum::<f64>() / 20_000.0;
        let variance = samples.iter().map(|sample| (sample - mean) * (sample - mean)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.03, "mean {mean}, variance {variance}");
    }
}
