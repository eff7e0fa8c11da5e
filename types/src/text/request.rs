//! Requests to a language model.

use super::error::TextError;
use super::name;
use super::scalar::{
    at_most, elements, ints, list, read_bool, read_f32, read_i32, read_text, read_u64, signed, text,
    unsigned, write_bool, write_i32, write_texts, write_u64,
};
use super::settings::{
    GREEDY, GUMBEL_V1, MAX_TOKENS_DEFAULT, STOP_WORD_BYTES_MAX, STOP_WORDS_MAX, TEMPERATURE_MAX,
    TOP_LOG_PROBS_MAX,
};
use crate::{Datatype, InferRequest, Tensor};

/// The text or dialogue that a request continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    Text(String),
    Ids(Vec<u32>),
}

/// One generation. Made by [`TextRequest::from_infer`], every field is in its range; [`TextRequest::check`] holds
/// one that was made by hand to the same.
#[derive(Clone, Debug, PartialEq)]
pub struct TextRequest {
    pub prompt: Prompt,
    /// From 1 to the server's limit.
    pub max_tokens: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// 0 is off.
    pub top_k: u32,
    /// 1 is off.
    pub top_p: f32,
    pub seed: u64,
    pub stop: Vec<String>,
    pub log_probs: bool,
    pub top_log_probs: u8,
    /// Go on after the end token, until `max_tokens`.
    pub ignore_end: bool,
}

/// Limits of what is read: a server's of one request, a caller's of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    pub prompt_bytes: usize,
    /// Of a prompt that comes as ids.
    pub prompt_tokens: usize,
    pub max_tokens: u32,
}

impl TextRequest {
    /// A greedy continuation of a text.
    pub fn greedy(prompt: &str, max_tokens: u32) -> Self {
        Self {
            prompt: Prompt::Text(prompt.to_owned()),
            max_tokens,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            seed: 0,
            stop: Vec::new(),
            log_probs: false,
            top_log_probs: 0,
            ignore_end: false,
        }
    }

    /// The name of the sampler that the temperature calls for.
    pub fn sampler(&self) -> &'static str {
        if self.temperature == 0.0 { GREEDY } else { GUMBEL_V1 }
    }

    /// Tells whether the caller wants to know the tokens.
    pub fn wants_lists(&self) -> bool {
        self.log_probs || self.top_log_probs > 0
    }

    pub fn from_infer(request: &InferRequest, limits: &TextLimits) -> Result<Self, TextError> {
        let mut read = Self::greedy("", MAX_TOKENS_DEFAULT.min(limits.max_tokens));
        let mut prompt = None;
        for (at, tensor) in request.inputs.iter().enumerate() {
            // Prompts have an error of their own below.
            let is_setting = !matches!(tensor.name(), name::TEXT_INPUT | name::INPUT_IDS);
            if is_setting && request.inputs[..at].iter().any(|other| other.name() == tensor.name()) {
                return Err(TextError::Twice { name: tensor.name().to_owned() });
            }
            match tensor.name() {
                name::TEXT_INPUT | name::INPUT_IDS => {
                    // Text and ids together are refused, as is either of them twice: one would have to be passed over.
                    if prompt.replace(read_prompt(tensor, limits)?).is_some() {
                        return Err(TextError::Prompt);
                    }
                }
                name::MAX_TOKENS => read.max_tokens = read_count(tensor, name::MAX_TOKENS)?,
                name::TEMPERATURE => read.temperature = read_f32(tensor, name::TEMPERATURE)?,
                name::TOP_P => read.top_p = read_f32(tensor, name::TOP_P)?,
                name::TOP_K => read.top_k = read_count(tensor, name::TOP_K)?,
                name::RANDOM_SEED => read.seed = read_u64(tensor, name::RANDOM_SEED)?,
                name::STOP_WORDS => read.stop = read_stop(tensor)?,
                name::RETURN_LOG_PROBS => read.log_probs = read_bool(tensor, name::RETURN_LOG_PROBS)?,
                name::TOP_LOG_PROBS => read.top_log_probs = read_top(tensor)?,
                name::IGNORE_END => read.ignore_end = read_bool(tensor, name::IGNORE_END)?,
                other => return Err(TextError::UnknownInput { name: other.to_owned() }),
            }
        }
        read.prompt = prompt.ok_or(TextError::Prompt)?;
        read.check(limits)?;
        Ok(read)
    }

    /// Checks that every field is in its range.
    pub fn check(&self, limits: &TextLimits) -> Result<(), TextError> {
        match &self.prompt {
            Prompt::Text(text) => at_most(name::TEXT_INPUT, "bytes", text.len(), limits.prompt_bytes)?,
            Prompt::Ids(ids) if ids.is_empty() => return Err(TextError::Empty { name: name::INPUT_IDS }),
            Prompt::Ids(ids) => at_most(name::INPUT_IDS, "tokens", ids.len(), limits.prompt_tokens)?,
        }
        let within = |ok: bool, name, value: String, allowed: String| {
            if ok { Ok(()) } else { Err(TextError::Range { name, value, allowed }) }
        };
        let tokens = self.max_tokens;
        let allowed = format!("1 to {}", limits.max_tokens);
        within((1..=limits.max_tokens).contains(&tokens), name::MAX_TOKENS, tokens.to_string(), allowed)?;
        // A NaN is in no range.
        let (heat, share) = (self.temperature, self.top_p);
        let allowed = format!("0 to {TEMPERATURE_MAX}");
        within((0.0..=TEMPERATURE_MAX).contains(&heat), name::TEMPERATURE, heat.to_string(), allowed)?;
        within(share > 0.0 && share <= 1.0, name::TOP_P, share.to_string(), "above 0, up to 1".into())?;
        let top = self.top_log_probs;
        let allowed = format!("0 to {TOP_LOG_PROBS_MAX}");
        within(top <= TOP_LOG_PROBS_MAX, name::TOP_LOG_PROBS, top.to_string(), allowed)?;
        at_most(name::STOP_WORDS, "entries", self.stop.len(), STOP_WORDS_MAX)?;
        for word in &self.stop {
            at_most(name::STOP_WORDS, "bytes in one word", word.len(), STOP_WORD_BYTES_MAX)?;
            if word.is_empty() {
                return Err(TextError::Empty { name: name::STOP_WORDS });
            }
        }
        Ok(())
    }

    /// Only fields that differ from their defaults go over the wire, and `max_tokens`.
    pub fn to_infer(&self, model: &str, id: &str) -> Result<InferRequest, TextError> {
        let mut inputs = vec![write_prompt(&self.prompt)?];
        inputs.push(write_i32(name::MAX_TOKENS, vec![1], [signed(name::MAX_TOKENS, self.max_tokens)?])?);
        if self.temperature != 0.0 {
            inputs.push(Tensor::from_f32(name::TEMPERATURE, vec![1], &[self.temperature])?);
        }
        if self.top_p != 1.0 {
            inputs.push(Tensor::from_f32(name::TOP_P, vec![1], &[self.top_p])?);
        }
        if self.top_k != 0 {
            inputs.push(write_i32(name::TOP_K, vec![1], [signed(name::TOP_K, self.top_k)?])?);
        }
        if self.seed != 0 {
            inputs.push(write_u64(name::RANDOM_SEED, self.seed)?);
        }
        if !self.stop.is_empty() {
            inputs.push(write_texts(name::STOP_WORDS, self.stop.iter().map(String::as_str))?);
        }
        if self.log_probs {
            inputs.push(write_bool(name::RETURN_LOG_PROBS, true)?);
        }
        if self.top_log_probs != 0 {
            inputs.push(write_i32(name::TOP_LOG_PROBS, vec![1], [i32::from(self.top_log_probs)])?);
        }
        if self.ignore_end {
            inputs.push(write_bool(name::IGNORE_END, true)?);
        }
        Ok(InferRequest {
            model: model.to_owned(),
            version: String::new(),
            id: id.to_owned(),
            inputs,
            outputs: Vec::new(),
        })
    }
}

