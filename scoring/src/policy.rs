//! The policy file: what a validator makes of judgements, as TOML with a version.
//!
//! A [`Policy`] exists only valid: every key of its type and in its range, and no key that nobody reads. What decides is
//! held in billionths, taken from the decimals as written. Files of version 1 mean what they always meant; version 2 is
//! [`File`], whose fields are documented one by one and exported as a JSON Schema ([`schema`]).

use serde::Deserialize;
use weighhouse_types::config;
use weighhouse_types::{Digest, Hotkey};

mod document;
mod edit;
mod error;
mod examples;
mod expression;
mod file;
mod fraction;
#[cfg(test)]
mod tests;
mod valid;

pub use document::PolicyFile;
pub use error::{MAX_POLICY_BYTES, POLICY_VERSION, PolicyError};
pub use examples::EXAMPLES;
pub use expression::{Expression, ExpressionError, Facts, Fault, FaultKind};
pub use file::{
    Audit, Average, AverageKind, Burn, Caps, Cluster, ClusterPay, Deadline, ExpressionKeys, File, Guards,
    Metrics, Newcomer, ShapeKeys, ShapeKind, Significance, schema,
};
pub use fraction::Fraction;

/// Epochs that an average may look back on at most.
pub const WINDOW_MAX: usize = 64;

/// The policy that the localnet and the example configs use, with a comment on every key.
pub const DEFAULT_POLICY: &str = include_str!("../policies/default.toml");

/// Rule by which the epochs' means become one average.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Averaging {
    /// Exponential: the share of the average that stays, when the new mean is above it and when it is below.
    Ema { rise: Fraction, fall: Fraction },
    /// The mean of all verdicts of the last `epochs` epochs.
    Window { epochs: usize },
    /// The median of the last `epochs` epochs' means.
    MedianOfMeans { epochs: usize },
    /// The mean of the last `epochs` epochs' means without the `trim` lowest and highest share.
    Trimmed { epochs: usize, trim: Fraction },
}

/// Function from score to weight. A score of zero has weight zero under every shape.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    /// In proportion.
    Linear,
    /// `score ^ exponent`.
    Power { exponent: f64 },
    /// `exp(score / temperature)`.
    Softmax { temperature: f64 },
    /// `ratio ^ place`, the best at place 0, equals on one place. Who was ahead stays ahead until beaten by `hysteresis`.
    Rank { ratio: f64, hysteresis: Fraction },
    /// All to the best; who held it keeps it until beaten by `hysteresis`.
    WinnerTakesAll { hysteresis: Fraction },
    /// In proportion among the best `keep`, equals of the last one included.
    TopK { keep: usize },
}

impl Shape {
    /// True if weights follow from ranks instead of scores.
    pub fn is_ordered(self) -> bool {
        !matches!(self, Self::Linear | Self::Power { .. } | Self::Softmax { .. })
    }
}

/// A valid policy.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    pub(crate) version: u32,
    pub(crate) mark_share: Fraction,
    pub(crate) answered_share: Fraction,
    pub(crate) deadline_us: Option<u64>,
    pub(crate) capacity: u32,
    pub(crate) averaging: Averaging,
    /// Thousandths of a standard error.
    pub(crate) standard_errors_milli: u64,
    pub(crate) min_attempts: u64,
    pub(crate) ramp_epochs: u64,
    pub(crate) floor: Fraction,
    pub(crate) shape: Shape,
    pub(crate) cap: Fraction,
    pub(crate) burn: Option<(Fraction, Hotkey)>,
    pub(crate) cluster_pay: ClusterPay,
    pub(crate) cluster_agreement: Fraction,
    pub(crate) min_coverage: Fraction,
    pub(crate) min_miners: u16,
    pub(crate) min_samples: u32,
    pub(crate) max_age_epochs: u64,
    pub(crate) rounds: Option<u32>,
    pub(crate) spot_rounds: u32,
    pub(crate) spot_share: Fraction,
    pub(crate) witness_share: Fraction,
    pub(crate) expression: Option<Expression>,
}

/// Any version's file.
#[derive(Deserialize)]
struct FileVersion {
    version: u32,
}

