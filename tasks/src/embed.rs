//! Kind `embed`: texts, and where an agreed encoder places them.

mod calibrate;
mod personas;

use std::sync::Arc;
use std::time::Duration;

use ndarray::{Array2, ArrayView1};
use parity_scale_codec::{Decode, Encode};
use serde::Deserialize;
use weighhouse_types::profile::Paid;
use weighhouse_types::text::{TextsAnswer, TextsLimits, TextsRequest};
use weighhouse_types::{Digest, Hasher, InferAnswer, InferRequest, Judgement};

use crate::calibrate::{CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport};
use crate::challenge::Challenge;
use crate::error::TaskError;
use crate::file::{TaskFile, count};
use crate::generate::witness::{Encoder, WitnessError};
use crate::kind::{Kind, per_seed};
use crate::persona::Persona;
use crate::prompts::{Prompts, RawPrompts, WORDS_MAX};
use crate::reference::{Recorded, Reference};
use crate::references::References;
use crate::verdict::{fidelity, malformed};

/// Numbers in a row at most.
const DIMENSIONS_MAX: usize = 1 << 14;

/// A task of texts.
pub(crate) struct Embeddings {
    tolerance: f64,
    items: u32,
    prompts: Prompts,
    /// Words of a text.
    words: u32,
    encoder: Option<Arc<dyn Encoder>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    embed: RawEmbed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEmbed {
    texts: RawPrompts,
    words: u32,
}

/// The texts to place.
#[derive(Debug, Encode)]
pub(crate) struct Texts(Vec<String>);

/// A row per text.
#[derive(Debug, Encode, Decode)]
pub(crate) struct Vectors(Vec<Vec<f32>>);

/// The largest distance between two processors' vectors of one text, of their length.
const SAME: f64 = 1e-4;

impl Kind for Embeddings {
    const NAME: &'static str = "embed";
    const FILES: &'static [(&'static str, &'static str)] = &[("embed", crate::EMBED)];
    const PAYS: &'static [Paid] = &[Paid::Conformance];
    const HAS_REFERENCE: bool = true;
    const DEADLINE: Duration = Duration::from_secs(60);

    type Section = Section;
    type Question = Texts;
    type Answer = Array2<f32>;
    type Word = Vectors;

    fn reference(references: &dyn References, _: Option<Digest>) -> Result<Option<Digest>, TaskError> {
        Ok(references.encoder()?.map(|encoder| encoder.digest()))
    }

    fn new(file: &TaskFile, section: Section, references: &dyn References) -> Result<Self, TaskError> {
        let prompts = section.embed.texts.check("embed.texts")?;
        let words = count("embed.words", section.embed.words, WORDS_MAX)?;
        let encoder = references.encoder()?;
        if let Some(encoder) = &encoder {
            file.names(encoder.digest())?;
        }
        let tolerance = file.tolerance()?;
        Ok(Self { tolerance, items: file.items, prompts, words, encoder })
    }

    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Texts>, TaskError> {
        Ok(per_seed(seeds, |rng| {
            Texts((0..self.items).map(|_| self.prompts.draw(self.words, rng)).collect())
        }))
    }

    fn digest(task: Digest, texts: &Texts) -> Digest {
        let parts = texts
            .0
            .iter()
            .fold(Hasher::new("weighhouse/challenge/embed/v1").part(task.as_bytes()), |hasher, text| {
                hasher.part(text.as_bytes())
            });
        parts.finish()
    }

    fn request(&self, texts: &Texts) -> InferRequest {
        let request = TextsRequest { texts: texts.0.clone() }.to_infer("", "");
        request.expect("the task file's numbers and lengths fit a request")
    }

    fn refer(&self, asked: &[&Texts]) -> Result<Vec<Vectors>, TaskError> {
        let encoder = self.encoder.as_ref().ok_or(TaskError::NoReference)?;
        let embed = |texts: &&Texts| {
            let texts: Vec<&str> = texts.0.iter().map(String::as_str).collect();
            let rows = encoder.embed(&texts).map_err(WitnessError::from)?;
            if !rows.iter().all(|value| value.is_finite()) {
                return Err(TaskError::Reference("it places a text at no finite point".to_owned()));
            }
            Ok(Vectors(rows.rows().into_iter().map(|row| row.to_vec()).collect()))
        };
        asked.iter().map(embed).collect()
    }

