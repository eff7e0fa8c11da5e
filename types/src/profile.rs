//! Profiles: how each persona's answers fare before a task's judge and what they cost, as measured on the real task.
//!
//! `weighhouse task measure` writes a profile, and the simulator takes every detection rate and every cost from one. A
//! number that is missing there is an error here, never a guess. These are the crate's only fractions: no weight follows
//! from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{self, ConfigError};

#[cfg(test)]
mod tests;

/// The version of the file format that this code reads.
pub const PROFILE_VERSION: u32 = 1;

/// A profile is refused above this size.
pub const PROFILE_BYTES_MAX: usize = 64 * 1024;

/// Most personas in one profile.
pub const PERSONAS_MAX: usize = 64;

/// The persona that every profile has: costs are relative to it, and honest miners answer with it.
pub const HONEST: &str = "honest";

/// The merit that a task pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paid {
    /// Fidelity to the reference: pass or fail.
    Conformance,
    /// More than the reference can do.
    Quality,
}

impl Paid {
    /// `conformance` or `quality`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conformance => "conformance",
            Self::Quality => "quality",
        }
    }
}

/// Distribution of challenges among the miners of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each miner gets a challenge of its own: an answer is worth nothing to another miner.
    Private,
    /// All miners get the same challenge at once: one computation answers for many.
    Shared,
}

impl Scope {
    /// `private` or `shared`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Shared => "shared",
        }
    }
}

/// Costs of one challenge, in CPU-seconds on one core.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeCost {
    /// The honest model's answer: reading the request, the forward pass, writing the answer.
    pub answer: f64,
    /// The validator's reference, in rounds of many challenges if they are private and of one if it is shared.
    pub reference: f64,
    /// Comparing one answer with its reference.
    pub judge: f64,
}

/// Figures of one persona's answers before the judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonaFigures {
    pub name: String,
    /// Mean mark, in [-1, 1].
    pub mean: f64,
    /// Sample standard deviation of a mark between challenges.
    pub deviation: f64,
    /// CPU-seconds per answer over those of an honest one.
    pub cost: f64,
    /// Share of answers with a mark of at most 0: the detection rate per answer.
    pub rejected: f64,
    /// Pearson's correlation of its marks with those of another miner of the persona, which gets the same challenges if
    /// they are shared and its own if they are private. 0 where marks never differ. The other of `noise` is `mirror`.
    #[serde(default)]
    pub correlation: f64,
    /// Challenges after which its mean mark is told from an honest miner's; absent where it can't be. One in 10,000
    /// honest miners is taken for it, and 1 % of its kind get by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detections: Option<u32>,
    /// By the name of a persona: the share of shared rounds in which the judge finds an answer of this one and an answer of that one,
    /// both of one operator's model, alike. Empty where likeness says nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub alike: BTreeMap<String, f64>,
}

/// What the judge takes for likeness between miners who have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LikenessFigures {
    /// Rounds behind each figure of likeness.
    pub rounds: u32,
    /// Share of them in which two honest miners with models of their own are found alike: false alarms.
    pub strangers: f64,
}

impl LikenessFigures {
    /// The false alarms to reckon with: where none was seen, as many as go unseen once in twenty such measurements, three in all of its
    /// rounds.
    pub fn strangers_at_most(&self) -> f64 {
        self.strangers.max((3.0 / f64::from(self.rounds.max(1))).min(1.0))
    }
}

/// A measured task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub version: u32,
    pub task: String,
    pub paid: Paid,
    pub scope: Scope,
    /// Number of challenges behind each figure.
    pub challenges: u32,
    pub cost: ChallengeCost,
    /// Absent where likeness says nothing: private challenges, and tasks with one right answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likeness: Option<LikenessFigures>,
    #[serde(rename = "persona")]
    pub personas: Vec<PersonaFigures>,
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
    #[error("the profile describes {found} personas, at most {PERSONAS_MAX} are read")]
    TooMany { found: usize },
    #[error("the profile lacks `{name}`: it describes {known}")]
    Unknown { name: String, known: String },
}

impl Profile {
    /// Reads a profile's text.
    ///
    /// # Errors
    /// Names the key that is unknown, missing or out of range, and the persona it belongs to.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        if text.len() > PROFILE_BYTES_MAX {
            return Err(ProfileError::TooLong { bytes: text.len() });
        }
        let profile: Self = config::parse(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// Finds a persona's figures.
    ///
    /// # Errors
    /// Names the personas that were measured.
    pub fn persona(&self, name: &str) -> Result<&PersonaFigures, ProfileError> {
        self.personas.iter().find(|persona| persona.name == name).ok_or_else(|| {
            let known: Vec<_> = self.personas.iter().map(|persona| persona.name.as_str()).collect();
            ProfileError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }

    /// Finds the honest persona's figures.
    pub fn honest(&self) -> &PersonaFigures {
        self.persona(HONEST).expect("a checked profile describes the honest persona")
    }

    /// Checks a profile that was not parsed.
    ///
    /// # Errors
    /// As [`Profile::parse`].
    pub fn check(&self) -> Result<(), ProfileError> {
        if self.version != PROFILE_VERSION {
            return Err(ProfileError::Version { found: self.version });
        }
        if self.personas.len() > PERSONAS_MAX {
            return Err(ProfileError::TooMany { found: self.personas.len() });
        }
        let value = |figure, of: &str, found: f64, least: f64, most: f64, wanted| {
            let error = ProfileError::Value { figure, of: of.to_owned(), found, wanted };
            // NaN lies in no range.
            if (least..=most).contains(&found) { Ok(()) } else { Err(error) }
        };
        let ChallengeCost { answer, reference, judge } = self.cost;
        // Personas' costs are relative to this one, so that it can't be 0.
        value("answer", "cost", answer, f64::MIN_POSITIVE, 1e9, "a positive number of seconds")?;
        value("reference", "cost", reference, 0.0, 1e9, "a number of seconds")?;
        value("judge", "cost", judge, 0.0, 1e9, "a number of seconds")?;
        if let Some(likeness) = &self.likeness {
            value("rounds", "likeness", f64::from(likeness.rounds), 1.0, 1e9, "at least 1")?;
            value("strangers", "likeness", likeness.strangers, 0.0, 1.0, "in [0, 1]")?;
        }
        for (at, persona) in self.personas.iter().enumerate() {
            let of = &persona.name;
            value("mean", of, persona.mean, -1.0, 1.0, "in [-1, 1]")?;
            // The sample deviation of the fewest challenges, half of them 1 and half -1, is a little above 1.
            value("deviation", of, persona.deviation, 0.0, 1.03, "in [0, 1.03]")?;
            value("cost", of, persona.cost, 0.0, 1e6, "at least 0")?;
            value("rejected", of, persona.rejected, 0.0, 1.0, "in [0, 1]")?;
            value("correlation", of, persona.correlation, -1.0, 1.0, "in [-1, 1]")?;
            for share in persona.alike.values() {
                value("alike", of, *share, 0.0, 1.0, "in [0, 1]")?;
            }
            if self.personas[..at].iter().any(|other| other.name == persona.name) {
                return Err(ProfileError::Twice { name: persona.name.clone() });
            }
        }
        self.persona(HONEST).map(|_| ())
    }
}
