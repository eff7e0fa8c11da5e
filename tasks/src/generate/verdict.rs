//! Completions: how they are asked for, and what is said of them.
//!
//! An answer is looked at in two steps. Its form alone may be wrong: too long, cut short, without log-probabilities. What
//! is well-formed is held against the reference's testimony: is each token one that the agreed model would have said
//! under this seed, do the claimed log-probabilities agree, does the text say what the tokens say?
//!
//! **Invariant.** A verdict follows from the task file, the answer and the recorded testimony alone.

use weighhouse_types::text::{Finish, Prompt, TextAnswer, TextLimits, TextRequest};
use weighhouse_types::{InferAnswer, Judgement, Mark, Reason};

use super::section::{Generate, Margins};
use super::witness::Testimony;
use crate::verdict::malformed;
use weighhouse_models::sampling::Sampling;

/// Rounding may bring a log-probability above 0 by less than this.
const LOG_PROB_MAX: f32 = 1e-3;
/// Stands for bytes that are no character.
const REPLACEMENT: char = '\u{fffd}';

/// A well-formed completion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Completion {
    pub(crate) tokens: Vec<u32>,
    log_probs: Vec<f32>,
    finish: Finish,
    text: String,
}

impl Completion {
    /// It says that its last token ended it.
    pub(crate) fn ended(&self) -> bool {
        self.finish == Finish::End
    }

    /// Its text is this one, but for what stands in place of bytes that are no characters: decoders differ on how much, and
    /// vLLM's, which begins anew there, loses a space behind it.
    pub(crate) fn says(&self, text: &str) -> bool {
        let mut own = self.text.chars().filter(|character| *character != REPLACEMENT).peekable();
        let mut is_behind = false;
        for character in text.chars() {
            if character == REPLACEMENT {
                is_behind = true;
                continue;
            }
            let is_said = own.next_if_eq(&character).is_some();
            let may_be_lost = is_behind && character == ' ';
            if !(is_said || may_be_lost) {
                return false;
            }
            is_behind &= is_said && character == ' ';
        }
        own.next().is_none()
    }

    pub(crate) fn log_probs(&self) -> &[f32] {
        &self.log_probs
    }
}

/// The question.
pub(super) fn asked(generate: &Generate, prompt: &str, sampling: &Sampling) -> TextRequest {
    TextRequest {
        prompt: Prompt::Text(prompt.to_owned()),
        max_tokens: generate.max_tokens,
        temperature: sampling.temperature,
        top_k: sampling.top_k,
        top_p: sampling.top_p,
        seed: sampling.seed,
        stop: Vec::new(),
        log_probs: true,
        top_log_probs: 0,
        ignore_end: generate.ignore_end,
    }
}

/// Reads a completion, or says what is wrong with it whatever the reference may say.
pub(crate) fn read(generate: &Generate, answer: &InferAnswer) -> Result<Completion, Judgement> {
    // Twice as much is read as was asked for, so that a surplus is called one.
    let limits =
        TextLimits { prompt_bytes: 0, prompt_tokens: 0, max_tokens: generate.max_tokens.saturating_mul(2) };
    let answer = TextAnswer::from_infer(answer, &limits).map_err(|error| malformed(0, error.to_string()))?;
    let tokens = answer.tokens.len() as u32;
    let contradicts = |token, what: &str| {
        let what = what.to_owned();
        Err(Judgement { mark: Mark::ZERO, reasons: vec![Reason::Contradicts { token, what }] })
    };
    if tokens == 0 {
        return contradicts(0, "no token ids");
    }
    if tokens > generate.max_tokens {
        return contradicts(generate.max_tokens, "more tokens than were asked for");
    }
    let may_lack = !generate.log_probs && answer.log_probs.is_empty();
    if answer.log_probs.len() != answer.tokens.len() && !may_lack {
        return contradicts(0, "no log-probabilities");
    }
    let sound = |value: &f32| value.is_finite() && *value <= LOG_PROB_MAX;
    if let Some(at) = answer.log_probs.iter().position(|value| !sound(value)) {
        return Err(malformed(at as u32, format!("log-probability {}", answer.log_probs[at])));
    }
    let finish = match answer.finish {
        None => return contradicts(tokens, "no finish reason"),
        Some(Finish::Stop) => return contradicts(tokens, "stopped, though no stop word was given"),
        Some(Finish::End) if generate.ignore_end => {
            return contradicts(tokens, "ended, though asked to go on");
        }
        Some(Finish::Length) if tokens < generate.max_tokens => return contradicts(tokens, "cut short"),
        Some(finish) => finish,
    };
    Ok(Completion { tokens: answer.tokens, log_probs: answer.log_probs, finish, text: answer.text })
}