    fn agrees(&self, recorded: &Vectors, again: &Vectors) -> bool {
        let is_near = |(one, other): (&Vec<f32>, &Vec<f32>)| {
            let square = |value: f64| value * value;
            let apart: f64 = one.iter().zip(other).map(|(a, b)| square(f64::from(a - b))).sum();
            let length: f64 = other.iter().map(|value| square(f64::from(*value))).sum();
            one.len() == other.len() && apart <= square(SAME) * length
        };
        recorded.0.len() == again.0.len() && recorded.0.iter().zip(&again.0).all(is_near)
    }

    fn read(&self, texts: &Texts, answer: &InferAnswer) -> Result<Self::Answer, Judgement> {
        // The limit on bytes is for texts, and an answer holds none.
        let limits = TextsLimits { texts: texts.0.len(), bytes: 0, dimensions: DIMENSIONS_MAX };
        let answer =
            TextsAnswer::from_infer(answer, &limits).map_err(|error| malformed(0, error.to_string()))?;
        let (rows, items) = (answer.rows, texts.0.len());
        if rows.nrows() != items {
            return Err(malformed(0, format!("{} rows, expected {items}", rows.nrows())));
        }
        Ok(rows)
    }

    fn judge(&self, texts: &Texts, word: &Vectors, rows: &Self::Answer) -> Result<Judgement, TaskError> {
        let (expected, actual) = (texts.0.len(), word.0.len());
        if expected != actual {
            return Err(TaskError::Rows { expected, actual });
        }
        Ok(judge(self.tolerance, &word.0, rows))
    }

    fn personas(&self) -> Vec<Persona> {
        personas::catalogue()
    }

    fn calibrate(
        &self,
        plan: &CalibrationPlan<'_>,
        progress: &mut dyn FnMut(CalibrationProgress),
    ) -> Result<CalibrationReport, CalibrateError> {
        calibrate::run(self, plan, progress)?.report(plan)
    }

    fn record(word: &Vectors) -> Recorded {
        Recorded::Vectors(word.0.clone())
    }

    fn recall(recorded: &Recorded) -> Option<Vectors> {
        match recorded {
            Recorded::Vectors(rows) => Some(Vectors(rows.clone())),
            _ => None,
        }
    }
}

/// 1 if every row points where the reference's does, within the tolerance; else minus the share of those that don't.
fn judge(tolerance: f64, reference: &[Vec<f32>], rows: &Array2<f32>) -> Judgement {
    let items = reference.len() as u32;
    // A cosine may round to above 1, and its distance to below 0.
    let (mut outside, mut worst) = (0, (0, f64::NEG_INFINITY));
    for ((item, row), own) in (0_u32..).zip(rows.rows()).zip(reference) {
        if row.len() != own.len() {
            return malformed(item, format!("{} dimensions, expected {}", row.len(), own.len()));
        }
        // A NaN among them would make the distance NaN, which is never above the tolerance.
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            return malformed(item, format!("a row with {value}"));
        }
        let distance = 1.0 - cosine(row, ArrayView1::from(own));
        outside += u32::from(distance > tolerance);
        if distance > worst.1 {
            worst = (item, distance);
        }
    }
    fidelity(items, outside, worst.0)
}

/// The cosine of the angle between two rows; 0 if either has no length. Sums run in order, in `f64`.
fn cosine(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    let dot = |a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>| {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
    };
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 { dot(a, b) / length } else { 0.0 }
}

impl Challenge {
    /// The texts to embed; none if this isn't about embedding.
    pub fn texts(&self) -> &[String] {
        self.question::<Texts>().map_or(&[], |texts| &texts.0)
    }
}

impl Reference {
    /// One row per text; none if the challenge isn't one of texts.
    pub fn vectors(&self) -> &[Vec<f32>] {
        match self.recorded() {
            Recorded::Vectors(rows) => rows,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests;
