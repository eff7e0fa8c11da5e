//! Earnings and costs of kinds of answerers, measured on the task itself.
//!
//! Seeded challenges are answered by every [`Persona`] of the task's kind and judged by the judge that a validator uses, each
//! answer checked, so that whoever simulates a subnet needs no guessed number. CPU time comes from the caller: nothing here reads a clock. Marks, and
//! what is worked out from them, depend on the task, the number of challenges and the seed alone; the last bits of a
//! model's output may differ between processors. Signatures and transport are no part of the costs.

mod statistics;

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_types::profile::{ChallengeCost, PROFILE_VERSION, PersonaFigures, Profile};
use weighhouse_types::{Failure, InferAnswer, InferRequest, Mark};

use crate::persona::{Answerer, Conduct, Persona, PersonaSetup};
use crate::{Challenge, Read, Reference, References, Scope, Task, TaskError};

/// Numbers of challenges that a measurement may have.
pub const CHALLENGES: RangeInclusive<u32> = 20..=100_000;

/// Challenges that are timed together: enough to be far above the resolution of a CPU clock.
const BLOCK: u32 = 50;
/// Significant digits of a figure that comes from marks.
const MARK_DIGITS: usize = 6;
/// Significant digits of a figure that comes from a clock.
const TIME_DIGITS: usize = 3;

/// Subject of a measurement.
#[derive(Clone, Copy)]
pub struct Measurement<'a> {
    /// The name under which the profile is known.
    pub name: &'a str,
    pub task: &'a Task,
    /// The models that personas serve.
    pub references: &'a dyn References,
    /// Models of two honest miners, each its own, where a task pays for more than the reference; both the reference
    /// if there are none.
    pub own: Option<[&'a [u8]; 2]>,
    /// Within [`CHALLENGES`].
    pub challenges: u32,
    pub seed: u64,
}