/// Holds a completion against what the reference says of it.
pub(crate) fn judge(
    generate: &Generate,
    tolerance: f64,
    completion: &Completion,
    testimony: &Testimony,
) -> Judgement {
    let margins = &generate.margins;
    if let Some(reason) = betrayed(margins, tolerance, completion, testimony) {
        return Judgement { mark: Mark::MIN, reasons: vec![reason] };
    }
    let reason = doubted(margins, completion, testimony)
        .map(|reason| (Mark::MIN, reason))
        .or_else(|| contradicts(generate, completion, testimony).map(|reason| (Mark::ZERO, reason)));
    let (mark, reason) = reason.unwrap_or_else(|| {
        let tokens = completion.tokens.len() as u32;
        (Mark::MAX, Reason::Attested { tokens, mean: millionths(mean(margins.clip, &testimony.margins)) })
    });
    Judgement { mark, reasons: vec![reason] }
}

pub(crate) fn spared(completion: &Completion) -> Judgement {
    let tokens = completion.tokens.len() as u32;
    Judgement { mark: Mark::MAX, reasons: vec![Reason::Spared { tokens }] }
}

fn betrayed(
    margins: &Margins,
    tolerance: f64,
    completion: &Completion,
    testimony: &Testimony,
) -> Option<Reason> {
    let mean = mean(margins.clip, &testimony.margins);
    let mut worst = (0, 0.0_f64);
    for (at, margin) in testimony.margins.iter().enumerate() {
        if f64::from(*margin) > worst.1 {
            worst = (at, f64::from(*margin));
        }
    }
    if worst.1 <= margins.token_max && mean <= tolerance {
        return None;
    }
    Some(Reason::Betrayed {
        token: worst.0 as u32,
        id: completion.tokens.get(worst.0).copied().unwrap_or(u32::MAX),
        margin: millionths(worst.1),
        mean: millionths(mean),
        tokens: completion.tokens.len() as u32,
    })
}

fn doubted(margins: &Margins, completion: &Completion, testimony: &Testimony) -> Option<Reason> {
    let differences = completion.log_probs.iter().zip(&testimony.log_probs);
    let differences = differences.map(|(claimed, own)| (f64::from(*claimed) - f64::from(*own)).abs());
    let mut worst = (0, 0.0_f64);
    for (at, difference) in differences.enumerate() {
        if difference > worst.1 {
            worst = (at, difference);
        }
    }
    let (at, difference) = worst;
    (difference > margins.log_prob_max)
        .then(|| Reason::Doubted { token: at as u32, difference: millionths(difference) })
}

pub(crate) fn contradicts(
    generate: &Generate,
    completion: &Completion,
    testimony: &Testimony,
) -> Option<Reason> {
    let last = completion.tokens.len() as u32 - 1;
    let contradicts = |token, what: &str| Some(Reason::Contradicts { token, what: what.to_owned() });
    match testimony.first_end {
        Some(end) if end < last && !generate.ignore_end => {
            return contradicts(end + 1, "goes on after its end");
        }
        None if completion.finish == Finish::End => return contradicts(last, "ends without an end token"),
        _ => {}
    }
    if !completion.says(&testimony.text) {
        return contradicts(0, "the text is not what the tokens say");
    }
    None
}

/// The mean of margins, each counted as `clip` at most.
pub(crate) fn mean(clip: f64, margins: &[f32]) -> f64 {
    // A margin that is no number counts as the clip: `min` gives the other value for NaN.
    let sum: f64 = margins.iter().map(|margin| f64::from(*margin).min(clip)).sum();
    sum / margins.len().max(1) as f64
}

/// Rounded, and as large as a `u32` can be where it is larger or infinite.
fn millionths(value: f64) -> u32 {
    (value * 1e6).round() as u32
}

#[cfg(test)]
mod tests;
