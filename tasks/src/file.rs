//! The task file: what a subnet's validators agree on, read once into a type that can't be wrong.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use weighhouse_types::profile::{Paid, Scope};
use weighhouse_types::{Digest, JudgeIdentity, config};

use crate::error::{FILE_BYTES_MAX, FILE_VERSION, MODEL_NAME_BYTES_MAX, TaskError, TaskFileError};

/// The size of one challenge.
pub(crate) const ITEMS: RangeInclusive<u32> = 1..=1_024;
/// The longest time for an answer.
const DEADLINE_MAX: Duration = Duration::from_secs(3_600);
/// Blocks that commitments may take to the chain: a third of an epoch by the chain's default tempo.
const COMMIT_BLOCKS_MAX: u32 = 120;
/// Sections that every kind may have.
const COMMON: [&str; 2] = ["conformance", "quality"];

/// Merit that is paid.
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

/// The rules of a kind that the common part of its files is held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindRules {
    pub(crate) name: &'static str,
    pub(crate) pays: &'static [Paid],
    pub(crate) has_reference: bool,
    pub(crate) scopes: &'static [Scope],
    pub(crate) sealed: bool,
}

/// A task file that has been read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFile {
    /// SHA-256 of the file's bytes.
    pub digest: Digest,
    /// The name of the kind, one of [`KINDS`](crate::registry::KINDS) or a program's own.
    pub kind: &'static str,
    /// The version of the judge: `judge_version` in the file, apart from the section `[judge]` of a judge out of process.
    pub judge: u32,
    pub mode: Mode,
    pub scope: Scope,
    /// The name under which miners serve the model.
    pub model: String,
    /// The size of one challenge, 1 to 1024, in what its kind makes of it: scans, completions, texts, rows.
    pub items: u32,
    /// For an answer, where the subnet's validators agree on less than each of them would wait.
    pub deadline: Option<Duration>,
    /// Within so many blocks a commitment to an answer has to stand on the chain, before any answer is revealed; of kinds with
    /// sealed answers.
    pub commit_blocks: Option<u32>,
    /// SHA-256 of the reference weights' file, or the digest of the reference model; `None` of kinds without one.
    pub reference: Option<Digest>,
}

