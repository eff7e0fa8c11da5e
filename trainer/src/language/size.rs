//! The sizes of the built-in language models.

use std::fmt;
use std::str::FromStr;

use weighhouse_models::language::Shape;

/// The shapes that are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Reference,
    Weak,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Weak => "weak",
        })
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = [Self::Reference, Self::Weak].into_iter().find(|size| size.to_string() == name);
        named.ok_or_else(|| format!("no language model named {name:?}: there are reference and weak"))
    }
}

impl Size {
    /// Tokens of the tokenizer that both share.
    pub(crate) const VOCABULARY: usize = 2_048;

    /// `config.json`.
    pub(crate) fn config(self) -> String {
        let (width, inner, layers, heads, kv_heads) = match self {
            Self::Reference => (128, 352, 4, 4, 2),
            Self::Weak => (64, 176, 2, 2, 1),
        };
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": Self::VOCABULARY,
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "max_position_embeddings": 1_024,
            "rms_norm_eps": 1e-5,
            "hidden_act": "silu",
            "rope_theta": 10_000.0,
            "tie_word_embeddings": true,
            "eos_token_id": 0,
            "torch_dtype": "bfloat16",
        });
        format!("{config:#}\n")
    }

    pub(super) fn shape(self) -> Shape {
        Shape::parse(self.config().as_bytes()).expect("our own configuration")
    }
}