fn read_prompt(tensor: &Tensor, limits: &TextLimits) -> Result<Prompt, TextError> {
    if tensor.name() == name::TEXT_INPUT {
        // Four of the bytes hold the text's length.
        at_most(name::TEXT_INPUT, "bytes", tensor.data().len().saturating_sub(4), limits.prompt_bytes)?;
        return Ok(Prompt::Text(read_text(tensor, name::TEXT_INPUT)?));
    }
    let data = list(tensor, name::INPUT_IDS, Datatype::Int32)?;
    at_most(name::INPUT_IDS, "tokens", data.len() / 4, limits.prompt_tokens)?;
    ints(data).map(|id| unsigned(name::INPUT_IDS, id)).collect::<Result<_, _>>().map(Prompt::Ids)
}

fn write_prompt(prompt: &Prompt) -> Result<Tensor, TextError> {
    match prompt {
        Prompt::Text(text) => Ok(write_texts(name::TEXT_INPUT, [text.as_str()].into_iter())?),
        Prompt::Ids(ids) => {
            let signed: Vec<i32> =
                ids.iter().map(|id| signed(name::INPUT_IDS, *id)).collect::<Result<_, _>>()?;
            Ok(write_i32(name::INPUT_IDS, vec![ids.len() as u64], signed)?)
        }
    }
}

fn read_count(tensor: &Tensor, name: &'static str) -> Result<u32, TextError> {
    unsigned(name, read_i32(tensor, name)?)
}

fn read_top(tensor: &Tensor) -> Result<u8, TextError> {
    let value = read_i32(tensor, name::TOP_LOG_PROBS)?;
    u8::try_from(value).map_err(|_| TextError::Range {
        name: name::TOP_LOG_PROBS,
        value: value.to_string(),
        allowed: format!("0 to {TOP_LOG_PROBS_MAX}"),
    })
}

fn read_stop(tensor: &Tensor) -> Result<Vec<String>, TextError> {
    let data = list(tensor, name::STOP_WORDS, Datatype::Bytes)?;
    let count = elements(data).count();
    at_most(name::STOP_WORDS, "entries", count, STOP_WORDS_MAX)?;
    elements(data)
        .map(|word| {
            at_most(name::STOP_WORDS, "bytes in one word", word.len(), STOP_WORD_BYTES_MAX)?;
            text(word, name::STOP_WORDS)
        })
        .collect()
}
