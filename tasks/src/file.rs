//! The task file: what a subnet's validators agree on, read once into a type that can't be wrong.

mod text;

use std::ops::RangeInclusive;

use serde::Deserialize;
use weighhouse_models::perturb::Perturbation;
use weighhouse_types::profile::{Paid, Scope};
use weighhouse_types::{Digest, config};

use crate::sequential::BudgetError;
use crate::sequential::RawBudget;
pub use text::{Embed, Generate, Margins};
use text::{RawEmbed, RawGenerate, RawMargins};

/// The version of the file that is read.
const FILE_VERSION: u32 = 1;
/// Longest file that is looked at.
const FILE_BYTES_MAX: usize = 64 << 10;
/// Scans in one challenge.
pub(crate) const ITEMS: RangeInclusive<u32> = 1..=1_024;
/// Longest name of a served model.
const MODEL_NAME_BYTES_MAX: usize = 64;

const SHIFT_PX_MAX: f64 = 4.0;
const ROTATION_DEGREES_MAX: f64 = 180.0;
const NOISE_SIGMA_MAX: f64 = 1.0;

/// What a task is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Which digit does each scan show?
    Classify,
    /// How does the agreed language model continue this text?
    Generate,
    /// Where does the agreed encoder place these texts?
    Embed,
}

impl Kind {
    /// As in a task file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Generate => "generate",
            Self::Embed => "embed",
        }
    }
}

/// What only one kind of task needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    Classify { perturbation: Perturbation },
    Generate(Box<Generate>),
    Embed(Embed),
}

/// What is paid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Fidelity to the reference, pass or fail, within `tolerance` in (0, 1): of classification the largest total variation
    /// distance between an item's probabilities and the reference's, of generation the largest mean of clipped margins,
    /// of embedding the largest distance of a cosine from 1.
    Conformance { tolerance: f64 },
    /// Skill against the truth; the reference is the floor, less `floor_margin` in units of skill, in [0, 1).
    Quality { floor_margin: f64 },
}

impl Mode {
    /// The mode without its thresholds, as profiles name it.
    pub fn paid(&self) -> Paid {
        match self {
            Self::Conformance { .. } => Paid::Conformance,
            Self::Quality { .. } => Paid::Quality,
        }
    }
}

/// A task file that has been read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFile {
    pub kind: Kind,
    pub mode: Mode,
    pub scope: Scope,
    /// The name under which miners serve the model.
    pub model: String,
    /// Scans, completions or texts in one challenge.
    pub items: u32,
    /// SHA-256 of the reference weights' file, or the digest of the reference model.
    pub reference: Digest,
    pub work: Work,
}