impl std::fmt::Debug for Measurement<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Measurement").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Progress of a measurement.
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
    #[error("persona {persona}: {source}")]
    Persona { persona: &'static str, source: TaskError },
    #[error("the kind has no honest persona to compare with")]
    NoHonest,
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// The challenges of one block, as one miner gets them.
struct PosedChallenges {
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
    /// The same, of the reference where it is asked about answers, and of the judge.
    testifying: Vec<f64>,
    judging: Vec<f64>,
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
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let earlier = self.pose(BLOCK, &mut rng, cpu)?.0;
        let mut pairs = self.pairs(&earlier.requests, &mut rng)?;
        let mut references = Vec::new();
        let mut done = 0;
        while done < self.challenges {
            let block = BLOCK.min(self.challenges - done);
            let (posed, seconds) = self.pose(block, &mut rng, cpu)?;
            references.push(seconds / f64::from(block));
            let others = match self.task.file().scope {
                // A second miner gets challenges of its own.
                Scope::Private => Some(self.pose(block, &mut rng, cpu)?.0),
                Scope::Shared => None,
            };
            for pair in &mut pairs {
                self.face(pair, &posed, others.as_ref().unwrap_or(&posed), cpu)?;
            }
            done += block;
            progress(Progress { done, challenges: self.challenges });
        }
        let honest = pairs.iter().find(|pair| pair.persona.conduct == Conduct::Honest);
        let honest = honest.ok_or(MeasureError::NoHonest)?;
        Ok(self.profile(&pairs, honest, &references))
    }

    fn pairs(&self, earlier: &[InferRequest], rng: &mut ChaCha20Rng) -> Result<Vec<Pair>, MeasureError> {
        // Both twins know the seed of their noise; other pairs have nothing in common but the persona.
        let noise = rng.next_u64();
        let personas: Vec<Persona> =
            self.task.personas().into_iter().filter(|persona| persona.is_measured).collect();
        let mut pairs = Vec::with_capacity(personas.len());
        for persona in &personas {
            let other = personas.iter().find(|other| Some(other.name) == persona.twin).unwrap_or(persona);
            let seeds = match persona.twin {
                Some(_) => [noise; 2],
                None => [rng.next_u64(), rng.next_u64()],
            };
            let open = |persona: &Persona, which: usize| {
                let setup = PersonaSetup {
                    references: self.references,
                    rng: ChaCha20Rng::seed_from_u64(seeds[which]),
                    earlier: earlier.get(which),
                    own: self.own.map(|own| own[which]),
                };
                persona.open(setup).map_err(|source| MeasureError::Persona { persona: persona.name, source })
            };
            pairs.push(Pair {
                persona: persona.clone(),
                first: open(persona, 0)?,
                second: open(other, 1)?,
                marks: [Vec::new(), Vec::new()],
                seconds: Vec::new(),
                testifying: Vec::new(),
                judging: Vec::new(),
            });
        }
        Ok(pairs)
    }

    /// Draws challenges and computes their references as a validator would, with the CPU-seconds of the latter.
    fn pose(
        &self,
        count: u32,
        rng: &mut ChaCha20Rng,
        cpu: CpuTime<'_>,
    ) -> Result<(PosedChallenges, f64), TaskError> {
        let draw = |_| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let seeds: Vec<[u8; 32]> = (0..count).map(draw).collect();
        let challenges = self.task.challenges(&seeds)?;
        let request = |challenge| self.task.request(challenge, String::new());
        let requests = challenges.iter().map(request).collect();
        // A shared round has one challenge, so that its reference takes a whole pass for itself.
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
        Ok((PosedChallenges { challenges, requests, references }, seconds))
    }

    /// Has a pair answer a block each.
    fn face(
        &self,
        pair: &mut Pair,
        posed: &PosedChallenges,
        others: &PosedChallenges,
        cpu: CpuTime<'_>,
    ) -> Result<(), MeasureError> {
        let count = posed.requests.len() as f64;
        let start = cpu();
        let first = answers(&pair.persona, &mut pair.first, &posed.requests)?;
        pair.seconds.push(since(start, cpu) / count);
        let start = cpu();
        let (marks, testifying) = self.marks(posed, &first, cpu)?;
        pair.judging.push((since(start, cpu) - testifying) / count);
        pair.testifying.push(testifying / count);
        pair.marks[0].extend(marks);
        let second = answers(&pair.persona, &mut pair.second, &others.requests)?;
        pair.marks[1].extend(self.marks(others, &second, cpu)?.0);
        Ok(())
    }

    /// The marks of a block's answers, with the CPU-seconds of a reference that is asked about them.
    fn marks(
        &self,
        posed: &PosedChallenges,
        answers: &[Result<InferAnswer, Failure>],
        cpu: CpuTime<'_>,
    ) -> Result<(Vec<f64>, f64), TaskError> {
        let each = posed.challenges.iter().zip(answers);
        let read: Vec<_> = each.map(|(challenge, answer)| self.task.read(challenge, answer)).collect();
        let both = posed.challenges.iter().zip(&read);
        let asked: Vec<(&Challenge, &Read)> =
            both.filter_map(|(challenge, read)| Some((challenge, read.as_ref().ok()?))).collect();
        let is_asked_after = posed.references.iter().any(Reference::is_awaited);
        let start = is_asked_after.then(cpu);
        let mut said = self.task.testify(&asked)?.map(Vec::into_iter);
        let testifying = start.map_or(0.0, |start| since(start, cpu));
        let mut marks = Vec::with_capacity(answers.len());
        for ((challenge, reference), read) in posed.challenges.iter().zip(&posed.references).zip(read) {
            let judgement = match read {
                Err(judgement) => judgement,
                Ok(read) => {
                    let own = said.as_mut().and_then(Iterator::next);
                    self.task.judge_read(challenge, own.as_ref().unwrap_or(reference), &read)?
                }
            };
            marks.push(judgement.mark.to_f64());
        }
        Ok((marks, testifying))
    }

    fn profile(&self, pairs: &[Pair], honest: &Pair, references: &[f64]) -> Profile {
        let scope = self.task.file().scope;
        let time =
            |seconds: &[f64]| statistics::rounded(statistics::median(&mut seconds.to_vec()), TIME_DIGITS);
        // A reference works before the answers or on them: the other of the two times is about 0.
        let said: Vec<f64> = references.iter().zip(&honest.testifying).map(|(a, b)| a + b).collect();
        Profile {
            version: PROFILE_VERSION,
            task: self.name.to_owned(),
            paid: self.task.file().mode.paid(),
            scope,
            challenges: self.challenges,
            cost: ChallengeCost {
                answer: time(&honest.seconds),
                reference: time(&said),
                judge: time(&honest.judging),
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
            name: self.persona.name.to_owned(),
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

/// A persona's answers; no answer at all is a deadline that passed.
fn answers(
    persona: &Persona,
    answerer: &mut Answerer,
    requests: &[InferRequest],
) -> Result<Vec<Result<InferAnswer, Failure>>, MeasureError> {
    let answer = |request| match answerer(request) {
        Ok(answer) => Ok(answer.ok_or(Failure::DeadlineExceeded)),
        Err(source) => Err(MeasureError::Persona { persona: persona.name, source }),
    };
    requests.iter().map(answer).collect()
}

fn since(start: Duration, cpu: CpuTime<'_>) -> f64 {
    cpu().saturating_sub(start).as_secs_f64()
}

#[cfg(test)]
mod tests;
