//! What kinds of answerers earn on a task and what answering costs them, measured on the task itself.
//!
//! Seeded challenges are answered by every [`Persona`] and judged by the judge that a validator uses, so that whoever
//! simulates a subnet needs no guessed number. CPU time comes from the caller: nothing here reads a clock. Marks, and
//! what is worked out from them, depend on the task, the number of challenges and the seed alone; the last bits of a
//! model's output may differ between processors. Signatures and transport are no part of the costs.

mod personas;
mod statistics;

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_models::ModelError;
use weighhouse_models::safetensors::FormatError;
use weighhouse_types::profile::{ChallengeCost, PROFILE_VERSION, PersonaFigures, Profile};
use weighhouse_types::{Failure, InferAnswer, InferRequest, Mark};

use crate::classify::Classify;
use crate::kind::Kind;
use crate::{Challenge, Reference, RequestError, Scope, Task, TaskError};
use personas::Answerer;
pub use personas::Persona;

/// How many challenges a measurement may have.
pub const CHALLENGES: RangeInclusive<u32> = 20..=100_000;

/// Challenges that are timed together: enough to be far above the resolution of a CPU clock.
const BLOCK: u32 = 50;
/// Significant digits of a figure that comes from marks.
const MARK_DIGITS: usize = 6;
/// Significant digits of a figure that comes from a clock.
const TIME_DIGITS: usize = 3;

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    /// The name under which the profile is known.
    pub name: &'a str,
    pub task: &'a Task,
    /// The file of the task's reference weights, for the personas that round them.
    pub reference: &'a [u8],
    /// What two honest miners serve, each its own model, where a task pays for more than the reference; both the reference
    /// if there are none.
    pub own: Option<[&'a [u8]; 2]>,
    /// Within [`CHALLENGES`].
    pub challenges: u32,
    pub seed: u64,
}

