//! Answerers of a calibration's challenges.

use rand_chacha::ChaCha20Rng;
use weighhouse_models::draw::below;
use weighhouse_models::language::LanguageModel;
use weighhouse_models::sampling::Sampling;
use weighhouse_types::text::{TextAnswer, TextRequest};

use super::{By, CalibrateError};
use crate::Challenge;
use crate::generate::{Generate, complete};

/// Prompt of a cheat that doesn't look at its own.
const OTHER_PROMPT: &str = "The";
/// Sequences that run together where nothing else is said.
const BATCH: usize = 8;

/// A way to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persona {
    /// As asked, so many at a time.
    Serves { batch: usize },
    /// Half as hot again as asked; hot where greedy was asked for.
    Temperature,
    /// Under the next seed.
    Seed,
    /// Ends half-way, and says it was long enough.
    Truncated,
    /// Repeats the answer to the challenge before.
    Cached,
    /// Continues something else.
    IgnoredPrompt,
    /// Exchanges one token for another.
    Edited,
}

pub(super) struct Answers<'a> {
    pub(super) name: String,
    pub(super) by: By,
    /// The model whose vocabulary edits are made in.
    pub(super) reference: &'a LanguageModel,
    pub(super) persona: Persona,
    pub(super) is_honest: bool,
}

impl Answers<'_> {
    pub(super) fn answer(
        &self,
        generate: &Generate,
        challenges: &[Challenge],
        rng: &mut ChaCha20Rng,
    ) -> Result<Vec<TextAnswer>, CalibrateError> {
        let batch = if let Persona::Serves { batch } = self.persona { batch } else { BATCH };
        let prompts = challenges.iter().filter_map(Challenge::prompt).map(|(prompt, sampling)| {
            let prompt = if self.persona == Persona::IgnoredPrompt { OTHER_PROMPT } else { prompt };
            (prompt, self.sampling(sampling))
        });
        let mut answers = match &self.by {
            By::Model(model) => {
                let encode = |(prompt, sampling)| {
                    let tokens = model.encode(prompt).map_err(|error| self.failed(error.to_string()))?;
                    Ok((tokens, generate.generation(sampling)))
                };
                let wanted = prompts.map(encode).collect::<Result<Vec<_>, CalibrateError>>()?;
                complete(model, &wanted, batch)?
            }
            By::Server(server) if generate.sampling.temperature == 0.0 => {
                let request = |(prompt, _): (&str, _)| TextRequest {
                    log_probs: true,
                    ignore_end: generate.ignore_end,
                    ..TextRequest::greedy(prompt, generate.max_tokens)
                };
                server.complete(prompts.map(request).collect()).map_err(|why| self.failed(why))?
            }
            By::Server(_) => return Err(CalibrateError::GreedyOnly { who: self.name.clone() }),
        };
        if answers.len() != challenges.len() {
            return Err(self.failed(format!("{} answers to {} challenges", answers.len(), challenges.len())));
        }
        match self.persona {
            Persona::Truncated => answers.iter_mut().for_each(|answer| self.cut(answer)),
            Persona::Cached => answers.rotate_right(1),
            Persona::Edited => answers.iter_mut().for_each(|answer| self.edit(answer, rng)),
            _ => {}
        }
        Ok(answers)
    }

    fn failed(&self, why: String) -> CalibrateError {
        CalibrateError::Server { who: self.name.clone(), why }
    }

    fn sampling(&self, asked: Sampling) -> Sampling {
        match self.persona {
            Persona::Temperature if asked.temperature == 0.0 => Sampling { temperature: 1.0, ..asked },
            Persona::Temperature => Sampling { temperature: asked.temperature * 1.5, ..asked },
            Persona::Seed => Sampling { seed: asked.seed.wrapping_add(1), ..asked },
            _ => asked,
        }
    }

    fn cut(&self, answer: &mut TextAnswer) {
        let half = answer.tokens.len().div_ceil(2);
        answer.tokens.truncate(half);
        answer.log_probs.truncate(half);
        answer.text = self.reference.decode(&answer.tokens);
    }

    fn edit(&self, answer: &mut TextAnswer, rng: &mut ChaCha20Rng) {
        if answer.tokens.is_empty() {
            return;
        }
        let at = below(answer.tokens.len() as u32, rng) as usize;
        let other = 1 + below(self.reference.vocabulary() as u32 - 1, rng);
        answer.tokens[at] = (answer.tokens[at] + other) % self.reference.vocabulary() as u32;
        answer.text = self.reference.decode(&answer.tokens);
    }
}
