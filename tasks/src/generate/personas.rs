//! Ways of completing a text, honest and not: which weights are served, what is changed of the question and of the answer.

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
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) serves: Grade,
    pub(crate) fake: Option<Fake>,
}

/// A change of the question or of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fake {
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
}

impl Fake {
    pub(crate) fn ask(self, request: &mut TextRequest) {
        match self {
            Self::Reseeds => request.seed = request.seed.wrapping_add(1),
            Self::Heats => request.temperature += HOTTER,
            Self::Ignores => request.prompt = Prompt::Text(OTHER_PROMPT.to_owned()),
            Self::Truncates | Self::Edits => {}
        }
    }

    pub(crate) fn say(self, model: &LanguageModel, answer: &mut TextAnswer) {
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
            Self::Reseeds | Self::Heats | Self::Ignores => return,
        }
        answer.text = model.decode(&answer.tokens);
    }
}

/// Other weights under the agreed model's name.
pub(crate) const SUBSTITUTES: [Way; 3] = [
    Way { name: "weak", serves: Grade::Weak, fake: None },
    Way { name: "int8", serves: Grade::Rounded(Precision::Int8), fake: None },
    Way { name: "int4", serves: Grade::Rounded(Precision::Int4), fake: None },
];

/// The agreed weights, but another question or answer than was asked. Without chance a seed changes nothing.
pub(crate) fn fakes(sampling: &Sampling) -> impl Iterator<Item = Way> + use<> {
    let has_chance = sampling.temperature > 0.0;
    let fakes = [
        ("truncating", Fake::Truncates),
        ("editing", Fake::Edits),
        ("reseeding", Fake::Reseeds),
        ("hot", Fake::Heats),
        ("ignoring", Fake::Ignores),
    ];
    let fakes = fakes.into_iter().filter(move |(_, fake)| has_chance || *fake != Fake::Reseeds);
    fakes.map(|(name, fake)| Way { name, serves: Grade::Agreed, fake: Some(fake) })
}

/// The catalogue.
pub(super) fn catalogue(sampling: &Sampling) -> Vec<Persona> {
    let way = |name, serves| Way { name, serves, fake: None };
    let honest = persona(way("honest", Grade::Agreed), Conduct::Honest);
    let half = persona(way("half", Grade::Rounded(Precision::Half)), Conduct::Honest).measured_only();
    let cached = Persona::cached(&honest);
    let cheat = |way: Way| match way.serves {
        Grade::Rounded(Precision::Int8) => persona(way, Conduct::Cheat).measured_only(),
        _ => persona(way, Conduct::Cheat),
    };
    let mut personas = vec![honest, half];
    personas.extend(SUBSTITUTES.map(cheat));
    personas.push(cached);
    personas.extend(fakes(sampling).map(cheat));
    personas.push(Persona::silent());
    personas
}

fn persona(way: Way, conduct: Conduct) -> Persona {
    Persona::new(way.name, conduct, move |setup| {
        let model = setup.references.served_language(way.serves)?;
        Ok(Box::new(move |request| {
            let mut asked = TextRequest::from_infer(request, &LIMITS).map_err(refused)?;
            way.fake.inspect(|fake| fake.ask(&mut asked));
            let (prompt, generation) = wanted(&model, &asked)?;
            let mut answer = complete(&model, &[(prompt, generation)], 1).map_err(refused)?.swap_remove(0);
            way.fake.inspect(|fake| fake.say(&model, &mut answer));
            answer.to_infer(&request.model, VERSION, &request.id).map(Some).map_err(refused)
        }))
    })
}

/// The prompt's tokens, and how they are to be continued.
pub(crate) fn wanted(
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
