//! The tolerance of a task that embeds: beyond the worst that honest rows showed.

use ndarray::ArrayView1;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use weighhouse_types::InferAnswer;

use super::{Embeddings, Texts, Vectors, cosine};
use crate::calibrate::{
    CalibrateError, CalibrationPlan, CalibrationProgress, CalibrationReport, RateBound, WriteError, bounded,
    rounded_up, significant, without,
};
use crate::kind::Kind as _;
use crate::persona::{Conduct, Persona, PersonaSetup};

/// The tolerance is this many times as far as the worst that was seen of honest rows.
const HEADROOM: f64 = 4.0;
/// No tolerance is below this: kernels of other machines that were not measured.
const TOLERANCE_LEAST: f64 = 1e-6;
/// The honest way that answers differ from the reference's own in: each text in a pass of its own.
const ALONE: &str = "one at a time";
const SECTION: [&str; 1] = ["[conformance]"];
const COLUMNS: [&str; 4] = ["<rows", "mean", "largest", "rejected"];

/// The measured figures, and the limits that follow from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Calibrated {
    texts: usize,
    tolerance: f64,
    honest: RateBound,
    rows: Vec<Row>,
}

/// One persona: of its rows the mean and the largest distance from the reference's, one minus the cosine.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    persona: String,
    honest: bool,
    mean: f64,
    largest: f64,
    /// Share of rows that are beyond the tolerance or none at all.
    rejected: f64,
}

/// The distances of somebody's rows, in the order of the texts; rows that are none are infinitely far.
struct PersonaSample {
    name: String,
    is_honest: bool,
    distances: Vec<f64>,
}