/// How far a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Challenges done.
    pub done: u32,
    pub challenges: u32,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MeasureError {
    #[error("{challenges} challenges are outside {} to {}", CHALLENGES.start(), CHALLENGES.end())]
    Challenges { challenges: u32 },
    #[error("the reference weights: {0}")]
    Weights(#[from] FormatError),
    #[error("the weights of persona {persona}: {source}")]
    Model { persona: &'static str, source: ModelError },
    #[error("persona {persona} can't answer: {source}")]
    Answer { persona: &'static str, source: RequestError },
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(
        "the task is of kind \"{kind}\", and only \"classify\" is measured; see `weighhouse task calibrate`"
    )]
    Kind { kind: &'static str },
}

/// The challenges of one block, as one miner gets them.
struct Posed {
    challenges: Vec<Challenge>,
    requests: Vec<InferRequest>,
    references: Vec<Reference>,
}

/// Two miners of a persona, and what their answers were worth.
struct Pair {
    persona: Persona,
    first: Answerer,
    second: Answerer,
    marks: [Vec<f64>; 2],
    /// CPU-seconds per answer of the first, a block each.
    seconds: Vec<f64>,
}

type CpuTime<'a> = &'a dyn Fn() -> Duration;

impl Measurement<'_> {
    /// Measures. `cpu` gives the CPU time that this thread has used so far; run it where tensors are computed on this
    /// thread alone.
    ///
    /// # Errors
    /// A number of challenges outside [`CHALLENGES`], or weights other than the task's reference.
    pub fn run(
        &self,
        cpu: &dyn Fn() -> Duration,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Profile, MeasureError> {
        if !CHALLENGES.contains(&self.challenges) {
            return Err(MeasureError::Challenges { challenges: self.challenges });
        }
        if self.task.file().kind != Classify::NAME {
            return Err(MeasureError::Kind { kind: self.task.file().kind });
        }
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let earlier = self.pose(BLOCK, &mut rng, cpu)?.0;
        let mut pairs = self.pairs(&earlier.requests, &mut rng)?;
        let (mut references, mut judging) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < self.challenges {
            let block = BLOCK.min(self.challenges - done);
            let (posed, seconds) = self.pose(block, &mut rng, cpu)?;
            references.push(seconds / f64::from(block));
            let others = match self.task.file().scope {
                Scope::Private => Some(self.pose(block, &mut rng, cpu)?.0),
                Scope::Shared => None,
            };
            for pair in &mut pairs {
                let judged = self.face(pair, &posed, others.as_ref().unwrap_or(&posed), cpu)?;
                if pair.persona == Persona::Honest {
                    judging.push(judged / f64::from(block));
                }
            }
            done += block;
            progress(Progress { done, challenges: self.challenges });
        }
        Ok(self.profile(&pairs, &mut references, &mut judging))
    }

    fn pairs(&self, earlier: &[InferRequest], rng: &mut ChaCha20Rng) -> Result<Vec<Pair>, MeasureError> {
        // Both twins know the seed of their noise; other pairs have nothing in common but the persona.
        let noise = rng.next_u64();
        let pair = |persona: Persona| {
            let seeds = if persona.is_twin() { [noise; 2] } else { [rng.next_u64(), rng.next_u64()] };
            let answerer = |persona, which: usize| {
                let honest = self.own.map_or(self.reference, |own| own[which]);
                let served = if persona == Persona::Honest { honest } else { self.reference };
                Answerer::new(persona, served, &earlier[which], seeds[which])
            };
            Ok(Pair {
                persona,
                first: answerer(persona, 0)?,
                second: answerer(persona.other(), 1)?,
                marks: [Vec::new(), Vec::new()],
                seconds: Vec::new(),
            })
        };
        Persona::ALL.into_iter().map(pair).collect()
    }

    /// Draws challenges and computes their references as a validator would, with the CPU-seconds of the latter.
    fn pose(&self, count: u32, rng: &mut ChaCha20Rng, cpu: CpuTime<'_>) -> Result<(Posed, f64), TaskError> {
        let draw = |_| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let seeds: Vec<[u8; 32]> = (0..count).map(draw).collect();
        let challenges = self.task.challenges(&seeds)?;
        let request = |challenge| self.task.request(challenge, String::new());
        let requests = challenges.iter().map(request).collect();
        let rounds = match self.task.file().scope {
            Scope::Private => challenges.len(),
            Scope::Shared => 1,
        };
        let start = cpu();
        let mut references = Vec::with_capacity(challenges.len());
        for round in challenges.chunks(rounds) {
            references.extend(self.task.references(round)?);
        }
        let seconds = since(start, cpu);
        Ok((Posed { challenges, requests, references }, seconds))
    }

    /// Has a pair answer a block each; gives the CPU-seconds it took to judge the first.
    fn face(
        &self,
        pair: &mut Pair,
        posed: &Posed,
        others: &Posed,
        cpu: CpuTime<'_>,
    ) -> Result<f64, MeasureError> {
        let start = cpu();
        let answers = pair.first.answers(&posed.requests)?;
        pair.seconds.push(since(start, cpu) / answers.len() as f64);
        let start = cpu();
        pair.marks[0].extend(self.marks(posed, &answers)?);
        let judging = since(start, cpu);
        let answers = pair.second.answers(&others.requests)?;
        pair.marks[1].extend(self.marks(others, &answers)?);
        Ok(judging)
    }

    fn marks(&self, posed: &Posed, answers: &[Result<InferAnswer, Failure>]) -> Result<Vec<f64>, TaskError> {
        let each = posed.challenges.iter().zip(&posed.references).zip(answers);
        each.map(|((challenge, reference), answer)| {
            Ok(self.task.judge(challenge, reference, answer)?.mark.to_f64())
        })
        .collect()
    }

    fn profile(&self, pairs: &[Pair], references: &mut [f64], judging: &mut [f64]) -> Profile {
        let honest = pairs.iter().find(|pair| pair.persona == Persona::Honest);
        let honest = honest.expect("honest is one of all personas");
        let scope = self.task.file().scope;
        let time = |seconds: &mut [f64]| statistics::rounded(statistics::median(seconds), TIME_DIGITS);
        Profile {
            version: PROFILE_VERSION,
            task: self.name.to_owned(),
            paid: self.task.file().mode.paid(),
            scope,
            challenges: self.challenges,
            cost: ChallengeCost {
                answer: time(&mut honest.seconds.clone()),
                reference: time(references),
                judge: time(judging),
            },
            personas: pairs.iter().map(|pair| pair.measured(honest, scope)).collect(),
        }
    }
}

impl Pair {
    fn measured(&self, honest: &Self, scope: Scope) -> PersonaFigures {
        let [marks, others] = &self.marks;
        let mut ratios: Vec<f64> =
            self.seconds.iter().zip(&honest.seconds).map(|(own, base)| own / base).collect();
        let rejected = marks.iter().filter(|mark| **mark <= Mark::ZERO.to_f64()).count();
        let figure = |value: f64| statistics::rounded(value, MARK_DIGITS);
        PersonaFigures {
            name: self.persona.name().to_owned(),
            mean: figure(statistics::mean(marks)),
            deviation: figure(statistics::deviation(marks)),
            cost: statistics::rounded(statistics::median(&mut ratios), TIME_DIGITS),
            rejected: figure(rejected as f64 / marks.len() as f64),
            correlation: figure(statistics::correlation(marks, others)),
            detections: self.detections(honest, scope),
        }
    }

    /// By the mean of marks if challenges are private, and of differences from an honest miner's mark on the same
    /// challenge if they are shared.
    fn detections(&self, honest: &Self, scope: Scope) -> Option<u32> {
        let [marks, others] = &honest.marks;
        match scope {
            Scope::Private => statistics::detections(marks, &self.marks[0]),
            Scope::Shared => {
                let less = |marks: &[f64], base: &[f64]| -> Vec<f64> {
                    marks.iter().zip(base).map(|(mark, base)| mark - base).collect()
                };
                statistics::detections(&less(others, marks), &less(&self.marks[0], marks))
            }
        }
    }
}

fn since(start: Duration, cpu: CpuTime<'_>) -> f64 {
    cpu().saturating_sub(start).as_secs_f64()
}

#[cfg(test)]
mod tests;
