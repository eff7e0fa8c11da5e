//! What the judge takes for likeness: between answers of one operator, whatever it does to disguise them, and between strangers.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_types::InferRequest;
use weighhouse_types::profile::{HONEST, LikenessFigures, Profile};

use super::posed::{PosedChallenges, ReadAnswers, Seat};
use super::{MeasureError, Measurement, answers, statistics};
use crate::Scope;
use crate::persona::{Persona, PersonaSetup};

/// Shared rounds that likeness is measured over.
const ROUNDS: u32 = 200;
/// A stream of its own: what is drawn here changes no figure of marks.
const STREAM: u64 = 2;
const DIGITS: usize = 4;

/// Adds to each persona's figures its likeness to every other of the same model, where the task can tell likeness.
pub(super) fn add(
    measurement: &Measurement<'_>,
    earlier: &[InferRequest],
    profile: &mut Profile,
) -> Result<(), MeasureError> {
    let task = measurement.task;
    if task.file().scope == Scope::Private {
        return Ok(());
    }
    let mut rng = ChaCha20Rng::seed_from_u64(measurement.seed);
    rng.set_stream(STREAM);
    let seeds: Vec<[u8; 32]> = (0..ROUNDS)
        .map(|_| {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            seed
        })
        .collect();
    let mut posed = PosedChallenges::draw(task, &seeds)?;
    posed.refer(task)?;
    let miners = Miners { measurement, earlier, posed: &posed };
    let personas: Vec<Persona> = task.personas().into_iter().filter(|persona| persona.is_measured).collect();
    let Some(honest) = personas.iter().find(|persona| persona.name == HONEST) else { return Ok(()) };
    let [one, other] = [0, 1].map(|own| miners.read(honest, rng.next_u64(), own));
    let Some(strangers) = posed.alike(task, [&one?, &other?]) else { return Ok(()) };
    // A seed that both twins know, and for everybody else one that nobody knows.
    let shared = rng.next_u64();
    let mut first = Vec::with_capacity(personas.len());
    let mut second = Vec::with_capacity(personas.len());
    for persona in &personas {
        let known = if persona.twin.is_some() { shared } else { rng.next_u64() };
        first.push(miners.read(persona, known, 0)?);
        second.push(miners.read(persona, rng.next_u64(), 0)?);
    }
    for (at, persona) in personas.iter().enumerate() {
        for (with, other) in personas.iter().enumerate() {
            let twins = persona.twin == Some(other.name) && persona.name != other.name;
            let pair = [&first[at], if twins { &first[with] } else { &second[with] }];
            let of = profile.personas.iter_mut().find(|figures| figures.name == persona.name);
            if let (Some(figures), Some(share)) = (of, posed.alike(task, pair)) {
                figures.alike.insert(other.name.to_owned(), statistics::rounded(share, DIGITS));
            }
        }
    }
    profile.likeness =
        Some(LikenessFigures { rounds: ROUNDS, strangers: statistics::rounded(strangers, DIGITS) });
    Ok(())
}

/// Miners who answer the rounds of likeness.
struct Miners<'a> {
    measurement: &'a Measurement<'a>,
    earlier: &'a [InferRequest],
    posed: &'a PosedChallenges,
}

impl Miners<'_> {
    /// Answers of a miner of this persona, with a seed and one of the honest miners' models.
    fn read(&self, persona: &Persona, seed: u64, own: usize) -> Result<ReadAnswers, MeasureError> {
        let Measurement { task, references, .. } = *self.measurement;
        let setup = PersonaSetup {
            references,
            rng: ChaCha20Rng::seed_from_u64(seed),
            earlier: self.earlier.first(),
            own: self.measurement.own.map(|models| models[own]),
        };
        let mut answerer =
            persona.open(setup).map_err(|source| MeasureError::Persona { persona: persona.name, source })?;
        Ok(self.posed.read(task, answers(task, persona.name, &mut answerer, (self.posed, Seat::ALONE))?))
    }
}
