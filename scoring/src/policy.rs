//! The policy file: what a validator makes of judgements, as TOML with a version.
//!
//! A [`Policy`] exists only valid: every key present, of its type and in its range, and no key that nobody reads. Its
//! fractions are billionths, taken from the decimals as written, so no float decides anything.

use std::fmt;

use serde::{Deserialize, Serialize};
use weighhouse_types::config::{self, ConfigError};

#[cfg(test)]
mod tests;

/// The version of the file format that this code reads.
pub const POLICY_VERSION: u32 = 1;

/// A policy file is refused above this size.
pub const MAX_POLICY_BYTES: usize = 64 * 1024;

/// The policy that the localnet and the example configs use, with a comment on every key.
pub const DEFAULT_POLICY: &str = include_str!("../policies/default.toml");

/// A number in [0, 1], in billionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct Fraction(u32);

impl Fraction {
    pub const ONE: Self = Self(1_000_000_000);

    pub fn billionths(self) -> u64 {
        u64::from(self.0)
    }

    /// Reads a decimal such as `0.25`: at most nine places, in [0, 1].
    fn parse(decimal: &str) -> Option<Self> {
        const PLACES: usize = 9;
        let (whole, places) = decimal.split_once('.').unwrap_or((decimal, ""));
        if places.len() > PLACES || !matches!(whole, "0" | "1") {
            return None;
        }
        let digits = format!("{whole}{places:0<PLACES$}");
        let billionths =
            digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())??;
        (billionths <= Self::ONE.0).then_some(Self(billionths))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, places) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        let places = format!("{places:09}");
        match places.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            places => write!(f, "{whole}.{places}"),
        }
    }
}

/// How a score becomes a weight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// In proportion.
    Linear,
}

/// A valid policy. The keys are explained in `scoring/policies/default.toml`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    shape: Shape,
    memory: Fraction,
    min_mark: Fraction,
    min_attempts: u64,
    min_coverage: Fraction,
    min_miners: u16,
    max_score_age_epochs: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("the policy has {bytes} bytes, at most {MAX_POLICY_BYTES} are read")]
    TooLong { bytes: usize },
    #[error("the policy is not UTF-8 text")]
    NotText,
    #[error("policy: {0}")]
    Config(#[from] ConfigError),
    #[error("policy version {found}, this software reads version {POLICY_VERSION}")]
    Version { found: u32 },
    #[error("policy key `{key}` is {found}, it must be {wanted}")]
    Value { key: &'static str, found: String, wanted: &'static str },
}

/// Any version's file.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "version")]
    _version: u32,
    shape: String,
    memory: f64,
    min_mark: f64,
    min_attempts: u32,
    min_coverage: f64,
    min_miners: u16,
    max_score_age_epochs: u32,
}

impl Policy {
    /// Reads a policy file's bytes.
    ///
    /// # Errors
    /// Names the key that is unknown (with the nearest known one), missing or out of range, and the line of one that
    /// is of the wrong type.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| PolicyError::NotText)?;
        // The version comes first: another version's keys are not this one's misspelt.
        let Versioned { version: found } = config::parse(text)?;
        if found != POLICY_VERSION {
            return Err(PolicyError::Version { found });
        }
        let raw: Raw = config::parse(text)?;
        let memory = fraction("memory", raw.memory)?;
        if memory == Fraction::ONE {
            let wanted = "at least 0 and less than 1, so that new judgements count";
            return Err(PolicyError::Value { key: "memory", found: memory.to_string(), wanted });
        }
        Ok(Self {
            shape: shape(&raw.shape)?,
            memory,
            min_mark: fraction("min_mark", raw.min_mark)?,
            min_attempts: u64::from(raw.min_attempts),
            min_coverage: fraction("min_coverage", raw.min_coverage)?,
            min_miners: raw.min_miners,
            max_score_age_epochs: u64::from(raw.max_score_age_epochs),
        })
    }

    /// How a score becomes a weight.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The share of the carried average that stays when an epoch judged its registration; below 1.
    pub fn memory(&self) -> Fraction {
        self.memory
    }

    /// Scores below this are zero.
    pub fn min_mark(&self) -> Fraction {
        self.min_mark
    }

    /// Verdicts over all epochs, below which a registration has no weight.
    pub fn min_attempts(&self) -> u64 {
        self.min_attempts
    }

    /// The share of miners that must have been judged in the epoch.
    pub fn min_coverage(&self) -> Fraction {
        self.min_coverage
    }

    /// Miners with a usable average, below which nothing is published.
    pub fn min_miners(&self) -> u16 {
        self.min_miners
    }

    /// Epochs after its last verdict for which an average counts.
    pub fn max_score_age_epochs(&self) -> u64 {
        self.max_score_age_epochs
    }
}

fn fraction(key: &'static str, value: f64) -> Result<Fraction, PolicyError> {
    // Rust prints a float as the shortest decimal that reads back as it, never with an exponent: the digits that
    // were written, as long as these are few enough to be accepted.
    let found = value.to_string();
    let wanted = "a decimal in [0, 1] with at most nine places";
    Fraction::parse(&found).ok_or(PolicyError::Value { key, found, wanted })
}

fn shape(name: &str) -> Result<Shape, PolicyError> {
    match name {
        "linear" => Ok(Shape::Linear),
        other => Err(PolicyError::Value { key: "shape", found: format!("{other:?}"), wanted: "\"linear\"" }),
    }
}
