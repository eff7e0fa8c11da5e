//! Ways of completing a text, honest and not: which weights are served, what is changed of the question and of the answer.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_models::draw;
use weighhouse_models::language::{Generation, LanguageModel};
use weighhouse_models::precision::Precision;
use weighhouse_models::sampling::Sampling;
use weighhouse_types::text::{Prompt, TextAnswer, TextLimits, TextRequest};

use super::complete::complete;
use crate::error::TaskError;
use crate::persona::{Conduct, Persona};
use crate::references::Grade;

/// A challenge is far below these.
const LIMITS: TextLimits = TextLimits { prompt_bytes: 1 << 20, prompt_tokens: 1 << 16, max_tokens: 1 << 12 };
/// Continued by whoever doesn't look at the prompt.
const OTHER_PROMPT: &str = "The";
/// Added to the temperature by whoever draws at another.
const HOTTER: f32 = 0.5;
/// The version that answers carry; judges don't look at it.
const VERSION: &str = "1";

/// One way of completing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) conduct: Conduct,
    pub(super) serves: Grade,
    pub(super) fake: Option<Fake>,
}

impl Way {
    /// Cost of an answer over that of an honest one; `None` where it has to be measured. Decoding moves weights, so that a
    /// rounded model costs what its bits are of 16; whatever doesn't depend on the question can be prepared.
    pub(super) fn cost(&self) -> Option<f64> {
        match (self.fake, self.serves) {
            (Some(Fake::Repeats | Fake::Babbles | Fake::Ignores), _) => Some(0.0),
            (Some(Fake::Truncates), _) => Some(0.5),
            (_, Grade::Weak) => None,
            (_, Grade::Rounded(Precision::Int4)) => Some(0.25),
            (_, Grade::Rounded(Precision::Int8)) => Some(0.5),
            (_, Grade::Agreed | Grade::Rounded(_)) => Some(1.0),
        }
    }
}

/// A change of the question or of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fake {
    /// Repeats an answer from before.
    Repeats,
    /// Completes half of what was asked.
    Truncates,
    /// Exchanges one token for another.
    Edits,
    /// Draws under the next seed.
    Reseeds,
    /// Draws at a higher temperature.
    Heats,
    /// Continues a prompt of its own.
    Ignores,
    /// Says tokens at random.
    Babbles,
}

impl Fake {
    pub(super) fn ask(self, request: &mut TextRequest) {
        match self {
            Self::Reseeds => request.seed = request.seed.wrapping_add(1),
            Self::Heats => request.temperature += HOTTER,
            Self::Ignores => request.prompt = Prompt::Text(OTHER_PROMPT.to_owned()),
            Self::Repeats | Self::Truncates | Self::Edits | Self::Babbles => {}
        }
    }

    pub(super) fn say(self, model: &LanguageModel, prompt: &[u32], answer: &mut TextAnswer) {
        match self {
            Self::Truncates => {
                let half = answer.tokens.len().div_ceil(2);
                answer.tokens.truncate(half);
                answer.log_probs.truncate(half);
            }
            Self::Edits => {
                let at = answer.tokens.len() / 2;
                if let Some(token) = answer.tokens.get_mut(at) {
                    *token = (*token + 7) % model.vocabulary() as u32;
                }
            }
            Self::Babbles => {
                // Its own answer's log-probabilities stay: they are as likely as any.
                let mut rng = ChaCha20Rng::seed_from_u64(answer.tokens.iter().map(|id| u64::from(*id)).sum());
                for token in &mut answer.tokens {
                    *token = draw::below(model.vocabulary() as u32, &mut rng);
                }
            }
            Self::Repeats | Self::Reseeds | Self::Heats | Self::Ignores => return,
        }
        // The text agrees with the tokens, so that they alone give the change away.
        answer.text = model.continuation(prompt, &answer.tokens);
    }
}

/// Every way of completing, the honest one first. Without chance a seed changes nothing.
pub(super) fn ways(sampling: &Sampling) -> Vec<Way> {
    let serving = |name, conduct, serves| Way { name, conduct, serves, fake: None };
    let faking = |name, fake| Way { name, conduct: Conduct::Cheat, serves: Grade::Agreed, fake: Some(fake) };
    let rounding = |name, conduct, precision| serving(name, conduct, Grade::Rounded(precision));
    let mut ways = vec![
        serving("honest", Conduct::Honest, Grade::Agreed),
        rounding("half", Conduct::Honest, Precision::Half),
        rounding("bf16", Conduct::Honest, Precision::Bfloat16),
        serving("weak", Conduct::Cheat, Grade::Weak),
        rounding("int8", Conduct::Cheat, Precision::Int8),
        rounding("int4", Conduct::Cheat, Precision::Int4),
        faking("garbage", Fake::Babbles),
        faking("cached", Fake::Repeats),
        faking("truncating", Fake::Truncates),
        faking("editing", Fake::Edits),
        faking("reseeding", Fake::Reseeds),
        faking("hot", Fake::Heats),
        faking("ignoring", Fake::Ignores),
    ];
    ways.retain(|way| sampling.temperature > 0.0 || way.fake != Some(Fake::Reseeds));
    ways
}

/// The catalogue.
pub(super) fn catalogue(sampling: &Sampling) -> Vec<Persona> {
    let mut personas: Vec<Persona> = Vec::new();
    for way in ways(sampling) {
        let persona = match (way.fake, personas.first()) {
            (Some(Fake::Repeats), Some(honest)) => Persona::cached(honest),
            _ => persona(way),
        };
        // On a localnet the coarsest rounding stands for all of them.
        let is_played = !matches!(way.serves, Grade::Rounded(precision) if precision != Precision::Int4);
        personas.push(if is_played { persona } else { persona.measured_only() });
    }
    personas.push(Persona::silent());
    personas
}

fn persona(way: Way) -> Persona {
    Persona::new(way.name, way.conduct, move |setup| {
        let model = setup.references.served_language(way.serves)?;
        Ok(Box::new(move |request| {
            let mut asked = TextRequest::from_infer(request, &LIMITS).map_err(refused)?;
            way.fake.inspect(|fake| fake.ask(&mut asked));
            let wanted = [wanted(&model, &asked)?];
            let mut answer = complete(&model, &wanted, 1).map_err(refused)?.swap_remove(0);
            way.fake.inspect(|fake| fake.say(&model, &wanted[0].0, &mut answer));
            answer.to_infer(&request.model, VERSION, &request.id).map(Some).map_err(refused)
        }))
    })
}

/// The prompt's tokens, and how they are to be continued.
pub(super) fn wanted(
    model: &LanguageModel,
    request: &TextRequest,
) -> Result<(Vec<u32>, Generation), TaskError> {
    let prompt = match &request.prompt {
        Prompt::Text(text) => model.encode(text).map_err(refused)?,
        Prompt::Ids(ids) => ids.clone(),
    };
    let sampling = Sampling::new(request.temperature, request.top_k, request.top_p, request.seed);
    let generation = Generation {
        max_tokens: request.max_tokens,
        sampling: sampling.map_err(refused)?,
        stop: Vec::new(),
        top_log_probs: 0,
        ignore_end: request.ignore_end,
    };
    Ok((prompt, generation))
}

fn refused(error: impl std::fmt::Display) -> TaskError {
    TaskError::Request(error.to_string())
}
