//! Thresholds for a task's file: the margins of honest completions before the judge, and the limit beyond which none lie.
//!
//! Seeded challenges are answered by the agreed model in every way that an honest miner may run it, and by every kind of
//! cheat; each answer goes before the judge that a validator uses. Limits are set beyond the worst that an honest answer
//! showed, and the two histograms of the sequential test are those of the honest run that is furthest off and of the cheat
//! that it has to tell. CPU time comes from the caller: nothing here reads a clock.

mod answers;
mod embed;
mod figures;
mod written;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use weighhouse_models::language::LanguageModel;
use weighhouse_types::Reason;
use weighhouse_types::text::{TextAnswer, TextError, TextRequest};

pub use answers::Persona;
pub use embed::{CalibratedRows, RowsCalibration, RowsOf, RowsSample};
pub use figures::{EDGES, RateBound, Row, Table};
pub use written::{WriteError, rewrite, rewrite_embed};

use crate::file::Mode;
use crate::generate::{self, Generate};
use crate::witness::{TeacherForced, Witness};
use crate::{Challenge, CompleteError, Task, TaskError};
use answers::Answers;
use figures::PersonaSample;

/// Limits are set this many times as far as the worst that was seen of honest answers.
const HEADROOM: f64 = 2.0;
/// Of cheats so many challenges are looked at, at most: they are far off, and rates below this are not told of them.
const CHEAT_CHALLENGES: u32 = 500;
/// No limit is below these, in units of the logits: kernels of other machines that were not measured.
const MARGIN_LEAST: f64 = 0.01;
const MEAN_LEAST: f64 = 1e-4;
/// Answers that go before the judge together.
const PACK: usize = 8;

/// Somebody who answers, under a name in the table.
#[derive(Clone, Debug)]
pub struct CalibrationModel {
    pub name: String,
    pub by: By,
    /// A miner that serves it is honest.
    pub is_honest: bool,
}

/// The answerer behind a name in the table.
#[derive(Clone, Debug)]
pub enum By {
    /// A model, by the decoder that miners serve from.
    Model(Box<LanguageModel>),
    /// A server that is not ours.
    Server(Arc<dyn Server>),
}

/// A server that is not ours, as far as a calibration needs one.
pub trait Server: Send + Sync + fmt::Debug {
    /// An answer to each request, in order, many of them under way at once.
    ///
    /// # Errors
    /// What the server said, or that it said nothing.
    fn complete(&self, requests: Vec<TextRequest>) -> Result<Vec<TextAnswer>, String>;
}

/// Subject of a calibration.
#[derive(Debug)]
pub struct Calibration<'a> {
    pub task: &'a Task,
    pub reference: &'a LanguageModel,
    /// Other models: honest ones in other precisions, and cheats.
    pub served: &'a [CalibrationModel],
    /// Of each honest kind; of cheats 500 at most.
    pub challenges: u32,
    pub seed: u64,
    /// The cheat of the sequential test's second histogram, by its name in the table.
    pub against: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    #[error("the task is of kind \"{kind}\", which this calibration is not for")]
    Kind { kind: &'static str },
    #[error("no challenges to measure by")]
    NoChallenges,
    #[error("there is no cheat named {name:?} in the table")]
    NoCheat { name: String },
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Complete(#[from] CompleteError),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("the reference: {0}")]
    Witness(#[from] crate::witness::WitnessError),
    #[error("{who}: {why}")]
    Server { who: String, why: String },
    #[error(
        "{who} answers greedily only, and the task samples by gumbel/v1: calibrate a task with sampler = \"greedy\""
    )]
    GreedyOnly { who: String },
    #[error("an honest answer of {who} is refused whatever the limits: {why}")]
    Form { who: String, why: String },
}

/// Progress of a calibration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub persona: String,
    pub done: usize,
    pub personas: usize,
}

/// The measured figures, and the thresholds that follow from them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationResult {
    pub challenges: u32,
    pub tokens: u32,
    pub limits: Limits,
    /// Honest checks that no limit was set by, how many of them were beyond, and the rate that this bounds (95 %
    /// confidence).
    pub honest: RateBound,
    pub table: Table,
}

/// For the task's file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    pub tolerance: f64,
    pub clip: f64,
    pub token_max: f64,
    pub log_prob_max: f64,
    pub edges: Vec<f64>,
    pub honest: Vec<f64>,
    pub cheat: Vec<f64>,
}

