//! Personas: the ways of answering a task that its kind knows, honest, better and cheating.
//!
//! There is one catalogue for each kind, [`Kind::personas`](crate::kind::Kind::personas). A measurement puts every one of
//! it before the judge, a calibration sets limits by it, a localnet's miners play it, and the policy lab names attacks by it.
//!
//! **Invariant.** What a persona draws comes from its [`PersonaSetup::rng`] alone, by pinned draws, so that a seed gives the
//! same answers in every version.

use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use weighhouse_models::precision::Precision;
use weighhouse_types::profile::HONEST;
use weighhouse_types::{InferAnswer, InferRequest};

use crate::error::TaskError;
use crate::references::References;

/// Conduct that a persona stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Does what the task asks for: has to be paid.
    Honest,
    /// Does it better than the reference: paid more where quality is paid, a substitution where conformance is.
    Better,
    /// Pretends: must not be paid.
    Cheat,
}

/// The answer to one request; `None` is silence.
pub type Answerer = Box<dyn FnMut(&InferRequest) -> Result<Option<InferAnswer>, TaskError> + Send>;

type Open = dyn Fn(PersonaSetup<'_>) -> Result<Answerer, TaskError> + Send + Sync;

/// Knowledge of one miner of a persona before it is asked.
pub struct PersonaSetup<'a> {
    /// Models to serve.
    pub references: &'a dyn References,
    /// A generator of its own.
    pub rng: ChaCha20Rng,
    /// A challenge from before, for whoever repeats answers; without one the first answer is repeated.
    pub earlier: Option<&'a InferRequest>,
    /// A file of weights that this miner serves where it is honest and the task pays for a model of one's own.
    pub own: Option<&'a [u8]>,
}

impl fmt::Debug for PersonaSetup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonaSetup").field("earlier", &self.earlier).finish_non_exhaustive()
    }
}

/// One way of answering.
#[derive(Clone)]
pub struct Persona {
    /// As in a profile: lower case.
    pub name: &'static str,
    pub conduct: Conduct,
    /// Names of a localnet's miners that play it: its own, or three honest ones, unless something else is said.
    pub cast: Vec<&'static str>,
    /// `task measure` has a row for it; where another row says the same, it hasn't.
    pub is_measured: bool,
    /// The format that it rounds the agreed model's weights to, where that is all that it does: a calibration may call it honest.
    pub precision: Option<Precision>,
    /// The persona of the second of two miners that know the seed of each other's noise.
    pub twin: Option<&'static str>,
    open: Arc<Open>,
}

impl fmt::Debug for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, conduct, .. } = self;
        f.debug_struct("Persona").field("name", name).field("conduct", conduct).finish_non_exhaustive()
    }
}

