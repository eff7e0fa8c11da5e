//! Chance that no record depends on: nonces, salts, keys and the spread of retries.
//!
//! Draws that a record depends on (challenges, the localnet's personas) come from a ChaCha20 stream of their own, so that
//! they stay what they are whatever a release of `rand` does to its distributions.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rand::{CryptoRng, Rng as _, SeedableRng as _, TryCryptoRng, TryRng};
use rand_chacha::ChaCha20Rng;

/// Handle on one random generator, which all its clones share. As a [`rand::Rng`] it serves whatever takes one.
#[derive(Clone)]
pub struct Entropy(Arc<Mutex<dyn CryptoRng + Send>>);

impl Entropy {
    /// The operating system's generator.
    pub fn system() -> Self {
        Self::new(UnwrapErr(SysRng))
    }

    /// A stream that can be drawn again (ChaCha20), for localnets and tests.
    pub fn seeded(seed: [u8; 32]) -> Self {
        Self::new(ChaCha20Rng::from_seed(seed))
    }

    pub fn new(generator: impl CryptoRng + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(generator)))
    }

    fn generator(&self) -> MutexGuard<'_, dyn CryptoRng + Send + 'static> {
        // A generator has no invariant that a panic elsewhere could have broken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entropy")
    }
}

impl TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.generator().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.generator().next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.generator().fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Entropy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_one_stream() {
        let mut bytes = [0; 24];
        Entropy::seeded([7; 32]).fill_bytes(&mut bytes);
        let entropy = Entropy::seeded([7; 32]);
        let (mut first, mut second) = ([0; 12], [0; 12]);
        entropy.clone().fill_bytes(&mut first);
        entropy.clone().fill_bytes(&mut second);
        assert_eq!([first, second].concat(), bytes);
    }

    #[test]
    fn the_system_gives_other_bytes_each_time() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        Entropy::system().fill_bytes(&mut first);
        Entropy::system().fill_bytes(&mut second);
        assert_ne!(first, second);
    }
}
