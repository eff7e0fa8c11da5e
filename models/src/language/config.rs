//! `config.json` of a Llama, Mistral or Qwen2 model, as Hugging Face publishes it, read into a shape that can be built.

use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};

use super::ending::EndTokens;
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

/// End token of families whose files needn't name it.
const END_DEFAULT: u32 = 2;
const NORM_EPSILON_DEFAULT: f64 = 1e-6;
/// Layers without a window, at the beginning, where a Qwen2 file doesn't say how many.
const UNWINDOWED_DEFAULT: usize = 28;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Llama,
    Mistral,
    Qwen2,
}

#[derive(Debug, Deserialize)]
struct Raw {
    model_type: String,
    architectures: Option<Vec<String>>,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
    use_sliding_window: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    sliding_window: Option<Option<usize>>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    eos_token_id: Option<Option<EndTokens>>,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    rope_scaling: Option<serde_json::Value>,
    /// The form of the three above that newer versions of `transformers` write.
    rope_parameters: Option<serde_json::Value>,
}

/// Tells a value that is null from one that is left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Raw {
    fn family(&self) -> Result<Family, ModelConfigError> {
        let family = match self.model_type.as_str() {
            "llama" => Family::Llama,
            "mistral" => Family::Mistral,
            "qwen2" => Family::Qwen2,
            other => return Err(ModelConfigError::Family(other.to_owned())),
        };
        let architectures = self.architectures.as_deref().unwrap_or_default();
        let continues = |name: &String| name.ends_with("ForCausalLM") || name.ends_with("Model");
        if !architectures.is_empty() && !architectures.iter().any(continues) {
            let (key, value) = ("architectures", architectures.join(", "));
            return Err(ModelConfigError::Unserved { key, value, served: "a model ForCausalLM" });
        }
        match self.hidden_act.as_deref().filter(|act| !matches!(*act, "silu" | "swish")) {
            Some(act) => {
                let value = act.to_owned();
                Err(ModelConfigError::Unserved { key: "hidden_act", value, served: "silu" })
            }
            None => Ok(family),
        }
    }

    /// Most tokens of a sequence: within a sliding window, where there is one, attention sees all of them.
    fn context(&self, family: Family) -> usize {
        let (published, window) = match family {
            Family::Llama => (2_048, None),
            Family::Mistral => (131_072, self.sliding_window.unwrap_or(Some(4_096))),
            Family::Qwen2 => {
                let unwindowed = self.max_window_layers.unwrap_or(UNWINDOWED_DEFAULT);
                let slides = match &self.layer_types {
                    Some(types) => types.iter().any(|kind| kind == "sliding_attention"),
                    None => unwindowed < self.num_hidden_layers,
                };
                let is_on = self.use_sliding_window == Some(true) && slides;
                (32_768, is_on.then(|| self.sliding_window.unwrap_or(Some(4_096))).flatten())
            }
        };
        let context = self.max_position_embeddings.unwrap_or(published);
        window.map_or(context, |window| window.min(context))
    }

    fn rope(&self, head_width: usize, context: usize) -> Result<Rope, RopeError> {
        let given = |value: &&serde_json::Value| {
            !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty())
        };
        let scaling = [&self.rope_scaling, &self.rope_parameters];
        let scaling = scaling.into_iter().flatten().find(given);
        let partial = scaling.and_then(|scaling| scaling.get("partial_rotary_factor")?.as_f64());
        if let Some(factor) = partial.or(self.partial_rotary_factor).filter(|factor| *factor != 1.0) {
            return Err(RopeError::Partial { factor });
        }
        Rope::read(self.rope_theta, scaling, head_width, context)
    }

    fn end_tokens(self, family: Family) -> Vec<u32> {
        match self.eos_token_id {
            Some(named) => named.map_or_else(Vec::new, EndTokens::ids),
            None if family == Family::Qwen2 => Vec::new(),
            None => vec![END_DEFAULT],
        }
    }
}

impl Shape {
    /// # Errors
    /// Another family, a number outside its limits, a variant that is not served.
    pub fn parse(json: &[u8]) -> Result<Self, ModelConfigError> {
        let raw: Raw =
            serde_json::from_slice(json).map_err(|error| ModelConfigError::Json(error.to_string()))?;
        let family = raw.family()?;
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
