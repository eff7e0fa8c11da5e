//! `config.json` of a Llama, Mistral or Qwen2 model, as Hugging Face publishes it, read into a shape that can be built.

mod raw;

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::rope::{Rope, RopeError};
pub(crate) use raw::EndTokens;
use raw::{Family, Raw};

/// Most layers, heads, numbers in a row and entries of a vocabulary.
const LAYERS: RangeInclusive<usize> = 1..=256;
const HEADS: RangeInclusive<usize> = 1..=256;
const WIDTH: RangeInclusive<usize> = 1..=65_536;
const VOCABULARY: RangeInclusive<usize> = 1..=1_048_576;
const CONTEXT: RangeInclusive<usize> = 1..=2_097_152;

const NORM_EPSILON_DEFAULT: f64 = 1e-6;

/// Why a `config.json` is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelConfigError {
    #[error("it is not the JSON it should be: {0}")]
    Json(String),
    #[error("model_type {0:?} is not served, only llama, mistral and qwen2 are")]
    Family(String),
    #[error("{key} = {value} is outside {least} to {greatest}")]
    Range { key: &'static str, value: usize, least: usize, greatest: usize },
    #[error("{key} = {value} is not served, only {served} is")]
    Unserved { key: &'static str, value: String, served: &'static str },
    #[error("{0}")]
    Inconsistent(String),
    #[error("rope_scaling: {0}")]
    Rope(#[from] RopeError),
}

/// A decoder's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    pub vocabulary: usize,
    /// Numbers in a token's vector.
    pub width: usize,
    /// Numbers in the feed-forward layer.
    pub inner: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_width: usize,
    /// Most tokens of a sequence.
    pub context: usize,
    pub norm_epsilon: f64,
    pub rope: Rope,
    /// Biases of queries, keys and values; of the output of attention; of the feed-forward layers.
    pub qkv_bias: bool,
    pub output_bias: bool,
    pub inner_bias: bool,
    /// True if the output shares the embedding's weights.
    pub tied: bool,
    /// Tokens that end a text, where no other file names others.
    pub(crate) end_tokens: Vec<u32>,
}

impl Shape {
    /// # Errors
    /// Another family, a number outside its limits, a variant that is not served.
    pub fn parse(json: &[u8]) -> Result<Self, ModelConfigError> {
        // First: other architectures have other keys, the lack of which would say less.
        let family = Family::of(&model_type(json)?)?;
        let raw: Raw =
            serde_json::from_slice(json).map_err(|error| ModelConfigError::Json(error.to_string()))?;
        raw.check_variant()?;
        // Checked before the width is divided by it.
        let heads = within("num_attention_heads", raw.num_attention_heads, HEADS)?;
        // Files from before grouped-query attention don't name it.
        let kv_heads = within("num_key_value_heads", raw.num_key_value_heads.unwrap_or(heads), HEADS)?;
        let width = within("hidden_size", raw.hidden_size, WIDTH)?;
        let head_width = within("head_dim", raw.head_dim.unwrap_or(width / heads), WIDTH)?;
        let trained = raw.max_position_embeddings.unwrap_or_else(|| raw.context(family));
        within("max_position_embeddings", trained, CONTEXT)?;
        let context = within("sliding_window", raw.context(family), CONTEXT)?;
        let vocabulary = within("vocab_size", raw.vocab_size, VOCABULARY)?;
        if !heads.is_multiple_of(kv_heads) {
            let what = format!("{heads} heads can't share {kv_heads} heads of keys and values");
            return Err(ModelConfigError::Inconsistent(what));
        }
        if !head_width.is_multiple_of(2) {
            let what = format!("a head of {head_width} numbers can't be rotated in pairs");
            return Err(ModelConfigError::Inconsistent(what));
        }
        let norm_epsilon = raw.rms_norm_eps.unwrap_or(NORM_EPSILON_DEFAULT);
        if !norm_epsilon.is_finite() || norm_epsilon <= 0.0 {
            let what = format!("rms_norm_eps = {norm_epsilon} is not above 0");
            return Err(ModelConfigError::Inconsistent(what));
        }
        let bias = family == Family::Llama && raw.attention_bias == Some(true);
        Ok(Self {
            vocabulary,
            width,
            inner: within("intermediate_size", raw.intermediate_size, WIDTH)?,
            layers: within("num_hidden_layers", raw.num_hidden_layers, LAYERS)?,
            heads,
            kv_heads,
            head_width,
            context,
            norm_epsilon,
            rope: raw.rope(head_width, trained)?,
            // Qwen2 has these biases always, and its files do not say so.
            qkv_bias: family == Family::Qwen2 || bias,
            output_bias: bias,
            inner_bias: family == Family::Llama && raw.mlp_bias == Some(true),
            tied: raw.tie_word_embeddings == Some(true),
            end_tokens: raw.end_tokens(family),
        })
    }

    /// Numbers in one row of queries, and of keys or values.
    pub fn projected(&self) -> (usize, usize) {
        (self.heads * self.head_width, self.kv_heads * self.head_width)
    }
}

/// The architecture that a `config.json` is of.
pub(crate) fn model_type(json: &[u8]) -> Result<String, ModelConfigError> {
    #[derive(Deserialize)]
    struct Named {
        model_type: String,
    }
    let named: Result<Named, _> = serde_json::from_slice(json);
    named.map(|named| named.model_type).map_err(|error| ModelConfigError::Json(error.to_string()))
}

pub(crate) fn within(
    key: &'static str,
    value: usize,
    allowed: RangeInclusive<usize>,
) -> Result<usize, ModelConfigError> {
    if allowed.contains(&value) {
        return Ok(value);
    }
    Err(ModelConfigError::Range { key, value, least: *allowed.start(), greatest: *allowed.end() })
}

#[cfg(test)]
mod tests;
