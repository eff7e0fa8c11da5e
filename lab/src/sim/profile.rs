//! What a task's judge makes of each kind of answer, and what the answer costs, as measured on the real task.
//!
//! The simulator takes every detection rate and every cost from such a file. A number that is missing there is an error
//! here, never a guess.

use serde::{Deserialize, Serialize};
use weighhouse_types::config::{self, ConfigError};

#[cfg(test)]
mod tests;

/// The version of the file format that this code reads.
pub const PROFILE_VERSION: u32 = 1;

/// A profile is refused above this size.
pub const PROFILE_BYTES_MAX: usize = 64 * 1024;

/// Most kinds of answer in one profile.
pub const KINDS_MAX: usize = 64;

/// The kind that every profile has: costs are relative to it, and honest miners answer with it.
pub const HONEST: &str = "honest";

/// Profiles that ship with the software, by name.
const BUILTIN: [(&str, &str); 4] = [
    ("digits-conformance-private", include_str!("../../profiles/digits-conformance-private.toml")),
    ("digits-conformance-shared", include_str!("../../profiles/digits-conformance-shared.toml")),
    ("digits-quality-private", include_str!("../../profiles/digits-quality-private.toml")),
    ("digits-quality-shared", include_str!("../../profiles/digits-quality-shared.toml")),
];

/// What a task pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paid {
    /// Fidelity to the reference: pass or fail.
    Conformance,
    /// More than the reference can do.
    Quality,
}

/// Who is asked what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each miner is asked something else: an answer is worth nothing to another miner.
    Private,
    /// All miners are asked the same at once: one computation answers for many.
    Shared,
}

/// CPU-seconds on one core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// An honest answer to one challenge.
    pub answer: f64,
    /// The judge's reference for one challenge.
    pub reference: f64,
    /// Comparing one answer with the reference.
    pub judge: f64,
}

/// How one kind of answer fares before the judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    pub name: String,
    /// Mean mark, in [-1, 1].
    pub mean: f64,
    /// Standard deviation of a mark between challenges.
    pub deviation: f64,
    /// CPU-seconds per answer over those of an honest one.
    pub cost: f64,
    /// Share of answers with a mark of at most 0: the detection rate per answer.
    pub rejected: f64,
    /// Correlation of the marks of two miners of this kind on the same challenges.
    #[serde(default)]
    pub correlation: f64,
    /// Challenges after which its mean mark is told from an honest one's; absent where it never is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detections: Option<u32>,
}

/// A measured task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub version: u32,
    pub task: String,
    pub paid: Paid,
    pub scope: Scope,
    /// Challenges behind each figure.
    pub challenges: u32,
    pub cost: Cost,
    #[serde(rename = "persona")]
    pub kinds: Vec<Kind>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    #[error("the profile has {bytes} bytes, at most {PROFILE_BYTES_MAX} are read")]
    TooLong { bytes: usize },
    #[error("profile: {0}")]
    Config(#[from] ConfigError),
    #[error("profile version {found}, this software reads version {PROFILE_VERSION}")]
    Version { found: u32 },
    #[error("profile figure `{figure}` of `{of}` is {found}, it must be {wanted}")]
    Value { figure: &'static str, of: String, found: f64, wanted: &'static str },
    #[error("the profile describes `{name}` twice")]
    Twice { name: String },
    #[error("the profile describes {found} kinds of answer, at most {KINDS_MAX} are read")]
    TooMany { found: usize },
    #[error("no profile `{name}` ships with the software, there are {known}")]
    NoBuiltin { name: String, known: String },
    #[error("the profile lacks `{name}`: it describes {known}")]
    Unknown { name: String, known: String },
}

impl Profile {
    /// Reads a profile's text.
    ///
    /// # Errors
    /// Names the key that is unknown, missing or out of range, and the kind it belongs to.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        if text.len() > PROFILE_BYTES_MAX {
            return Err(ProfileError::TooLong { bytes: text.len() });
        }
        let profile: Self = config::parse(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// The names of the profiles that ship with the software.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// A profile that ships with the software, by its name.
    ///
    /// # Errors
    /// Names those that ship.
    pub fn builtin(name: &str) -> Result<Self, ProfileError> {
        let found = BUILTIN.iter().find(|(builtin, _)| *builtin == name);
        let (_, text) = found.ok_or_else(|| ProfileError::NoBuiltin {
            name: name.to_owned(),
            known: BUILTIN.map(|(builtin, _)| builtin).join(", "),
        })?;
        Self::parse(text)
    }

    /// The figures of one kind of answer.
    ///
    /// # Errors
    /// Names the kinds that were measured.
    pub fn kind(&self, name: &str) -> Result<&Kind, ProfileError> {
        self.kinds.iter().find(|kind| kind.name == name).ok_or_else(|| {
            let known: Vec<_> = self.kinds.iter().map(|kind| kind.name.as_str()).collect();
            ProfileError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }

    /// The honest kind's figures.
    pub fn honest(&self) -> &Kind {
        self.kind(HONEST).expect("a checked profile describes the honest kind")
    }

    pub(super) fn check(&self) -> Result<(), ProfileError> {
        if self.version != PROFILE_VERSION {
            return Err(ProfileError::Version { found: self.version });
        }
        if self.kinds.len() > KINDS_MAX {
            return Err(ProfileError::TooMany { found: self.kinds.len() });
        }
        let value = |figure, of: &str, found: f64, least: f64, most: f64, wanted| {
            let error = ProfileError::Value { figure, of: of.to_owned(), found, wanted };
            if (least..=most).contains(&found) { Ok(()) } else { Err(error) }
        };
        let Cost { answer, reference, judge } = self.cost;
        value("answer", "cost", answer, f64::MIN_POSITIVE, 1e9, "a positive number of seconds")?;
        value("reference", "cost", reference, 0.0, 1e9, "a number of seconds")?;
        value("judge", "cost", judge, 0.0, 1e9, "a number of seconds")?;
        for (at, kind) in self.kinds.iter().enumerate() {
            let of = &kind.name;
            value("mean", of, kind.mean, -1.0, 1.0, "in [-1, 1]")?;
            value("deviation", of, kind.deviation, 0.0, 1.0, "in [0, 1]")?;
            value("cost", of, kind.cost, 0.0, 1e6, "at least 0")?;
            value("rejected", of, kind.rejected, 0.0, 1.0, "in [0, 1]")?;
            value("correlation", of, kind.correlation, -1.0, 1.0, "in [-1, 1]")?;
            if self.kinds[..at].iter().any(|other| other.name == kind.name) {
                return Err(ProfileError::Twice { name: kind.name.clone() });
            }
        }
        self.kind(HONEST).map(|_| ())
    }
}
