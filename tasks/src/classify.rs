//! Kind `classify`: seeded perturbations of held-out scans of handwritten digits, and which digits they show.

pub(crate) mod judge;
pub(crate) mod likeness;
pub(crate) mod personas;
pub(crate) mod wire;

use parity_scale_codec::{Decode, Encode};
use serde::Deserialize;
use weighhouse_models::Classifier;
use weighhouse_models::digits::{self, CLASSES, PIXELS};
use weighhouse_models::draw::below;
use weighhouse_models::perturb::{Perturbation, perturb};
use weighhouse_types::profile::{Paid, Scope};
use weighhouse_types::scans::{MalformedScans, ScansAnswer};
use weighhouse_types::{Digest, Hasher, InferAnswer, InferRequest, Judgement, RegistrationId};

use crate::challenge::Challenge;
use crate::error::{TaskError, TaskFileError};
use crate::file::{Mode, TaskFile, within};
use crate::kind::{Kind, per_seed};
use crate::persona::Persona;
use crate::reference::{Recorded, Reference};
use crate::references::References;
use crate::verdict::malformed;

/// Rows of every forward pass over references. Shorter batches are filled up with blank scans, so that a reference's
/// bits don't depend on how many challenges a round had.
const BATCH_ROWS: usize = 256;
/// Of an answer, for each value: twice as wide as the widest number.
const VALUE_BYTES: usize = 16;

/// The largest total variation distance between two processors' results of one scan: they were seen to differ by 1.1e-6, and
/// verdicts turn on 5e-5 and more.
const SAME: f64 = 5e-6;

const SHIFT_PX_MAX: f64 = 4.0;
const ROTATION_DEGREES_MAX: f64 = 180.0;
const NOISE_SIGMA_MAX: f64 = 1.0;

/// A task of scans.
pub(crate) struct Classify {
    mode: Mode,
    scope: Scope,
    items: u32,
    perturbation: Perturbation,
    model: Option<Classifier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    perturbation: RawPerturbation,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerturbation {
    max_shift_px: f64,
    max_rotation_degrees: f64,
    noise_sigma: f64,
}

impl RawPerturbation {
    fn check(&self) -> Result<Perturbation, TaskFileError> {
        let (shift, rotation) = (self.max_shift_px, self.max_rotation_degrees);
        Ok(Perturbation {
            max_shift_px: within("perturbation.max_shift_px", shift, SHIFT_PX_MAX)?,
            max_rotation_degrees: within(
                "perturbation.max_rotation_degrees",
                rotation,
                ROTATION_DEGREES_MAX,
            )?,
            noise_sigma: within("perturbation.noise_sigma", self.noise_sigma, NOISE_SIGMA_MAX)?,
        })
    }
}

/// Scans, and the digits they show.
#[derive(Debug, Encode)]
pub(crate) struct Scans {
    pub(crate) pixels: Vec<f32>,
    pub(crate) truth: Vec<u8>,
}

/// A row of ten probabilities per scan.
#[derive(Encode, Decode)]
pub(crate) struct Rows(pub(crate) Vec<[f32; CLASSES]>);

impl Kind for Classify {
    const NAME: &'static str = "classify";
    const FILES: &'static [(&'static str, &'static str)] =
        &[("digits-conformance", crate::DIGITS_CONFORMANCE), ("digits-quality", crate::DIGITS_QUALITY)];
    const PAYS: &'static [Paid] = &[Paid::Conformance, Paid::Quality];
    const HAS_REFERENCE: bool = true;
    const REQUEST_FOLLOWS_FROM_SEED: bool = true;

    type Section = Section;
    type Question = Scans;
    type Answer = Vec<[f32; CLASSES]>;
    type Word = Rows;

    fn reference(references: &dyn References, _: Option<Digest>) -> Result<Option<Digest>, TaskError> {
        Ok(references.weights()?.map(|weights| Digest::of(&weights)))
    }

    fn new(file: &TaskFile, section: Section, references: &dyn References) -> Result<Self, TaskError> {
        let perturbation = section.perturbation.check()?;
        let model = match references.weights()? {
            Some(weights) => {
                file.names(Digest::of(&weights))?;
                Some(Classifier::load(&weights)?)
            }
            None => None,
        };
        Ok(Self { mode: file.mode, scope: file.scope, items: file.items, perturbation, model })
    }