impl Persona {
    pub fn new<O>(name: &'static str, conduct: Conduct, open: O) -> Self
    where
        O: Fn(PersonaSetup<'_>) -> Result<Answerer, TaskError> + Send + Sync + 'static,
    {
        let cast = match name {
            HONEST => vec!["honest-1", "honest-2", "honest-3"],
            _ => vec![name],
        };
        Self { name, conduct, cast, is_measured: true, precision: None, twin: None, open: Arc::new(open) }
    }

    /// The persona that every kind has.
    pub fn honest<O>(open: O) -> Self
    where
        O: Fn(PersonaSetup<'_>) -> Result<Answerer, TaskError> + Send + Sync + 'static,
    {
        Self::new(HONEST, Conduct::Honest, open)
    }

    /// A persona that needs no model: a function of the request and its own chance. `None` is silence, which is what a request
    /// gets that it can't read.
    pub fn simple<A>(name: &'static str, conduct: Conduct, answer: A) -> Self
    where
        A: Fn(&InferRequest, &mut ChaCha20Rng) -> Option<InferAnswer> + Send + Sync + 'static,
    {
        let answer = Arc::new(answer);
        Self::new(name, conduct, move |setup| {
            let (answer, mut rng) = (answer.clone(), setup.rng);
            Ok(Box::new(move |request| Ok(answer(request, &mut rng))))
        })
    }

    /// Answers as another does, once, and repeats that.
    pub fn cached(other: &Self) -> Self {
        let other = other.clone();
        Self::new("cached", Conduct::Cheat, move |setup| {
            let earlier = setup.earlier;
            let mut answerer = other.open(setup)?;
            let mut kept = match earlier {
                // What it repeats stems from before the measurement.
                Some(request) => answerer(request)?,
                None => None,
            };
            Ok(Box::new(move |request| {
                if kept.is_none() {
                    kept = answerer(request)?;
                }
                Ok(kept.clone().map(|answer| InferAnswer { id: request.id.clone(), ..answer }))
            }))
        })
    }

    /// Answers so many times as the first does, then so many times as the other, again and again.
    pub fn alternating(first: (&Self, u32), other: (&Self, u32)) -> Self {
        let (one, two) = (first.0.clone(), other.0.clone());
        let all = u64::from(first.1) + u64::from(other.1);
        Self::new(other.0.name, Conduct::Cheat, move |setup| {
            let PersonaSetup { references, rng, earlier, own } = setup;
            let mut one = one.open(PersonaSetup { references, rng: rng.clone(), earlier, own })?;
            let mut two = two.open(PersonaSetup { references, rng, earlier, own })?;
            let mut answered = 0_u64;
            Ok(Box::new(move |request| {
                let is_first = answered % all.max(1) < u64::from(first.1);
                answered += 1;
                if is_first { one(request) } else { two(request) }
            }))
        })
    }

    /// Never answers. A localnet has miners that are late or gone already.
    pub fn silent() -> Self {
        Self::simple("silent", Conduct::Cheat, |_, _| None).measured_only()
    }

    /// Has these miners of a localnet play it.
    #[must_use]
    pub fn cast(self, cast: &[&'static str]) -> Self {
        Self { cast: cast.to_vec(), ..self }
    }

    /// Has no miner of a localnet play it.
    #[must_use]
    pub fn measured_only(self) -> Self {
        self.cast(&[])
    }

    /// Has no row in a profile: another persona's says the same.
    #[must_use]
    pub fn unmeasured(self) -> Self {
        Self { is_measured: false, ..self }
    }

    /// Serves the agreed model with its weights rounded, and does nothing else.
    #[must_use]
    pub(crate) fn rounds_to(self, precision: Precision) -> Self {
        Self { precision: Some(precision), ..self }
    }

    #[must_use]
    pub(crate) fn twin(self, name: &'static str) -> Self {
        Self { twin: Some(name), ..self }
    }

    /// One miner of this persona.
    ///
    /// # Errors
    /// A model that isn't at hand or doesn't load.
    pub fn open(&self, setup: PersonaSetup<'_>) -> Result<Answerer, TaskError> {
        (self.open)(setup)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::OnRecord;

    #[test]
    fn an_alternating_persona_is_one_and_then_the_other_again_and_again() {
        let speaks = Persona::simple("speaks", Conduct::Cheat, |asked, _| {
            let (model, version, id) = (asked.model.clone(), String::new(), asked.id.clone());
            Some(InferAnswer { model, version, id, outputs: Vec::new() })
        });
        let persona = Persona::alternating((&speaks, 2), (&Persona::silent(), 1));
        let rng = ChaCha20Rng::from_seed([0; 32]);
        let setup = PersonaSetup { references: &OnRecord, rng, earlier: None, own: None };
        let mut answerer = persona.open(setup).expect("no model");
        let request = InferRequest::asking(Vec::new(), &[]);
        let spoke: Vec<bool> =
            (0..7).map(|_| answerer(&request).expect("an answer or none").is_some()).collect();
        assert_eq!(spoke, [true, true, false, true, true, false, true]);
    }
}
