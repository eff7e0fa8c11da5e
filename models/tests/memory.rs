//! Memory that a model takes, in a process of its own: Linux tells a process how much it had at most.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "a test's folder need not survive a crash")]

use std::collections::BTreeMap;
use std::path::Path;

use weighhouse_models::LoadLimits;
use weighhouse_models::language::{Decoder, DecoderLimits, Generation, LanguageModel};
use weighhouse_models::safetensors::{Datatype, NewTensor, write_as};
use weighhouse_models::sampling::Sampling;

const VOCABULARY: usize = 16_384;
const WIDTH: usize = 512;
const INNER: usize = 1_376;
const LAYERS: usize = 8;
/// Beside the weights: the cache of keys and values, and what a pass holds at a time.
const RATIO: f64 = 1.2;

/// Writes a Llama of 42 M parameters; how many numbers that is.
fn write(dir: &Path, datatype: Datatype, tied: bool) -> usize {
    let config = serde_json::json!({
        "model_type": "llama", "hidden_act": "silu", "vocab_size": VOCABULARY, "hidden_size": WIDTH,
        "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 8,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": tied,
    });
    std::fs::write(dir.join("config.json"), config.to_string()).expect("written");
    let words: BTreeMap<String, usize> = (0..VOCABULARY).map(|id| (format!("w{id}"), id)).collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "pre_tokenizer": { "type": "WhitespaceSplit" },
        "model": { "type": "WordLevel", "vocab": words, "unk_token": "w0" },
    });
    std::fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).expect("written");
    let mut shapes = vec![("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, WIDTH])];
    if !tied {
        shapes.push(("lm_head.weight".to_owned(), vec![VOCABULARY, WIDTH]));
    }
    shapes.push(("model.norm.weight".to_owned(), vec![WIDTH]));
    for layer in 0..LAYERS {
        let mut add = |name: &str, shape: &[usize]| {
            shapes.push((format!("model.layers.{layer}.{name}.weight"), shape.to_vec()));
        };
        for part in ["q_proj", "k_proj", "v_proj", "o_proj"] {
            add(&format!("self_attn.{part}"), &[WIDTH, WIDTH]);
        }
        add("mlp.gate_proj", &[INNER, WIDTH]);
        add("mlp.up_proj", &[INNER, WIDTH]);
        add("mlp.down_proj", &[WIDTH, INNER]);
        add("input_layernorm", &[WIDTH]);
        add("post_attention_layernorm", &[WIDTH]);
    }
    // One memory serves every tensor.
    let numbers: Vec<f32> = (0..VOCABULARY * WIDTH).map(|at| ((at % 61) as f32 - 30.0) / 600.0).collect();
    let tensors: Vec<NewTensor<'_>> = shapes
        .iter()
        .map(|(name, shape)| {
            let values = &numbers[..shape.iter().product()];
            NewTensor { name: name.clone(), shape: shape.clone(), values }
        })
        .collect();
    let file = write_as(&tensors, &BTreeMap::new(), datatype);
    std::fs::write(dir.join("model.safetensors"), file).expect("written");
    shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("the line");
    let kibibytes: usize =
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    kibibytes * 1024
}

#[test]
fn loading_and_decoding_take_at_most_a_fifth_more_than_the_weights() {
    // bfloat16 weights are `f32` in memory: that is what counts as the weights.
    let cases = [(Datatype::F32, false), (Datatype::Bf16, false), (Datatype::F32, true)];
    for (at, (datatype, tied)) in cases.into_iter().enumerate() {
        let dir = tempfile::tempdir().expect("a folder");
        let weights = 4 * write(dir.path(), datatype, tied);
        std::fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
        let before = status("VmRSS:");
        let model = LanguageModel::load(dir.path(), &LoadLimits::STANDARD).expect("a model");
        let mut decoder = Decoder::new(model, DecoderLimits { sequences_max: 4, cache_tokens_max: 1_024 });
        for first in 0..4 {
            let generation = Generation {
                max_tokens: 16,
                sampling: Sampling::GREEDY,
                stop: Vec::new(),
                top_log_probs: 0,
                ignore_end: true,
            };
            let prompt: Vec<u32> = (first..first + 100).collect();
            decoder.join(&prompt, generation).expect("joined");
        }
        while !decoder.is_idle() {
            decoder.step().expect("a step");
        }
        let ratio = (status("VmHWM:") - before) as f64 / weights as f64;
        assert!(ratio <= RATIO, "{datatype:?}, tied {tied}: {ratio:.3} of the weights");
        // What the allocator kept of the cases before makes the later figures smaller.
        assert!(ratio > 0.9 || at > 0, "{datatype:?}: {ratio:.3} of the weights can't be all of it");
    }
}