#[derive(Debug, Deserialize)]
struct FileVersion {
    version: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTask {
    #[serde(rename = "version")]
    _version: u32,
    kind: String,
    #[serde(default = "first_judge")]
    judge_version: u32,
    mode: RawMode,
    scope: Scope,
    model: String,
    items: u32,
    #[serde(default, with = "humantime_serde")]
    deadline: Option<Duration>,
    commit_blocks: Option<u32>,
    reference: Option<Digest>,
    conformance: Option<RawConformance>,
    quality: Option<RawQuality>,
}

fn first_judge() -> u32 {
    JudgeIdentity::FIRST_VERSION
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawMode {
    Conformance,
    Quality,
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
    /// Reads what every kind has in common, and the text of the sections that only its kind reads.
    pub(crate) fn read(
        file: &[u8],
        find: impl FnOnce(&str) -> Result<KindRules, TaskFileError>,
    ) -> Result<(Self, String), TaskFileError> {
        if file.len() > FILE_BYTES_MAX {
            return Err(TaskFileError::TooLong { bytes: file.len() });
        }
        let text = std::str::from_utf8(file).map_err(|_| TaskFileError::NotText)?;
        // A file of another version may have keys that this one does not know: its version is the better answer.
        let FileVersion { version } = config::parse(text)?;
        if version != FILE_VERSION {
            return Err(TaskFileError::Version { version });
        }
        let (head, section) = divide(text);
        let raw: RawTask = config::parse(&head)?;
        let kind = find(&raw.kind)?;
        Ok((raw.check(&kind, Digest::of(file))?, section))
    }

    /// Refuses another reference than the file names.
    ///
    /// # Errors
    /// [`TaskError::WrongReference`].
    pub fn names(&self, given: Digest) -> Result<(), TaskError> {
        let named = self.reference.ok_or(TaskFileError::ReferenceMissing { kind: self.kind })?;
        if given == named { Ok(()) } else { Err(TaskError::WrongReference { named, given }) }
    }

    /// The tolerance of a kind that pays conformance alone.
    ///
    /// # Errors
    /// [`TaskFileError::NoQuality`].
    pub fn tolerance(&self) -> Result<f64, TaskFileError> {
        match self.mode {
            Mode::Conformance { tolerance } => Ok(tolerance),
            Mode::Quality { .. } => Err(TaskFileError::NoQuality { kind: self.kind }),
        }
    }
}

impl RawTask {
    fn check(self, kind: &KindRules, digest: Digest) -> Result<TaskFile, TaskFileError> {
        if !ITEMS.contains(&self.items) {
            let allowed = format!("{} to {}", ITEMS.start(), ITEMS.end());
            return Err(TaskFileError::Range { key: "items", value: f64::from(self.items), allowed });
        }
        if self.deadline.is_some_and(|deadline| deadline.is_zero() || deadline > DEADLINE_MAX) {
            return Err(refused("deadline", "must be longer than zero and at most an hour".to_owned()));
        }
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=MODEL_NAME_BYTES_MAX).contains(&self.model.len()) || !self.model.bytes().all(named) {
            return Err(TaskFileError::ModelName { name: self.model });
        }
        if !kind.scopes.contains(&self.scope) {
            let scopes: Vec<_> = kind.scopes.iter().map(|scope| format!("{:?}", scope.name())).collect();
            return Err(refused("scope", format!("of kind {:?} is {}", kind.name, scopes.join(" or "))));
        }
        if let Some(blocks) = self.commit_blocks {
            if !kind.sealed {
                let what = format!("kind {:?} has no commitments that could stand on the chain", kind.name);
                return Err(refused("commit_blocks", what));
            }
            count("commit_blocks", blocks, COMMIT_BLOCKS_MAX)?;
        }
        if kind.has_reference && self.reference.is_none() {
            return Err(TaskFileError::ReferenceMissing { kind: kind.name });
        }
        let mode = if kind.has_reference {
            mode(self.mode, self.conformance.as_ref(), self.quality.as_ref())?
        } else {
            self.without_reference(kind)?
        };
        if !kind.pays.contains(&mode.paid()) {
            return Err(match mode {
                Mode::Quality { .. } => TaskFileError::NoQuality { kind: kind.name },
                Mode::Conformance { .. } => TaskFileError::NoConformance { kind: kind.name },
            });
        }
        Ok(TaskFile {
            digest,
            kind: kind.name,
            judge: self.judge_version,
            mode,
            scope: self.scope,
            model: self.model,
            items: self.items,
            deadline: self.deadline,
            commit_blocks: self.commit_blocks,
            reference: self.reference,
        })
    }

    /// The mode of a kind whose marks are relative to nothing.
    fn without_reference(&self, kind: &KindRules) -> Result<Mode, TaskFileError> {
        let unread = [
            ("reference", self.reference.is_some()),
            ("[quality]", self.quality.is_some()),
            ("[conformance]", self.conformance.is_some()),
        ];
        match (unread.into_iter().find(|(_, is_there)| *is_there), self.mode) {
            (Some((key, _)), _) => Err(TaskFileError::ReferenceUnread { kind: kind.name, key }),
            (None, RawMode::Quality) => Ok(Mode::Quality { floor_margin: 0.0 }),
            (None, RawMode::Conformance) => Err(TaskFileError::NoConformance { kind: kind.name }),
        }
    }
}

/// The name of the table that a line begins, if it begins one; a comment may follow it.
pub(crate) fn table(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (name, rest) = match line.strip_prefix("[[") {
        Some(list) => list.split_once("]]")?,
        None => line.strip_prefix('[')?.split_once(']')?,
    };
    let is_header = rest.trim_start().is_empty() || rest.trim_start().starts_with('#');
    is_header.then(|| name.trim())
}

/// The sections that every kind has, before and apart from those that only one reads.
fn divide(text: &str) -> (String, String) {
    let (mut head, mut section) = (String::new(), String::new());
    let mut is_common = true;
    for line in text.lines() {
        if let Some(table) = table(line) {
            let first = table.split('.').next().unwrap_or_default();
            is_common = COMMON.contains(&first.trim());
        }
        let (to, other) = if is_common { (&mut head, &mut section) } else { (&mut section, &mut head) };
        to.push_str(line);
        to.push('\n');
        // An empty line in its place, so that an error in either text names the right line of the file.
        other.push('\n');
    }
    (head, section)
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
            // At 0 another machine's last bits would count as another model.
            if *tolerance == 0.0 {
                let allowed = "above 0, below 1".to_owned();
                return Err(TaskFileError::Range { key: "conformance.tolerance", value: 0.0, allowed });
            }
            // 1 itself is excluded: no total variation distance is above it, so every answer would conform.
            Ok(Mode::Conformance {
                tolerance: within("conformance.tolerance", *tolerance, f64::next_down(1.0))?,
            })
        }
        (RawMode::Quality, None, Some(RawQuality { floor_margin })) => Ok(Mode::Quality {
            floor_margin: within("quality.floor_margin", *floor_margin, f64::next_down(1.0))?,
        }),
    }
}

/// The refusal of a value by its key: `refused("matmul.size", "must be even")`.
pub fn refused(key: &'static str, what: impl Into<String>) -> TaskFileError {
    TaskFileError::Value { key, what: what.into() }
}

/// In `[0, max]`; NaN is not.
pub fn within(key: &'static str, value: f64, max: f64) -> Result<f64, TaskFileError> {
    if (0.0..=max).contains(&value) {
        return Ok(value);
    }
    Err(TaskFileError::Range { key, value, allowed: format!("0 to {max:.3}") })
}

/// In 1 to `max`.
pub fn count(key: &'static str, value: u32, max: u32) -> Result<u32, TaskFileError> {
    if (1..=max).contains(&value) {
        return Ok(value);
    }
    Err(TaskFileError::Range { key, value: f64::from(value), allowed: format!("1 to {max}") })
}

#[cfg(test)]
mod tests;