impl Policy {
    /// Reads a policy file's bytes.
    ///
    /// # Errors
    /// Names the key that is unknown (with the nearest known one), missing or out of range, and the line of one that
    /// is of the wrong type.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        Ok(Self::read(bytes)?.2)
    }

    /// Reads a policy file's bytes and keeps the text, and the keys of a version 2 file.
    fn read(bytes: &[u8]) -> Result<(&str, Option<File>, Self), PolicyError> {
        if bytes.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PolicyError::NotText)?;
        // The version comes first: another version's keys are not this one's misspelt.
        let FileVersion { version } = config::parse(text)?;
        match version {
            1 => Ok((text, None, valid::version_1(&config::parse(text)?)?)),
            2 => {
                let keys = config::parse(text)?;
                let policy = Self::from_file(&keys)?;
                Ok((text, Some(keys), policy))
            }
            found => Err(PolicyError::Version { found }),
        }
    }

    /// Checks a policy that was put together in memory.
    ///
    /// # Errors
    /// As [`Policy::parse`].
    pub fn from_file(file: &File) -> Result<Self, PolicyError> {
        valid::version_2(file)
    }

    /// The policy that ships with this software: [`DEFAULT_POLICY`].
    pub fn default_policy() -> Self {
        Self::clone(PolicyFile::shipped().policy())
    }

    /// The digest by which a policy is named: SHA-256 of the file's bytes, so that a comment changes it too.
    pub fn hash(bytes: &[u8]) -> Digest {
        Digest::of(bytes)
    }

    /// The version of the file's format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The function from score to weight.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The rule by which epochs are averaged.
    pub fn averaging(&self) -> Averaging {
        self.averaging
    }

    /// Scores below this are zero.
    pub fn floor(&self) -> Fraction {
        self.floor
    }

    /// Verdicts over all epochs, below which a registration has no weight.
    pub fn min_attempts(&self) -> u64 {
        self.min_attempts
    }

    /// Epochs over which a newcomer's score grows to its full value; 0 and 1 alike mean at once.
    pub fn ramp_epochs(&self) -> u64 {
        self.ramp_epochs
    }

    /// Standard errors that are taken off an average before it counts.
    pub fn standard_errors(&self) -> f64 {
        self.standard_errors_milli as f64 / 1000.0
    }

    /// The share of miners that must have been judged in the epoch.
    pub fn min_coverage(&self) -> Fraction {
        self.min_coverage
    }

    /// Verdicts that an epoch must have given a miner for it to count as judged.
    pub fn min_samples(&self) -> u32 {
        self.min_samples
    }

    /// Miners with a usable average, below which nothing is published.
    pub fn min_miners(&self) -> u16 {
        self.min_miners
    }

    /// Epochs after its last verdict for which an average counts.
    pub fn max_age_epochs(&self) -> u64 {
        self.max_age_epochs
    }

    /// The largest share of one miner; one where nothing is capped.
    pub fn cap(&self) -> Fraction {
        self.cap
    }

    /// The share that is not paid to miners, and the hotkey that gets it.
    pub fn burn(&self) -> Option<(Fraction, Hotkey)> {
        self.burn
    }

    /// Effect on pay of likeness beyond the judge's expectation.
    pub fn cluster_pay(&self) -> ClusterPay {
        self.cluster_pay
    }

    /// The share of common rounds in which two miners must have been alike to be one cluster.
    pub fn cluster_agreement(&self) -> Fraction {
        self.cluster_agreement
    }

    /// An answer that took longer, in microseconds, is worth no more than silence.
    pub fn deadline_us(&self) -> Option<u64> {
        self.deadline_us
    }

    /// Answers in time per epoch that make full capacity; 0 where capacity does not count.
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// The share of a verdict's value that the mark decides, and the one that having answered in time decides.
    pub fn mix(&self) -> (Fraction, Fraction) {
        (self.mark_share, self.answered_share)
    }

    /// Rounds per epoch in which every miner is asked; `None` leaves it to the validator's own setting.
    pub fn rounds(&self) -> Option<u32> {
        self.rounds
    }

    /// Further rounds per epoch for newcomers, miners near the floor, and a random share of the others.
    pub fn spot_rounds(&self) -> (u32, Fraction) {
        (self.spot_rounds, self.spot_share)
    }

    /// Of the other validators whose weights count, the share of which more has to have signed an epoch's checkpoint.
    pub fn witness_share(&self) -> Fraction {
        self.witness_share
    }

    /// The expression that makes the score, if there is one.
    pub fn expression(&self) -> Option<&Expression> {
        self.expression.as_ref()
    }
}
