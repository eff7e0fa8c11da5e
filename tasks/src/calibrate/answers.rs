//! Who answers a calibration's challenges, and how.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use weighhouse_models::language::{Decoder, DecoderLimits, Finish as Ended, Generation, LanguageModel};
use weighhouse_models::perturb::below;
use weighhouse_models::sampling::Sampling;
use weighhouse_types::text::{Finish, TextAnswer};

use super::CalibrateError;
use crate::Challenge;
use crate::file::Generate;

/// What is continued by whoever doesn't look at the prompt.
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
    pub(super) model: &'a LanguageModel,
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
        let mut wanted = Vec::with_capacity(challenges.len());
        for challenge in challenges {
            let Some((prompt, sampling)) = challenge.prompt() else { continue };
            let prompt = if self.persona == Persona::IgnoredPrompt { OTHER_PROMPT } else { prompt };
            let prompt = self
                .model
                .encode(prompt)
                .map_err(|error| CalibrateError::Form { who: self.name.clone(), why: error.to_string() })?;
            wanted.push((prompt, self.sampling(sampling)));
        }
        let mut answers = complete(self.model, generate, &wanted, batch)?;
        match self.persona {
            Persona::Truncated => answers.iter_mut().for_each(|answer| self.cut(answer)),
            Persona::Cached => answers.rotate_right(1),
            Persona::Edited => answers.iter_mut().for_each(|answer| self.edit(answer, rng)),
            _ => {}
        }
        Ok(answers)
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
        answer.text = self.model.decode(&answer.tokens);
    }

    fn edit(&self, answer: &mut TextAnswer, rng: &mut ChaCha20Rng) {
        if answer.tokens.is_empty() {
            return;
        }
        let at = below(answer.tokens.len() as u32, rng) as usize;
        let other = 1 + below(self.model.vocabulary() as u32 - 1, rng);
        answer.tokens[at] = (answer.tokens[at] + other) % self.model.vocabulary() as u32;
        answer.text = self.model.decode(&answer.tokens);
    }
}

/// Honest completions, `batch` sequences at a time, by the decoder that miners serve from.
pub fn complete(
    model: &LanguageModel,
    generate: &Generate,
    wanted: &[(Vec<u32>, Sampling)],
    batch: usize,
) -> Result<Vec<TextAnswer>, CalibrateError> {
    let limits = DecoderLimits {
        sequences_max: batch,
        cache_tokens_max: batch.saturating_mul(model.context().next_multiple_of(64)),
    };
    let mut decoder = Decoder::new(model.clone(), limits);
    let mut answers: Vec<TextAnswer> = Vec::with_capacity(wanted.len());
    let mut running = BTreeMap::new();
    let mut waiting = wanted.iter();
    loop {
        while running.len() < batch {
            let Some((prompt, sampling)) = waiting.next() else { break };
            let generation = Generation {
                max_tokens: generate.max_tokens,
                sampling: *sampling,
                stop: Vec::new(),
                top_log_probs: 0,
                ignore_end: generate.ignore_end,
            };
            let id = decoder.join(prompt, generation)?;
            running.insert(id, answers.len());
            answers.push(TextAnswer { prompt_tokens: prompt.len() as u32, ..TextAnswer::default() });
        }
        if running.is_empty() {
            return Ok(answers);
        }
        for event in decoder.step()? {
            let Some(&at) = running.get(&event.sequence) else { continue };
            let answer = &mut answers[at];
            answer.tokens.push(event.token);
            answer.log_probs.push(event.log_prob);
            answer.text.push_str(&event.text);
            if let Some(finish) = event.finish {
                answer.finish = Some(match finish {
                    Ended::Stop => Finish::Stop,
                    Ended::Length => Finish::Length,
                    Ended::End => Finish::End,
                });
                running.remove(&event.sequence);
            }
        }
    }
}
