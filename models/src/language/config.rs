//! `config.json` of a Llama or Qwen2 model, as Hugging Face publishes it, read into a shape that can be built.

use std::ops::RangeInclusive;

use serde::Deserialize;

use super::rope::{Rope, RopeError};

/// Most layers, heads, numbers in a row and entries of a vocabulary.
const LAYERS: RangeInclusive<usize> = 1..=256;
const HEADS: RangeInclusive<usize> = 1..=256;
const WIDTH: RangeInclusive<usize> = 1..=65_536;
const VOCABULARY: RangeInclusive<usize> = 1..=1_048_576;
const CONTEXT: RangeInclusive<usize> = 1..=2_097_152;

/// Why a `config.json` is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelConfigError {
    #[error("it is not the JSON it should be: {0}")]
    Json(String),
    #[error("model_type {0:?} is not served, only llama and qwen2 are")]
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
    /// Tokens that end a text.
    pub end_tokens: Vec<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

#[derive(Debug, Deserialize)]
struct Raw {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    hidden_act: Option<String>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    use_sliding_window: bool,
    eos_token_id: Option<OneOrMany>,
    rope_theta: Option<f64>,
    rope_scaling: Option<serde_json::Value>,
    /// The form of the two above that newer versions of `transformers` write.
    rope_parameters: Option<serde_json::Value>,
}

impl Shape {
    /// # Errors
    /// Another family, a number outside its limits, a variant that is not served.
    pub fn parse(json: &[u8]) -> Result<Self, ModelConfigError> {
        let raw: Raw =
            serde_json::from_slice(json).map_err(|error| ModelConfigError::Json(error.to_string()))?;
        let qwen = match raw.model_type.as_str() {
            "llama" => false,
            "qwen2" => true,
            other => return Err(ModelConfigError::Family(other.to_owned())),
        };
        if let Some(act) = raw.hidden_act.as_deref().filter(|act| !matches!(*act, "silu" | "swish")) {
            return Err(ModelConfigError::Unserved {
                key: "hidden_act",
                value: act.to_owned(),
                served: "silu",
            });
        }
        if raw.use_sliding_window {
            let (key, value) = ("use_sliding_window", "true".to_owned());
            return Err(ModelConfigError::Unserved { key, value, served: "false" });
        }
        // Checked before the width is divided by it.
        let heads = within("num_attention_heads", raw.num_attention_heads, HEADS)?;
        // Files from before grouped-query attention don't name it.
        let kv_heads = within("num_key_value_heads", raw.num_key_value_heads.unwrap_or(heads), HEADS)?;
        let width = within("hidden_size", raw.hidden_size, WIDTH)?;
        let head_width = within("head_dim", raw.head_dim.unwrap_or(width / heads), WIDTH)?;
        let context = within("max_position_embeddings", raw.max_position_embeddings, CONTEXT)?;
        let vocabulary = within("vocab_size", raw.vocab_size, VOCABULARY)?;
        if !heads.is_multiple_of(kv_heads) {
            let what = format!("{heads} heads can't share {kv_heads} heads of keys and values");
            return Err(ModelConfigError::Inconsistent(what));
        }
        if !head_width.is_multiple_of(2) {
            let what = format!("a head of {head_width} numbers can't be rotated in pairs");
            return Err(ModelConfigError::Inconsistent(what));
        }
        if !raw.rms_norm_eps.is_finite() || raw.rms_norm_eps <= 0.0 {
            let what = format!("rms_norm_eps = {} is not above 0", raw.rms_norm_eps);
            return Err(ModelConfigError::Inconsistent(what));
        }
        let scaling = raw.rope_parameters.as_ref().or(raw.rope_scaling.as_ref());
        let rope = Rope::read(raw.rope_theta, scaling, head_width, context)?;
        Ok(Self {
            vocabulary,
            width,
            inner: within("intermediate_size", raw.intermediate_size, WIDTH)?,
            layers: within("num_hidden_layers", raw.num_hidden_layers, LAYERS)?,
            heads,
            kv_heads,
            head_width,
            context,
            norm_epsilon: raw.rms_norm_eps,
            rope,
            // Qwen2 has these biases always, and its files do not say so.
            qkv_bias: qwen || raw.attention_bias,
            output_bias: !qwen && raw.attention_bias,
            inner_bias: raw.mlp_bias,
            tied: raw.tie_word_embeddings,
            end_tokens: match raw.eos_token_id {
                None => Vec::new(),
                Some(OneOrMany::One(token)) => vec![token],
                Some(OneOrMany::Many(tokens)) => tokens,
            },
        })
    }

    /// Numbers in one row of queries, and of keys or values.
    pub fn projected(&self) -> (usize, usize) {
        (self.heads * self.head_width, self.kv_heads * self.head_width)
    }
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
