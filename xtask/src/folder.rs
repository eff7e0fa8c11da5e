//! The benches' model: a Llama of 9 M parameters with random weights, and a tokenizer of one word per token.

use std::collections::BTreeMap;
use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use weighhouse_models::safetensors::{NewTensor, write as safetensors};

const VOCABULARY: usize = 8_192;
const WIDTH: usize = 256;
const INNER: usize = 688;
const LAYERS: usize = 6;
const HEADS: usize = 8;

/// So many random words: as many tokens.
#[cfg(feature = "serving")]
pub(crate) fn text(words: usize, rng: &mut ChaCha8Rng) -> String {
    let word = |rng: &mut ChaCha8Rng| format!("w{}", 1 + rng.next_u32() as usize % (VOCABULARY - 1));
    (0..words).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

/// Writes the folder; the same bytes every time.
pub(crate) fn write(dir: &Path) -> anyhow::Result<()> {
    let config = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": VOCABULARY,
        "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS, "head_dim": WIDTH / HEADS, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0, "tie_word_embeddings": false, "attention_bias": false, "mlp_bias": false,
        "eos_token_id": 0, "torch_dtype": "float32",
    });
    std::fs::write(dir.join("config.json"), config.to_string())?;
    let words: BTreeMap<String, usize> = (0..VOCABULARY).map(|id| (format!("w{id}"), id)).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": words, "unk_token": "w0" },
    });
    std::fs::write(dir.join("tokenizer.json"), tokenizer.to_string())?;
    Ok(std::fs::write(dir.join("model.safetensors"), weights())?)
}

fn weights() -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    // Uniform, with the deviation that keeps a row's scale; the output's is larger, as a trained model's is.
    let mut matrix = |name: String, rows: usize, columns: usize, deviation: f32| {
        let uniform =
            // √3: uniform values over [-1, 1] have the deviation 1/√3.
            |rng: &mut ChaCha8Rng| (rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * deviation * 1.732;
        tensors.push((name, vec![rows, columns], (0..rows * columns).map(|_| uniform(&mut rng)).collect()));
    };
    let plain = 1.0 / (WIDTH as f32).sqrt();
    matrix("model.embed_tokens.weight".to_owned(), VOCABULARY, WIDTH, 1.0);
    matrix("lm_head.weight".to_owned(), VOCABULARY, WIDTH, 2.0 * plain);
    for layer in 0..LAYERS {
        for part in ["q_proj", "k_proj", "v_proj", "o_proj"] {
            matrix(format!("model.layers.{layer}.self_attn.{part}.weight"), WIDTH, WIDTH, plain);
        }
        for part in ["gate_proj", "up_proj"] {
            matrix(format!("model.layers.{layer}.mlp.{part}.weight"), INNER, WIDTH, plain);
        }
        matrix(
            format!("model.layers.{layer}.mlp.down_proj.weight"),
            WIDTH,
            INNER,
            1.0 / (INNER as f32).sqrt(),
        );
    }
    let mut ones = |name: String| tensors.push((name, vec![WIDTH], vec![1.0; WIDTH]));
    ones("model.norm.weight".to_owned());
    for layer in 0..LAYERS {
        ones(format!("model.layers.{layer}.input_layernorm.weight"));
        ones(format!("model.layers.{layer}.post_attention_layernorm.weight"));
    }
    let tensors: Vec<NewTensor<'_>> = tensors
        .iter()
        .map(|(name, shape, values)| NewTensor { name: name.clone(), shape: shape.clone(), values })
        .collect();
    safetensors(&tensors, &BTreeMap::new())
}
