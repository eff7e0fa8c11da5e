//! The sections of tasks about text.

use serde::Deserialize;
use weighhouse_models::language::Generation;
use weighhouse_models::sampling::{Sampler, Sampling, SamplingError};

use super::sequential::{Budget, RawBudget};
use crate::error::TaskFileError;
use crate::file::{count, refused, within};
use crate::prompts::{Prompts, RawPrompts, WORDS_MAX};

/// Generated tokens of a challenge at most.
const TOKENS_MAX: u32 = 4_096;
/// More than any vocabulary has.
const TOP_K_MAX: u32 = 1 << 24;
/// The largest margin that a limit can name.
const MARGIN_MAX: f64 = 1e6;

/// Terms of a task of completions: the prompts, the sampler, and the limits within which an answer is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Generate {
    pub prompts: Prompts,
    /// Words of a prompt.
    pub prompt_words: u32,
    pub max_tokens: u32,
    /// Its seed is each challenge's own.
    pub sampling: Sampling,
    /// A completion goes on after an end token, until it has `max_tokens`.
    pub ignore_end: bool,
    /// A completion must have its tokens' log-probabilities.
    pub log_probs: bool,
    pub margins: Margins,
    /// `None`: every answer is checked, and each check stands alone.
    pub budget: Option<Budget>,
}

impl Generate {
    /// A completion as miners make it.
    pub fn generation(&self, sampling: Sampling) -> Generation {
        Generation {
            max_tokens: self.max_tokens,
            sampling,
            stop: Vec::new(),
            top_log_probs: 0,
            ignore_end: self.ignore_end,
        }
    }
}

/// When a completion is not the agreed model's. Margins are in units of the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margins {
    /// Larger margins count as this one in the mean, which `conformance.tolerance` bounds.
    pub clip: f64,
    /// No single token may be further off.
    pub token_max: f64,
    /// No claimed log-probability may differ more from the reference's.
    pub log_prob_max: f64,
}

/// The sections that only this kind reads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    generate: RawGenerate,
    margins: RawMargins,
    budget: Option<RawBudget>,
}

impl Section {
    pub(super) fn check(self, items: u32) -> Result<Generate, TaskFileError> {
        self.generate.check(items, &self.margins, self.budget)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGenerate {
    prompts: RawPrompts,
    prompt_words: u32,
    max_tokens: u32,
    sampler: String,
    #[serde(default)]
    temperature: f32,
    #[serde(default)]
    top_k: u32,
    #[serde(default = "one")]
    top_p: f32,
    ignore_end: bool,
    #[serde(default = "always")]
    log_probs: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMargins {
    clip: f64,
    token_max: f64,
    log_prob_max: f64,
}

fn one() -> f32 {
    1.0
}

fn always() -> bool {
    true
}

impl RawGenerate {
    fn check(
        self,
        items: u32,
        margins: &RawMargins,
        budget: Option<RawBudget>,
    ) -> Result<Generate, TaskFileError> {
        if items != 1 {
            let value = f64::from(items);
            return Err(TaskFileError::Range { key: "items", value, allowed: "1, a completion".to_owned() });
        }
        let sampling = sampling(&self.sampler, self.temperature, self.top_k, self.top_p)?;
        // Servers that give text alone can be greedy and nothing else that is checkable.
        if !self.log_probs && sampling.temperature != 0.0 {
            return Err(refused(
                "generate.log_probs",
                "= false goes with the sampler \"greedy\" alone".to_owned(),
            ));
        }
        Ok(Generate {
            prompts: self.prompts.check("generate.prompts")?,
            prompt_words: count("generate.prompt_words", self.prompt_words, WORDS_MAX)?,
            max_tokens: count("generate.max_tokens", self.max_tokens, TOKENS_MAX)?,
            sampling,
            ignore_end: self.ignore_end,
            log_probs: self.log_probs,
            margins: Margins {
                clip: above_zero("margins.clip", margins.clip)?,
                token_max: above_zero("margins.token_max", margins.token_max)?,
                log_prob_max: above_zero("margins.log_prob_max", margins.log_prob_max)?,
            },
            budget: budget.map(RawBudget::check).transpose()?,
        })
    }
}

fn sampling(sampler: &str, temperature: f32, top_k: u32, top_p: f32) -> Result<Sampling, TaskFileError> {
    // Seed 0 stands in: each challenge brings its own.
    let sampling = Sampling::new(temperature, top_k, top_p, 0).map_err(|error| match error {
        SamplingError::Temperature(_) => refused("generate.temperature", error.to_string()),
        SamplingError::TopP(_) => refused("generate.top_p", error.to_string()),
    })?;
    let known = [Sampler::Greedy, Sampler::GumbelV1];
    let Some(named) = known.into_iter().find(|known| known.name() == sampler) else {
        return Err(refused(
            "generate.sampler",
            format!("= {sampler:?} is neither \"greedy\" nor \"gumbel/v1\""),
        ));
    };
    if top_k > TOP_K_MAX {
        return Err(refused("generate.top_k", format!("= {top_k} is outside 0 to {TOP_K_MAX}")));
    }
    if named != sampling.sampler() {
        let what =
            format!("= {temperature} does not go with sampler = {sampler:?}: greedy is 0, gumbel/v1 above");
        return Err(refused("generate.temperature", what));
    }
    Ok(sampling)
}

fn above_zero(key: &'static str, value: f64) -> Result<f64, TaskFileError> {
    // Numbers below 0 and NaN are refused by `within`.
    if value == 0.0 {
        return Err(TaskFileError::Range { key, value, allowed: format!("above 0, up to {MARGIN_MAX}") });
    }
    within(key, value, MARGIN_MAX)
}
