//! Earnings and costs of kinds of answerers, measured on the task itself.
//!
//! Seeded challenges are put, with all their stages, to every [`Persona`] of the task's kind, and the answers judged by the judge
//! that a validator uses, each checked. Answers that are judged together are so in the company of honest miners, and a truth that
//! comes later is had at once. So whoever simulates a subnet needs no guessed number. CPU time comes from the caller: nothing here
//! reads a clock. Marks, and what is worked out from them, depend on the task, the number of challenges and the seed alone; the last
//! bits of a model's output may differ between processors. Signatures and transport are no part of the costs.

mod likeness;
mod pair;
pub(crate) mod posed;
mod statistics;

use std::ops::RangeInclusive;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_types::profile::{ChallengeCost, HONEST, PROFILE_VERSION, Profile};
use weighhouse_types::{InferRequest, Judgement};

use crate::persona::{Answerer, Conduct, Persona, PersonaSetup};
use crate::{References, Scope, Task, TaskError};
use pair::{Pair, TIME_DIGITS};
use posed::{Dialogue, PosedChallenges, ReadAnswers, Seat};

/// Numbers of challenges that a measurement may have.
pub const CHALLENGES: RangeInclusive<u32> = 20..=100_000;

/// Challenges that are timed together: enough to be far above the resolution of a CPU clock.
const BLOCK: u32 = 50;
/// Honest miners beside the two that are measured, where answers are judged together.
const PEERS: usize = 5;

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
    #[error("the kind tells no truth within the {epochs_max} epochs after which its questions lapse")]
    NoTruth { epochs_max: u64 },
    #[error(transparent)]
    Task(#[from] TaskError),
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
        let mut peers = self.peers(&earlier)?;
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
            // The pair that is measured sits before them.
            let seats = (2..).map(|at| Seat { at, of: 2 + PEERS });
            let heard =
                |(peer, seat)| Ok(posed.read(self.task, answers(self.task, HONEST, peer, (&posed, seat))?));
            let company: Vec<ReadAnswers> =
                peers.iter_mut().zip(seats).map(heard).collect::<Result<_, MeasureError>>()?;
            for pair in &mut pairs {
                self.face(pair, [&posed, others.as_ref().unwrap_or(&posed)], &company, cpu)?;
            }
            done += block;
            progress(Progress { done, challenges: self.challenges });
        }
        let honest = pairs.iter().find(|pair| pair.persona.conduct == Conduct::Honest);
        let honest = honest.ok_or(MeasureError::NoHonest)?;
        let mut profile = self.profile(&pairs, honest, &references);
        likeness::add(self, &earlier.requests, &mut profile)?;
        Ok(profile)
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
            pairs.push(Pair::new(persona.clone(), open(persona, 0)?, open(other, 1)?));
        }
        Ok(pairs)
    }

    /// Draws challenges and computes their references as a validator would, with the CPU-seconds of the latter.
    fn pose(
        &self,
        count: u32,
        rng: &mut ChaCha20Rng,
        cpu: CpuTime<'_>,
    ) -> Result<(PosedChallenges, f64), MeasureError> {
        let draw = |_| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        };
        let seeds: Vec<[u8; 32]> = (0..count).map(draw).collect();
        let mut posed = PosedChallenges::draw(self.task, &seeds)?;
        let start = cpu();
        posed.refer(self.task)?;
        Ok((posed, since(start, cpu)))
    }

    /// Honest miners who answer besides the measured one where answers are judged together; nobody elsewhere.
    fn peers(&self, posed: &PosedChallenges) -> Result<Vec<Answerer>, MeasureError> {
        let personas = self.task.personas();
        let honest = personas.iter().find(|persona| persona.conduct == Conduct::Honest);
        let honest = honest.ok_or(MeasureError::NoHonest)?;
        // A stream of its own: the draws of what is measured don't depend on the company.
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        rng.set_stream(1);
        let peer = |rng: &mut ChaCha20Rng| {
            let rng = ChaCha20Rng::seed_from_u64(rng.next_u64());
            let own = self.own.map(|own| own[0]);
            let setup = PersonaSetup { references: self.references, rng, earlier: None, own };
            honest.open(setup).map_err(|source| MeasureError::Persona { persona: honest.name, source })
        };
        if self.task.file().scope == Scope::Private || !posed.is_joint(self.task, peer(&mut rng)?)? {
            return Ok(Vec::new());
        }
        (0..PEERS).map(|_| peer(&mut rng)).collect()
    }

    /// Has a pair answer a block each.
    fn face(
        &self,
        pair: &mut Pair,
        posed: [&PosedChallenges; 2],
        company: &[ReadAnswers],
        cpu: CpuTime<'_>,
    ) -> Result<(), MeasureError> {
        let count = posed[0].requests.len() as f64;
        let seat = |at| if company.is_empty() { Seat::ALONE } else { Seat { at, of: 2 + company.len() } };
        let start = cpu();
        let first = answers(self.task, pair.persona.name, &mut pair.first, (posed[0], seat(0)))?;
        pair.seconds.push(since(start, cpu) / count);
        let mut miners = vec![first];
        if !company.is_empty() {
            miners.push(answers(self.task, pair.persona.name, &mut pair.second, (posed[1], seat(1)))?);
        }
        let start = cpu();
        let (marks, testifying) = self.marks(posed[0], miners, company, cpu)?;
        pair.judging.push((since(start, cpu) - testifying) / count);
        pair.testifying.push(testifying / count);
        let mut marks = marks.into_iter();
        pair.marks[0].extend(marks.next().into_iter().flatten());
        if company.is_empty() {
            let second = answers(self.task, pair.persona.name, &mut pair.second, (posed[1], seat(1)))?;
            marks = self.marks(posed[1], vec![second], company, cpu)?.0.into_iter();
        }
        pair.marks[1].extend(marks.next().into_iter().flatten());
        Ok(())
    }

    /// The marks of these miners' answers in this company, with the CPU-seconds of a reference that is asked about them.
    fn marks(
        &self,
        posed: &PosedChallenges,
        miners: Vec<Vec<Dialogue>>,
        company: &[ReadAnswers],
        cpu: CpuTime<'_>,
    ) -> Result<(Vec<Vec<f64>>, f64), TaskError> {
        let read = miners.into_iter().map(|dialogues| posed.read(self.task, dialogues));
        let miners: Vec<_> = read.chain(company.iter().cloned()).collect();
        let start = posed.is_awaited().then(cpu);
        let words = posed.words(self.task, &miners)?;
        let testifying = start.map_or(0.0, |start| since(start, cpu));
        let verdicts = posed.judge(self.task, miners, words)?.into_iter();
        let marks = |of_one: Vec<Judgement>| of_one.iter().map(|verdict| verdict.mark.to_f64()).collect();
        Ok((verdicts.map(marks).collect(), testifying))
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
            likeness: None,
            personas: pairs.iter().map(|pair| pair.measured(honest, scope)).collect(),
        }
    }
}

/// A persona's answers to a block.
fn answers(
    task: &Task,
    persona: &'static str,
    answerer: &mut Answerer,
    (posed, seat): (&PosedChallenges, Seat),
) -> Result<Vec<Dialogue>, MeasureError> {
    posed.put(task, seat, |request| {
        answerer(request).map_err(|source| MeasureError::Persona { persona, source })
    })
}

fn since(start: Duration, cpu: CpuTime<'_>) -> f64 {
    cpu().saturating_sub(start).as_secs_f64()
}

#[cfg(test)]
mod tests;
