//! The tolerance of a task that embeds: distances of honest embeddings, and of cheats, from the reference's.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;

use super::figures::{RateBound, bounded, rounded_up, significant};
use super::{CalibrateError, Progress};
use crate::Task;
use crate::embed::{Embeddings, cosine};
use crate::kind::Kind;
use crate::witness::{Encoder, WitnessError};

/// The tolerance is this many times as far as the worst that was seen of honest rows.
pub(super) const ROWS_HEADROOM: f64 = 4.0;
/// No tolerance is below this: kernels of other machines that were not measured.
const TOLERANCE_LEAST: f64 = 1e-6;

/// Somebody's encoder, under a name in the table.
#[derive(Debug)]
pub struct RowsOf<'a> {
    pub name: String,
    pub encoder: &'a dyn Encoder,
    pub is_honest: bool,
}

/// Subject of a calibration of embeddings.
#[derive(Debug)]
pub struct RowsCalibration<'a> {
    pub task: &'a Task,
    pub reference: &'a dyn Encoder,
    /// Honest ones in other precisions, and cheats.
    pub served: &'a [RowsOf<'a>],
    pub challenges: u32,
    pub seed: u64,
}

/// The measured distances, and the tolerance that follows from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibratedRows {
    pub texts: usize,
    pub tolerance: f64,
    pub honest: RateBound,
    pub rows: Vec<RowsSample>,
}

/// One persona: of its rows the mean and the largest distance from the reference's, one minus the cosine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowsSample {
    pub persona: String,
    pub honest: bool,
    pub mean: f64,
    pub largest: f64,
    /// Share of rows that are beyond the tolerance.
    pub rejected: f64,
}

impl RowsCalibration<'_> {
    /// Measures.
    ///
    /// # Errors
    /// A task of another kind, no challenges, or a text that an encoder refuses.
    pub fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<CalibratedRows, CalibrateError> {
        let kind = self.task.file().kind;
        if kind != Embeddings::NAME {
            return Err(CalibrateError::Kind { kind });
        }
        if self.challenges == 0 {
            return Err(CalibrateError::NoChallenges);
        }
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let seed = |_| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let seeds: Vec<[u8; 32]> = (0..self.challenges).map(seed).collect();
        let challenges = self.task.challenges(&seeds)?;
        let texts: Vec<String> = challenges.iter().flat_map(|challenge| challenge.texts().to_vec()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let personas = self.served.len() + 3;
        let mut seen: Vec<(String, bool, Vec<f64>)> = Vec::new();
        let embed = |encoder: &dyn Encoder, texts: &[&str]| encoder.embed(texts).map_err(WitnessError::from);
        let own = embed(self.reference, &texts)?;
        let mut look = |name: &str, is_honest, rows: Vec<Vec<f32>>| {
            progress(Progress { persona: name.to_owned(), done: seen.len(), personas });
            let distances = rows.iter().zip(&own).map(|(row, own)| 1.0 - cosine(row, own));
            seen.push((name.to_owned(), is_honest, distances.collect()));
        };
        let alone = texts.iter().map(|text| Ok(embed(self.reference, &[text])?.swap_remove(0)));
        look("one at a time", true, alone.collect::<Result<_, CalibrateError>>()?);
        for served in self.served {
            look(&served.name, served.is_honest, embed(served.encoder, &texts)?);
        }
        let halves: Vec<String> = texts.iter().map(|text| half(text)).collect();
        let halves: Vec<&str> = halves.iter().map(String::as_str).collect();
        look("half of the text", false, embed(self.reference, &halves)?);
        let mut others = own.clone();
        others.rotate_right(1);
        look("another text", false, others);
        Ok(settle(texts.len(), &seen))
    }
}

fn half(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    words[..words.len().div_ceil(2)].join(" ")
}

fn settle(texts: usize, seen: &[(String, bool, Vec<f64>)]) -> CalibratedRows {
    let honest = || seen.iter().filter(|(_, is_honest, _)| *is_honest).map(|(.., distances)| distances);
    let fitted = texts.div_ceil(2);
    let worst = honest().flat_map(|distances| &distances[..fitted]).fold(0.0_f64, |a, b| a.max(*b));
    let tolerance = rounded_up((worst * ROWS_HEADROOM).max(TOLERANCE_LEAST));
    let beyond = |distances: &[f64]| distances.iter().filter(|distance| **distance > tolerance).count();
    let (mut checks, mut missed) = (0, 0);
    for distances in honest() {
        checks += (texts - fitted) as u32;
        missed += beyond(&distances[fitted..]) as u32;
    }
    let row = |(name, honest, distances): &(String, bool, Vec<f64>)| RowsSample {
        persona: name.clone(),
        honest: *honest,
        mean: significant(distances.iter().sum::<f64>() / texts as f64),
        largest: significant(distances.iter().copied().fold(0.0, f64::max)),
        rejected: significant(beyond(distances) as f64 / texts as f64),
    };
    CalibratedRows { texts, tolerance, honest: bounded(checks, missed), rows: seen.iter().map(row).collect() }
}

#[cfg(test)]
mod tests;