/// Why a task file is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TaskFileError {
    #[error("the task file has {bytes} bytes, over the limit of {FILE_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("the task file is not UTF-8")]
    NotText,
    #[error("the task file: {0}")]
    Toml(#[from] config::ConfigError),
    #[error("the task file has version {version}, this program reads {FILE_VERSION}")]
    Version { version: u32 },
    #[error("{key} = {value} is outside {allowed}")]
    Range { key: &'static str, value: f64, allowed: String },
    #[error("model = {name:?} is no model name: 1 to {MODEL_NAME_BYTES_MAX} of a-z, 0-9, '.', '_' and '-'")]
    ModelName { name: String },
    #[error("mode = \"{mode}\" needs a section [{mode}]")]
    SectionMissing { mode: &'static str },
    #[error("mode = \"{mode}\" does not read section [{section}]")]
    SectionUnread { mode: &'static str, section: &'static str },
    #[error("kind = \"{kind}\" needs a section [{section}]")]
    KindMissing { kind: &'static str, section: &'static str },
    #[error("kind = \"{kind}\" does not read section [{section}]")]
    KindUnread { kind: &'static str, section: &'static str },
    #[error("kind = \"{kind}\" pays conformance only: quality has no truth to be measured against")]
    NoQuality { kind: &'static str },
    #[error("{key} {what}")]
    Value { key: &'static str, what: String },
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

#[derive(Debug, Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "version")]
    _version: u32,
    kind: Kind,
    mode: RawMode,
    scope: Scope,
    model: String,
    items: u32,
    reference: Digest,
    perturbation: Option<RawPerturbation>,
    generate: Option<RawGenerate>,
    embed: Option<RawEmbed>,
    margins: Option<RawMargins>,
    budget: Option<RawBudget>,
    conformance: Option<RawConformance>,
    quality: Option<RawQuality>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawMode {
    Conformance,
    Quality,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerturbation {
    max_shift_px: f64,
    max_rotation_degrees: f64,
    noise_sigma: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConformance {
    tolerance: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuality {
    floor_margin: f64,
}

impl TaskFile {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// [`TaskFileError`], which names the key at fault; for an unknown key, the nearest known one as well.
    pub fn parse(file: &[u8]) -> Result<Self, TaskFileError> {
        if file.len() > FILE_BYTES_MAX {
            return Err(TaskFileError::TooLong { bytes: file.len() });
        }
        let text = std::str::from_utf8(file).map_err(|_| TaskFileError::NotText)?;
        // A file of another version may have keys that this one does not know: its version is the better answer.
        let Versioned { version } = config::parse(text)?;
        if version != FILE_VERSION {
            return Err(TaskFileError::Version { version });
        }
        let raw: Raw = config::parse(text)?;
        if !ITEMS.contains(&raw.items) {
            let allowed = format!("{} to {}", ITEMS.start(), ITEMS.end());
            return Err(TaskFileError::Range { key: "items", value: f64::from(raw.items), allowed });
        }
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=MODEL_NAME_BYTES_MAX).contains(&raw.model.len()) || !raw.model.bytes().all(named) {
            return Err(TaskFileError::ModelName { name: raw.model });
        }
        let mode = mode(raw.mode, raw.conformance.as_ref(), raw.quality.as_ref())?;
        if raw.kind != Kind::Classify && matches!(mode, Mode::Quality { .. }) {
            return Err(TaskFileError::NoQuality { kind: raw.kind.name() });
        }
        raw.refuse_unread()?;
        Ok(Self {
            kind: raw.kind,
            mode,
            scope: raw.scope,
            model: raw.model,
            items: raw.items,
            reference: raw.reference,
            work: match raw.kind {
                Kind::Classify => Work::Classify {
                    perturbation: perturbation(&needed(raw.perturbation, raw.kind, "perturbation")?)?,
                },
                Kind::Generate => {
                    let margins = needed(raw.margins, raw.kind, "margins")?;
                    let generate = needed(raw.generate, raw.kind, "generate")?;
                    Work::Generate(Box::new(generate.check(raw.items, &margins, raw.budget)?))
                }
                Kind::Embed => Work::Embed(needed(raw.embed, raw.kind, "embed")?.check()?),
            },
        })
    }

    /// What a task of completions says of them.
    pub fn generate(&self) -> Option<&Generate> {
        match &self.work {
            Work::Generate(generate) => Some(generate),
            _ => None,
        }
    }
}

impl Raw {
    /// A section that the kind doesn't read is a mistake, not decoration.
    fn refuse_unread(&self) -> Result<(), TaskFileError> {
        let sections = [
            ("perturbation", self.perturbation.is_some(), Kind::Classify),
            ("generate", self.generate.is_some(), Kind::Generate),
            ("margins", self.margins.is_some(), Kind::Generate),
            ("budget", self.budget.is_some(), Kind::Generate),
            ("embed", self.embed.is_some(), Kind::Embed),
        ];
        match sections.iter().find(|(_, given, reader)| *given && *reader != self.kind) {
            Some((section, ..)) => Err(TaskFileError::KindUnread { kind: self.kind.name(), section }),
            None => Ok(()),
        }
    }
}

fn needed<T>(section: Option<T>, kind: Kind, name: &'static str) -> Result<T, TaskFileError> {
    section.ok_or(TaskFileError::KindMissing { kind: kind.name(), section: name })
}

fn mode(
    mode: RawMode,
    conformance: Option<&RawConformance>,
    quality: Option<&RawQuality>,
) -> Result<Mode, TaskFileError> {
    match (mode, conformance, quality) {
        (RawMode::Conformance, _, Some(_)) => {
            Err(TaskFileError::SectionUnread { mode: "conformance", section: "quality" })
        }
        (RawMode::Quality, Some(_), _) => {
            Err(TaskFileError::SectionUnread { mode: "quality", section: "conformance" })
        }
        (RawMode::Conformance, None, None) => Err(TaskFileError::SectionMissing { mode: "conformance" }),
        (RawMode::Quality, None, None) => Err(TaskFileError::SectionMissing { mode: "quality" }),
        (RawMode::Conformance, Some(RawConformance { tolerance }), None) => {
            if *tolerance == 0.0 {
                let allowed = "above 0, below 1".to_owned();
                return Err(TaskFileError::Range { key: "conformance.tolerance", value: 0.0, allowed });
            }
            Ok(Mode::Conformance {
                tolerance: within("conformance.tolerance", *tolerance, f64::next_down(1.0))?,
            })
        }
        (RawMode::Quality, None, Some(RawQuality { floor_margin })) => Ok(Mode::Quality {
            floor_margin: within("quality.floor_margin", *floor_margin, f64::next_down(1.0))?,
        }),
    }
}

fn perturbation(raw: &RawPerturbation) -> Result<Perturbation, TaskFileError> {
    Ok(Perturbation {
        max_shift_px: within("perturbation.max_shift_px", raw.max_shift_px, SHIFT_PX_MAX)?,
        max_rotation_degrees: within(
            "perturbation.max_rotation_degrees",
            raw.max_rotation_degrees,
            ROTATION_DEGREES_MAX,
        )?,
        noise_sigma: within("perturbation.noise_sigma", raw.noise_sigma, NOISE_SIGMA_MAX)?,
    })
}

/// In `[0, max]`; NaN is not.
fn within(key: &'static str, value: f64, max: f64) -> Result<f64, TaskFileError> {
    if (0.0..=max).contains(&value) {
        return Ok(value);
    }
    Err(TaskFileError::Range { key, value, allowed: format!("0 to {max:.3}") })
}

#[cfg(test)]
mod tests;
