//! Calibration: thresholds for a task's file, from honest answers before the judge and the limit beyond which none lie.
//!
//! A kind says itself how it is calibrated ([`Kind::calibrate`](crate::kind::Kind::calibrate)): its personas answer seeded
//! challenges, and limits are set beyond the worst that an honest one showed. What the kinds have in common stands here. CPU
//! time comes from the caller: nothing here reads a clock.

mod bound;
mod error;
mod sections;

use std::fmt;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use weighhouse_models::precision::Precision;
use weighhouse_types::text::{TextAnswer, TextRequest};

pub use bound::RateBound;
pub(crate) use bound::{bounded, rounded_up, significant};
pub use error::{CalibrateError, WriteError};
pub(crate) use sections::without;

use crate::references::References;

/// A server that is not ours, as far as a calibration of completions needs one.
pub trait CompletionSource: Send + Sync + fmt::Debug {
    /// An answer to each request, in order, many of them under way at once.
    ///
    /// # Errors
    /// What the server said, or that it said nothing.
    fn complete(&self, requests: Vec<TextRequest>) -> Result<Vec<TextAnswer>, String>;
}

/// Subject of a calibration, and who answers.
#[derive(Clone, Copy)]
pub struct CalibrationPlan<'a> {
    /// The text of the task's file, for the limits to be written into.
    pub file: &'a str,
    /// The command, as the file's comment names it.
    pub how: &'a str,
    /// The models that personas serve.
    pub references: &'a dyn References,
    /// The coarsest precision in which an honest miner may serve the agreed model; `None` where it has to be the model's own.
    pub coarsest: Option<Precision>,
    /// A weaker model is among the references.
    pub has_weak: bool,
    /// Honest servers of the agreed model that are not ours.
    pub servers: &'a [&'a dyn CompletionSource],
    /// Of each honest persona.
    pub challenges: u32,
    pub seed: u64,
    /// Rounds of an epoch, by which the share of checks is set.
    pub rounds: u32,
    /// The cheat that a sequential test has to tell, by its name in the table.
    pub against: &'a str,
    /// The CPU time that this thread has used so far.
    pub cpu: &'a (dyn Fn() -> Duration + Sync),
}

impl fmt::Debug for CalibrationPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CalibrationPlan").field("how", &self.how).finish_non_exhaustive()
    }
}

impl CalibrationPlan<'_> {
    /// Tells whether an honest miner may round the agreed model's weights so.
    pub fn allows(&self, precision: Precision) -> bool {
        self.coarsest.is_some_and(|coarsest| precision <= coarsest)
    }

    /// Seeds of so many challenges.
    pub(crate) fn seeds(count: u32, rng: &mut ChaCha20Rng) -> Vec<[u8; 32]> {
        let mut seed = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        (0..count).map(|_| seed()).collect()
    }
}

/// Progress of a calibration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalibrationProgress {
    pub persona: String,
    pub done: usize,
    pub personas: usize,
}

/// The measured figures, and the limits that follow from them.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationReport {
    /// The task's file with the limits in it.
    pub file: String,
    /// The table's head; `<` marks columns of text.
    pub columns: &'static [&'static str],
    /// A row for each persona.
    pub rows: Vec<Vec<String>>,
    /// All figures and limits, in JSON.
    pub json: String,
}
