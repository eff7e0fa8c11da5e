//! What a miner is asked: scans drawn and perturbed by a seed, and the digits they show.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_models::digits::{self, PIXELS};
use weighhouse_models::perturb::{below, perturb};
use weighhouse_types::{Digest, Hasher};

use crate::file::TaskFile;

/// One challenge. Made by [`Task::challenge`](crate::Task::challenge) and nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct Challenge {
    digest: Digest,
    pixels: Vec<f32>,
    truth: Vec<u8>,
}

impl Challenge {
    /// Draws held-out scans with replacement and perturbs each. The same seed and task file give the same bits on
    /// every machine.
    ///
    /// Only held-out scans are drawn, so that nobody's skill comes from the training set that the reference saw.
    pub(crate) fn draw(task: Digest, file: &TaskFile, seed: &[u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(*seed);
        let mut pixels = Vec::with_capacity(file.items as usize * PIXELS);
        let mut truth = Vec::with_capacity(file.items as usize);
        for _ in 0..file.items {
            let index = below(digits::HELD_OUT as u32, &mut rng) as usize;
            let scan = digits::held_out_scan(index).expect("the index is below the number of held-out scans");
            pixels.extend(perturb(scan.pixels, &file.perturbation, &mut rng));
            truth.push(scan.digit);
        }
        let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        let digest =
            Hasher::new("weighhouse/challenge/v1").part(task.as_bytes()).part(&bytes).part(&truth).finish();
        Self { digest, pixels, truth }
    }

    /// Covers the task file, the pixels and the truth.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many scans.
    pub fn items(&self) -> usize {
        self.truth.len()
    }

    /// `items` rows of 64 values in [0, 1].
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// The digit of each scan. Never leaves the validator.
    pub fn truth(&self) -> &[u8] {
        &self.truth
    }
}