/// Measures.
///
/// # Errors
/// No challenges, or a text that an encoder refuses.
pub(super) fn run(
    kind: &Embeddings,
    plan: &CalibrationPlan<'_>,
    progress: &mut dyn FnMut(CalibrationProgress),
) -> Result<Calibrated, CalibrateError> {
    if plan.challenges == 0 {
        return Err(CalibrateError::NoChallenges);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(plan.seed);
    let asked = kind.draw(&CalibrationPlan::seeds(plan.challenges, &mut rng))?;
    let reference = kind.refer(&asked.iter().collect::<Vec<_>>())?;
    let earlier = kind.draw(&CalibrationPlan::seeds(1, &mut rng))?;
    let earlier = earlier.first().map(|texts| kind.request(texts));
    let personas = kind.personas();
    let mut seen = Vec::with_capacity(personas.len() + 1);
    let mut tell = |name: &str, done| {
        progress(CalibrationProgress { persona: name.to_owned(), done, personas: personas.len() + 1 });
    };
    tell(ALONE, 0);
    seen.push(alone(kind, &asked, &reference)?);
    for (persona, done) in personas.iter().zip(1..) {
        tell(persona.name, done);
        // A generator of its own, so that one persona's draws don't move the next one's.
        let rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
        let setup = PersonaSetup { references: plan.references, rng, earlier: earlier.as_ref(), own: None };
        seen.push(look(kind, persona, plan, setup, (&asked, &reference))?);
    }
    Ok(settle(&seen))
}

fn alone(kind: &Embeddings, asked: &[Texts], reference: &[Vectors]) -> Result<PersonaSample, CalibrateError> {
    let texts: Vec<Texts> =
        asked.iter().flat_map(|texts| &texts.0).map(|text| Texts(vec![text.clone()])).collect();
    let rows = kind.refer(&texts.iter().collect::<Vec<_>>())?;
    let own = reference.iter().flat_map(|vectors| &vectors.0);
    let distances = rows
        .iter()
        .flat_map(|vectors| &vectors.0)
        .zip(own)
        .map(|(row, own)| distance(ArrayView1::from(row), own));
    Ok(PersonaSample { name: ALONE.to_owned(), is_honest: true, distances: distances.collect() })
}

fn look(
    kind: &Embeddings,
    persona: &Persona,
    plan: &CalibrationPlan<'_>,
    setup: PersonaSetup<'_>,
    (asked, reference): (&[Texts], &[Vectors]),
) -> Result<PersonaSample, CalibrateError> {
    let mut answerer = persona.open(setup)?;
    let mut distances = Vec::new();
    for (texts, own) in asked.iter().zip(reference) {
        let answer = answerer(&kind.request(texts))?;
        let rows = answer.and_then(|answer: InferAnswer| kind.read(texts, &answer).ok());
        match rows {
            Some(rows) => {
                distances.extend(rows.rows().into_iter().zip(&own.0).map(|(row, own)| distance(row, own)))
            }
            // A missing answer is further off than any distance.
            None => distances.extend(own.0.iter().map(|_| f64::INFINITY)),
        }
    }
    let is_honest = match persona.precision {
        Some(precision) => plan.allows(precision),
        None => persona.conduct == Conduct::Honest,
    };
    Ok(PersonaSample { name: persona.name.to_owned(), is_honest, distances })
}

fn distance(row: ArrayView1<'_, f32>, own: &[f32]) -> f64 {
    let distance = 1.0 - cosine(row, ArrayView1::from(own));
    if row.len() == own.len() && distance.is_finite() { distance } else { f64::INFINITY }
}

fn settle(seen: &[PersonaSample]) -> Calibrated {
    let texts = seen.first().map_or(0, |seen| seen.distances.len());
    let honest = || seen.iter().filter(|seen| seen.is_honest).map(|seen| &seen.distances);
    // One half of the texts sets the limit, the other half tests it.
    let fitted = texts.div_ceil(2);
    let worst = honest().flat_map(|distances| &distances[..fitted]).fold(0.0_f64, |a, b| a.max(*b));
    // A task file takes no tolerance of 1 or more.
    let tolerance = rounded_up((worst * HEADROOM).max(TOLERANCE_LEAST)).min(0.99);
    let beyond = |distances: &[f64]| distances.iter().filter(|distance| **distance > tolerance).count();
    let (mut checks, mut missed) = (0, 0);
    for distances in honest() {
        checks += (texts - fitted) as u32;
        missed += beyond(&distances[fitted..]) as u32;
    }
    let row = |seen: &PersonaSample| {
        let finite: Vec<f64> =
            seen.distances.iter().copied().filter(|distance| distance.is_finite()).collect();
        Row {
            persona: seen.name.clone(),
            honest: seen.is_honest,
            mean: significant(finite.iter().sum::<f64>() / finite.len().max(1) as f64),
            largest: significant(finite.iter().copied().fold(0.0, f64::max)),
            rejected: significant(beyond(&seen.distances) as f64 / texts as f64),
        }
    };
    Calibrated { texts, tolerance, honest: bounded(checks, missed), rows: seen.iter().map(row).collect() }
}

impl Calibrated {
    pub(super) fn report(&self, plan: &CalibrationPlan<'_>) -> Result<CalibrationReport, CalibrateError> {
        let row = |row: &Row| {
            let name = format!("{}{}", row.persona, if row.honest { " (honest)" } else { "" });
            vec![name, row.mean.to_string(), row.largest.to_string(), row.rejected.to_string()]
        };
        Ok(CalibrationReport {
            file: self.rewrite(plan.file, plan.how)?,
            columns: &COLUMNS,
            rows: self.rows.iter().map(row).collect(),
            json: serde_json::to_string(self)?,
        })
    }

    /// The file with its tolerance replaced; all else, comments included, stays as it is.
    fn rewrite(&self, file: &str, how: &str) -> Result<String, WriteError> {
        let head = without(file, &SECTION, &SECTION)?;
        let mut text = format!("{head}\n\n# Measured by `{how}`, as one minus the cosine:\n");
        for row in &self.rows {
            let (name, mean, largest, rejected) = (&row.persona, row.mean, row.largest, row.rejected);
            text += &format!("#   {name:<20} mean {mean:<13} largest {largest:<13} rejected {rejected}\n");
        }
        text += &format!(
            "# The tolerance is {HEADROOM} times the largest of half of the honest texts; of the other half {} of {} are \
             beyond.\n[conformance]\ntolerance = {:?}\n",
            self.honest.beyond, self.honest.checks, self.tolerance
        );
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
