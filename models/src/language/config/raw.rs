//! `config.json` as it is written, and the defaults of what it leaves out, each family's own.

use serde::{Deserialize, Deserializer};

use super::ModelConfigError;
use crate::language::rope::{Rope, RopeError};

/// End token of families whose files needn't name it.
const END_DEFAULT: u32 = 2;
/// Layers without a window, at the beginning, where a Qwen2 file doesn't say how many.
const UNWINDOWED_DEFAULT: usize = 28;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Llama,
    Mistral,
    Qwen2,
}

#[derive(Debug, Deserialize)]
pub(super) struct Raw {
    pub(super) architectures: Option<Vec<String>>,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_key_value_heads: Option<usize>,
    pub(super) head_dim: Option<usize>,
    pub(super) max_position_embeddings: Option<usize>,
    pub(super) rms_norm_eps: Option<f64>,
    pub(super) hidden_act: Option<String>,
    pub(super) attention_bias: Option<bool>,
    pub(super) mlp_bias: Option<bool>,
    pub(super) tie_word_embeddings: Option<bool>,
    pub(super) use_sliding_window: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    pub(super) sliding_window: Option<Option<usize>>,
    pub(super) max_window_layers: Option<usize>,
    pub(super) layer_types: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) eos_token_id: Option<Option<EndTokens>>,
    pub(super) rope_theta: Option<f64>,
    pub(super) partial_rotary_factor: Option<f64>,
    pub(super) rope_scaling: Option<serde_json::Value>,
    /// The form of the three above that newer versions of `transformers` write.
    pub(super) rope_parameters: Option<serde_json::Value>,
}

/// A number or several, as files name end tokens.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "eos_token_id is neither a whole number nor a list of them")]
pub(crate) enum EndTokens {
    One(i64),
    Many(Vec<i64>),
}

impl EndTokens {
    /// Without those that no vocabulary has: some files write -1 for none.
    pub(crate) fn ids(self) -> Vec<u32> {
        let ids = match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        };
        ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect()
    }
}

/// Tells a value that is null from one that is left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Family {
    pub(super) fn of(model_type: &str) -> Result<Self, ModelConfigError> {
        match model_type {
            "llama" => Ok(Self::Llama),
            "mistral" => Ok(Self::Mistral),
            "qwen2" => Ok(Self::Qwen2),
            other => Err(ModelConfigError::Family(other.to_owned())),
        }
    }
}

impl Raw {
    /// Refuses what isn't served of a family that is.
    pub(super) fn check_variant(&self) -> Result<(), ModelConfigError> {
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
            None => Ok(()),
        }
    }

    /// Most tokens of a sequence: within a sliding window, where there is one, attention sees all of them.
    pub(super) fn context(&self, family: Family) -> usize {
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

    pub(super) fn rope(&self, head_width: usize, context: usize) -> Result<Rope, RopeError> {
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

    pub(super) fn end_tokens(self, family: Family) -> Vec<u32> {
        match self.eos_token_id {
            Some(named) => named.map_or_else(Vec::new, EndTokens::ids),
            None if family == Family::Qwen2 => Vec::new(),
            None => vec![END_DEFAULT],
        }
    }
}