impl Calibration<'_> {
    /// Measures. `cpu` gives the CPU time that this thread has used so far.
    ///
    /// # Errors
    /// A task of another kind, a model that can't answer, or an honest answer that no limit lets pass.
    pub fn run(
        &self,
        cpu: &dyn Fn() -> Duration,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<CalibrationResult, CalibrateError> {
        let kind = self.task.file().kind;
        let (Some(generate), Mode::Conformance { .. }) = (self.task.generate(), &self.task.file().mode)
        else {
            return Err(CalibrateError::Kind { kind });
        };
        if self.challenges == 0 {
            return Err(CalibrateError::NoChallenges);
        }
        let personas = self.personas(generate);
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let mut seen = Vec::with_capacity(personas.len());
        for (done, persona) in personas.iter().enumerate() {
            progress(Progress { persona: persona.name.clone(), done, personas: personas.len() });
            seen.push(self.look(generate, persona, &mut rng, cpu)?);
        }
        let limits = self.limits(&seen)?;
        let honest = figures::bound(&seen, &limits);
        let table = figures::table(&limits, &seen);
        Ok(CalibrationResult {
            challenges: self.challenges,
            tokens: generate.max_tokens,
            limits,
            honest,
            table,
        })
    }

    /// Honest ones first.
    fn personas(&self, generate: &Generate) -> Vec<Answers<'_>> {
        let reference = self.reference;
        let of = |name: &str, by, persona, is_honest| Answers {
            name: name.to_owned(),
            by,
            reference,
            persona,
            is_honest,
        };
        let by = |model| By::Model(Box::new(LanguageModel::clone(model)));
        let own = |name, persona| of(name, by(reference), persona, false);
        let mut personas = vec![
            of("batch of 1", by(reference), Persona::Serves { batch: 1 }, true),
            of("batch of 16", by(reference), Persona::Serves { batch: 16 }, true),
        ];
        let (honest, cheats): (Vec<_>, Vec<_>) = self.served.iter().partition(|served| served.is_honest);
        for served in honest.into_iter().chain(cheats) {
            personas.push(of(
                &served.name,
                served.by.clone(),
                Persona::Serves { batch: 8 },
                served.is_honest,
            ));
        }
        personas.push(own("other temperature", Persona::Temperature));
        if generate.sampling.temperature > 0.0 {
            personas.push(own("wrong seed", Persona::Seed));
        }
        personas.push(own("truncated", Persona::Truncated));
        personas.push(own("cached", Persona::Cached));
        personas.push(own("ignored prompt", Persona::IgnoredPrompt));
        personas.push(own("one edited token", Persona::Edited));
        personas
    }

    /// The reference's words on one persona's answers.
    fn look(
        &self,
        generate: &Generate,
        persona: &Answers<'_>,
        rng: &mut ChaCha20Rng,
        cpu: &dyn Fn() -> Duration,
    ) -> Result<PersonaSample, CalibrateError> {
        let mut draw = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let count = if persona.is_honest { self.challenges } else { self.challenges.min(CHEAT_CHALLENGES) };
        let seeds: Vec<[u8; 32]> = (0..count).map(|_| draw()).collect();
        let challenges = self.task.challenges(&seeds)?;
        let start = cpu();
        let answers = persona.answer(generate, &challenges, rng)?;
        let answering = cpu().saturating_sub(start).as_secs_f64();
        let start = cpu();
        let mut seen = PersonaSample::new(persona);
        for (challenges, answers) in challenges.chunks(PACK).zip(answers.chunks(PACK)) {
            self.judge(generate, challenges, answers, &mut seen)?;
        }
        let count = f64::from(count);
        (seen.answering, seen.judging) =
            (answering / count, cpu().saturating_sub(start).as_secs_f64() / count);
        if let Some(why) = seen.refused.first().filter(|_| persona.is_honest) {
            return Err(CalibrateError::Form { who: persona.name.clone(), why: why.clone() });
        }
        Ok(seen)
    }

    fn judge(
        &self,
        generate: &Generate,
        challenges: &[Challenge],
        answers: &[TextAnswer],
        seen: &mut PersonaSample,
    ) -> Result<(), CalibrateError> {
        let witness = TeacherForced(self.reference.clone());
        let mut completions = Vec::with_capacity(answers.len());
        for answer in answers {
            completions.push(generate::read(generate, &answer.to_infer("", "", "")?));
        }
        let claims: Vec<_> = challenges
            .iter()
            .zip(&completions)
            .filter_map(|(challenge, completion)| {
                let (prompt, sampling) = challenge.prompt()?;
                Some(crate::witness::Claim { prompt, tokens: &completion.as_ref().ok()?.tokens, sampling })
            })
            .collect();
        let mut testimonies = witness.testify(&claims)?.into_iter();
        for completion in completions {
            match completion {
                Err(judgement) => seen.refuse(judgement.reasons.first()),
                Ok(completion) => {
                    let Some(testimony) = testimonies.next() else { break };
                    let contradicts: Option<Reason> =
                        generate::contradicts(generate, &completion, &testimony);
                    match contradicts {
                        Some(reason) => seen.refuse(Some(&reason)),
                        None => seen.take(completion.log_probs(), testimony),
                    }
                }
            }
        }
        Ok(())
    }

    fn limits(&self, seen: &[PersonaSample]) -> Result<Limits, CalibrateError> {
        let honest: Vec<&PersonaSample> = seen.iter().filter(|seen| seen.is_honest).collect();
        let cheat = seen.iter().find(|seen| seen.name == self.against && !seen.is_honest);
        let cheat = cheat.ok_or_else(|| CalibrateError::NoCheat { name: self.against.to_owned() })?;
        let worst =
            |of: &dyn Fn(&PersonaSample) -> f64| honest.iter().map(|seen| of(seen)).fold(0.0_f64, f64::max);
        let beyond = |value: f64, least: f64| figures::rounded_up((value * HEADROOM).max(least));
        let token_max = beyond(worst(&PersonaSample::largest_margin), MARGIN_LEAST);
        // A single token that is beyond every honest one decides alone; what the mean adds is many small ones.
        let clip = token_max;
        let tolerance = beyond(worst(&|seen| seen.largest_mean(clip)), MEAN_LEAST).min(0.99);
        Ok(Limits {
            tolerance,
            clip,
            token_max,
            log_prob_max: beyond(worst(&PersonaSample::largest_difference), MARGIN_LEAST),
            edges: EDGES.to_vec(),
            honest: figures::most_spread(&honest),
            cheat: cheat.shares(),
        })
    }
}

#[cfg(test)]
mod tests;
