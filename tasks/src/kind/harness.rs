//! A kind under test: what its own tests pose, and what becomes of it, without a network.

use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_types::profile::Profile;
use weighhouse_types::{InferRequest, Judgement, Tensor};

use super::smallest::Sort;
use crate::measure::Measurement;
use crate::measure::posed::{Dialogue, PosedChallenges, Seat};
use crate::registry::{Registered, TaskLoader};
use crate::{Challenge, OnRecord, Persona, PersonaSetup, References, Task, TaskError};

/// A task with everything of its kind at hand.
pub(crate) struct Harness {
    pub(crate) task: Task,
    references: &'static dyn References,
}

static SMALLEST: [Registered; 1] = [Registered::of::<Sort>()];

/// The listed kinds, and the smallest one of the page.
struct UnderTest;

impl TaskLoader for UnderTest {
    fn references(&self) -> &dyn References {
        &OnRecord
    }

    fn further_kinds(&self) -> &'static [Registered] {
        &SMALLEST
    }
}

impl Harness {
    /// A task of a kind without a reference.
    pub(crate) fn of(file: &str) -> Result<Self, TaskError> {
        Task::load(file.as_bytes(), &UnderTest).map(Self::with)
    }

    /// As [`Harness::of`], of a task that has been loaded.
    pub(crate) fn with(task: Task) -> Self {
        Self { task, references: &OnRecord }
    }

    /// The challenge of a seed; `challenge.question::<Q>()` is the question as its kind has it.
    pub(crate) fn challenge(&self, seed: u8) -> Challenge {
        self.task.challenge(&[seed; 32]).expect("drawn")
    }

    /// The request of a seed.
    pub(crate) fn request(&self, seed: u8) -> InferRequest {
        self.posed(seed).requests.remove(0)
    }

    /// The verdict on these tensors, given at every stage.
    pub(crate) fn judged(&self, seed: u8, outputs: &[Tensor]) -> Judgement {
        let posed = self.posed(seed);
        let said = |request: &InferRequest| Ok::<_, TaskError>(Some(request.answered(outputs.to_vec())));
        self.judge(&posed, vec![posed.put(&self.task, Seat::ALONE, said).expect("asked on")]).remove(0)
    }

    /// The verdicts on miners of these personas, who are asked the same: together where the kind judges so. Each has chance of
    /// its own.
    pub(crate) fn faced(&self, seed: u8, names: &[&str]) -> Vec<Judgement> {
        let posed = self.posed(seed);
        self.judge(&posed, self.said(&posed, seed, names))
    }

    /// As [`Harness::faced`]: groups of those who answered alike, by their places.
    pub(crate) fn grouped(&self, seed: u8, names: &[&str]) -> Vec<Vec<u32>> {
        let posed = self.posed(seed);
        let said = self.said(&posed, seed, names);
        let read: Vec<_> = said.into_iter().map(|miner| posed.read(&self.task, miner)).collect();
        let words = posed.words(&self.task, &read).expect("words");
        posed.joint(&self.task, &read, words).expect("judged together").alike
    }

    fn said(&self, posed: &PosedChallenges, seed: u8, names: &[&str]) -> Vec<Vec<Dialogue>> {
        let answer = |(at, name): (usize, &&str)| {
            let (miner, seat) = (at as u64 + 1, Seat { at, of: names.len() });
            let rng = ChaCha20Rng::seed_from_u64(1_000 * miner + u64::from(seed));
            let setup = PersonaSetup { references: self.references, rng, earlier: None, own: None };
            let mut answerer = self.persona(name).open(setup).expect("opened");
            posed.put(&self.task, seat, |request| answerer(request)).expect("answered")
        };
        names.iter().enumerate().map(answer).collect()
    }

    /// The figures of every persona over so many challenges.
    pub(crate) fn measured(&self, challenges: u32) -> Profile {
        let (name, task, references) = ("under test", &self.task, self.references);
        let measurement = Measurement { name, task, references, own: None, challenges, seed: 1 };
        measurement.run(&|| Duration::ZERO, &mut |_| {}).expect("measured")
    }

    fn persona(&self, name: &str) -> Persona {
        let personas = self.task.personas();
        let persona = personas.into_iter().find(|persona| persona.name == name);
        persona.unwrap_or_else(|| panic!("no persona {name}"))
    }

    fn posed(&self, seed: u8) -> PosedChallenges {
        let mut posed = PosedChallenges::draw(&self.task, &[[seed; 32]]).expect("drawn");
        posed.refer(&self.task).expect("a reference, or a truth");
        posed
    }

    fn judge(&self, posed: &PosedChallenges, miners: Vec<Vec<Dialogue>>) -> Vec<Judgement> {
        let read: Vec<_> = miners.into_iter().map(|miner| posed.read(&self.task, miner)).collect();
        let words = posed.words(&self.task, &read).expect("words");
        posed.judge(&self.task, read, words).expect("judged").concat()
    }
}