    /// Draws held-out scans with replacement and perturbs each.
    fn draw(&self, seeds: &[[u8; 32]]) -> Result<Vec<Scans>, TaskError> {
        Ok(per_seed(seeds, |rng| {
            let mut pixels = Vec::with_capacity(self.items as usize * PIXELS);
            let mut truth = Vec::with_capacity(self.items as usize);
            for _ in 0..self.items {
                // Of the held-out scans, so that nobody's skill comes from the training set that the reference saw.
                let index = below(digits::HELD_OUT as u32, rng) as usize;
                let scan =
                    digits::held_out_scan(index).expect("the index is below the number of held-out scans");
                pixels.extend(perturb(scan.pixels, &self.perturbation, rng));
                truth.push(scan.digit);
            }
            Scans { pixels, truth }
        }))
    }

    fn digest(task: Digest, scans: &Scans) -> Digest {
        let bytes: Vec<u8> = scans.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        Hasher::new("weighhouse/challenge/v1").part(task.as_bytes()).part(&bytes).part(&scans.truth).finish()
    }

    fn answer_bytes(&self) -> Option<usize> {
        Some(self.items as usize * CLASSES * VALUE_BYTES)
    }

    fn request(&self, scans: &Scans) -> InferRequest {
        wire::request(&scans.pixels)
    }

    fn refer(&self, asked: &[&Scans]) -> Result<Vec<Rows>, TaskError> {
        let model = self.model.as_ref().ok_or(TaskError::NoReference)?;
        let mut pixels: Vec<f32> = asked.iter().flat_map(|scans| &scans.pixels).copied().collect();
        pixels.resize(pixels.len().next_multiple_of(BATCH_ROWS * PIXELS), 0.0);
        let mut rows = Vec::with_capacity(pixels.len() / PIXELS);
        for batch in pixels.chunks(BATCH_ROWS * PIXELS) {
            rows.extend(model.forward(batch)?);
        }
        let mut rows = rows.into_iter();
        Ok(asked.iter().map(|scans| Rows(rows.by_ref().take(scans.truth.len()).collect())).collect())
    }

    fn agrees(&self, recorded: &Rows, again: &Rows) -> bool {
        let is_near = |(row, again)| judge::total_variation(row, again) <= SAME;
        recorded.0.len() == again.0.len() && recorded.0.iter().zip(&again.0).all(is_near)
    }

    fn read(&self, scans: &Scans, answer: &InferAnswer) -> Result<Self::Answer, Judgement> {
        match ScansAnswer::from_infer(answer, scans.truth.len()) {
            Ok(answer) => Ok(answer.rows),
            Err(MalformedScans { item, what }) => Err(malformed(item, what)),
        }
    }

    fn judge(&self, scans: &Scans, word: &Rows, rows: &Self::Answer) -> Result<Judgement, TaskError> {
        let (expected, actual) = (scans.truth.len(), word.0.len());
        if expected != actual {
            return Err(TaskError::Rows { expected, actual });
        }
        Ok(judge::judge(&self.mode, &scans.truth, &word.0, rows))
    }

    fn alike(
        &self,
        scans: &Scans,
        word: &Rows,
        answers: &[(RegistrationId, &Self::Answer)],
    ) -> Option<Vec<Vec<RegistrationId>>> {
        if self.scope == Scope::Private || matches!(self.mode, Mode::Conformance { .. }) {
            return None;
        }
        Some(likeness::groups(&scans.truth, &word.0, answers))
    }

    fn personas(&self) -> Vec<Persona> {
        personas::catalogue()
    }

    fn record(word: &Rows) -> Recorded {
        Recorded::Rows(word.0.clone())
    }

    fn recall(recorded: &Recorded) -> Option<Rows> {
        match recorded {
            Recorded::Rows(rows) => Some(Rows(rows.clone())),
            _ => None,
        }
    }
}

impl Challenge {
    /// `items` rows of 64 values in [0, 1]; none if this isn't about scans.
    pub fn pixels(&self) -> &[f32] {
        self.question::<Scans>().map_or(&[], |scans| &scans.pixels)
    }

    /// The digit of each scan. Never leaves the validator.
    pub fn truth(&self) -> &[u8] {
        self.question::<Scans>().map_or(&[], |scans| &scans.truth)
    }
}

impl Reference {
    /// One row of ten probabilities per scan; none if the challenge isn't one of scans.
    pub fn rows(&self) -> &[[f32; CLASSES]] {
        match self.recorded() {
            Recorded::Rows(rows) => rows,
            _ => &[],
        }
    }
}
