#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use std::path::Path;

use tempfile::TempDir;

use crate::LoadLimits;
use crate::encoder::Embedder;
use crate::language::LanguageModel;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4976698672\n";

fn own(name: &str) -> TempDir {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language").join(name);
    let copy = tempfile::tempdir().expect("folder");
    for entry in std::fs::read_dir(own).expect("model") {
        let path = entry.expect("entry").path();
        std::fs::copy(&path, copy.path().join(path.file_name().expect("name"))).expect("copied");
    }
    copy
}

/// What is said of a model's folder without some files and with others.
fn said(lacks: &[&str], has: &[(&str, &str)]) -> String {
    let folder = own("llama");
    for name in lacks {
        std::fs::remove_file(folder.path().join(name)).expect("removed");
    }
    for (name, text) in has {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    LanguageModel::load(folder.path(), &LoadLimits::STANDARD).expect_err("refused").to_string()
}

fn assert_said(lacks: &[&str], has: &[(&str, &str)], words: &[&str]) {
    let said = said(lacks, has);
    assert!(words.iter().all(|word| said.contains(word)) && !said.contains('\n'), "{words:?}: {said}");
}

#[test]
fn a_file_that_stands_for_another_is_told() {
    for file in ["config.json", "tokenizer.json", "model.safetensors", "generation_config.json"] {
        assert_said(&[], &[(file, POINTER)], &[file, "Git LFS pointer", "git lfs pull"]);
        assert_said(&[], &[(file, "<!DOCTYPE html><html>")], &[file, "web page"]);
        assert_said(&[], &[(file, "")], &[file, "is empty"]);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_told_and_is_no_absent_file() {
    for file in ["config.json", "tokenizer.json", "model.safetensors", "generation_config.json"] {
        let folder = own("llama");
        let path = folder.path().join(file);
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink("../.git/annex/objects/absent", &path).expect("a link");
        let said = LanguageModel::load(folder.path(), &LoadLimits::STANDARD).expect_err(file).to_string();
        assert!(said.contains(file) && said.contains("a link to a file that isn't there"), "{said}");
    }
    let annexed = "/annex/objects/SHA256E-s4976698672--0123.safetensors\n";
    assert_said(&[], &[("model.safetensors", annexed)], &["git-annex pointer", "git annex get"]);
}

#[test]
fn other_forms_of_a_model_are_told_by_their_files() {
    let (config, tokenizer, weights) = ("config.json", "tokenizer.json", "model.safetensors");
    let adapter = ("adapter_config.json", r#"{"base_model_name_or_path":"org/base"}"#);
    assert_said(
        &[config, weights],
        &[adapter, ("adapter_model.safetensors", "x")],
        &["adapter", "org/base", "merge"],
    );
    assert_said(&[tokenizer], &[("tokenizer.model", "x")], &["tokenizer.model", "save_pretrained"]);
    assert_said(
        &[tokenizer],
        &[("vocab.json", "{}"), ("merges.txt", "x")],
        &["vocab.json", "save_pretrained"],
    );
    assert_said(&[tokenizer], &[], &["tokenizer.json is missing"]);
    assert_said(
        &[config, tokenizer, weights],
        &[("m.Q4_K_M.gguf", "x")],
        &["m.Q4_K_M.gguf", "GGUF", "safetensors"],
    );
    assert_said(&[weights], &[("pytorch_model.bin", "x")], &["pytorch_model.bin is a pickle"]);
    assert_said(&[weights], &[("model.onnx", "x")], &["ONNX"]);
    assert_said(&[weights], &[("tf_model.h5", "x")], &["TensorFlow"]);
    assert_said(&[weights], &[("model.safetensors.incomplete", "x")], &["isn't finished"]);
    assert_said(&[weights], &[("model-00001-of-00002.safetensors", "x")], &["index.json", "missing"]);
    assert_said(&[weights], &[("weights.safetensors", "x")], &["weights.safetensors", "rename"]);
    assert_said(&[config], &[("params.json", "{}")], &["params.json", "transformers"]);
    assert_said(&[config], &[], &["config.json is missing"]);
    let index =
        r#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#;
    assert_said(&[weights], &[("model.safetensors.index.json", index)], &["2 of 2 shards are missing"]);
}

#[test]
fn a_path_that_is_no_folder_of_a_model_is_told() {
    let load =
        |path: &Path| LanguageModel::load(path, &LoadLimits::STANDARD).expect_err("refused").to_string();
    let folder = own("llama");
    assert!(load(&folder.path().join("model.safetensors")).contains("is a file: name the folder"));
    assert!(load(&folder.path().join("absent")).contains("is no folder"));
    let cache = tempfile::tempdir().expect("folder");
    for name in ["snapshots", "refs", "blobs"] {
        std::fs::create_dir(cache.path().join(name)).expect("made");
    }
    assert!(load(cache.path()).contains("hub's cache"));
}

/// `config.json` with keys changed; null takes one away.
fn edited(folder: &Path, edits: &[(&str, serde_json::Value)]) {
    let path = folder.join("config.json");
    let mut config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("config")).expect("JSON");
    for (key, value) in edits {
        config[*key] = value.clone();
    }
    std::fs::write(path, config.to_string()).expect("written");
}

fn with_config(edits: &[(&str, serde_json::Value)]) -> Result<LanguageModel, String> {
    let folder = own("llama");
    edited(folder.path(), edits);
    LanguageModel::load(folder.path(), &LoadLimits::STANDARD).map_err(|error| error.to_string())
}

#[test]
fn what_cannot_be_served_is_named() {
    let refused = |key: &str, value: serde_json::Value| with_config(&[(key, value)]).expect_err("refused");
    for (value, method) in [
        (serde_json::json!({ "quant_method": "gptq", "bits": 4 }), "gptq"),
        (serde_json::json!({ "quant_method": "fp8" }), "fp8"),
        (serde_json::json!({ "load_in_4bit": true, "quant_method": "bitsandbytes" }), "bitsandbytes"),
    ] {
        let said = refused("quantization_config", value);
        assert!(said.contains("quantised") && said.contains(method), "{said}");
    }
    assert!(refused("quantization", serde_json::json!({ "group_size": 64, "bits": 4 })).contains("(4)"));
    assert!(refused("tie_word_embeddings", false.into()).contains("set tie_word_embeddings = true"));
    assert!(
        refused("architectures", serde_json::json!(["LlamaForSequenceClassification"]))
            .contains("ForCausalLM")
    );
    assert!(refused("model_type", "gemma2".into()).contains("only llama, mistral and qwen2"));
    assert!(refused("partial_rotary_factor", 0.5.into()).contains("partial_rotary_factor = 0.5"));
    let by_layer = serde_json::json!({ "full_attention": { "rope_type": "default", "rope_theta": 1e4 } });
    assert!(refused("rope_parameters", by_layer).contains("rope_scaling: one for each"));
    assert!(refused("rope_scaling", "linear".into()).contains("no object"));
}

#[test]
fn what_other_programs_take_is_taken() {
    let logits = |model: &LanguageModel| {
        let sequence = crate::language::ForcedSequence { tokens: &[5, 9, 200, 7, 11], from: 1 };
        model.forced(&[sequence]).expect("logits").remove(0)
    };
    let (null, as_is) = (serde_json::Value::Null, with_config(&[]).expect("a model"));
    let same = [
        vec![("model_type", "mistral".into()), ("sliding_window", null.clone())],
        vec![
            ("attention_bias", null.clone()),
            ("mlp_bias", null.clone()),
            ("quantization_config", null.clone()),
        ],
        vec![
            ("rope_scaling", serde_json::json!({})),
            ("architectures", null.clone()),
            ("head_dim", null.clone()),
        ],
        vec![("rope_scaling", serde_json::json!({ "type": "default", "rope_type": null }))],
        vec![("eos_token_id", (-1).into()), ("dtype", "float32".into()), ("hidden_act", null)],
    ];
    for edits in &same {
        assert_eq!(logits(&with_config(edits).expect("served")), logits(&as_is), "{edits:?}");
    }
    let renamed = own("llama");
    let weights = renamed.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).expect("weights");
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).expect("a header");
    let header = header.replace("model.embed_tokens.weight", "lm_head.weight");
    let written = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat();
    std::fs::write(weights, written).expect("written");
    let model =
        LanguageModel::load(renamed.path(), &LoadLimits::STANDARD).expect("tied under the head's name");
    assert_eq!(logits(&model), logits(&as_is));
    let windowed = [("model_type", "mistral".into()), ("sliding_window", 16.into())];
    assert_eq!(with_config(&windowed).expect("served").context(), 16, "within a window attention is whole");
}

#[test]
fn a_tokenizer_may_have_added_tokens_that_the_embedding_lacks() {
    let folder = own("llama");
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("tokenizer")).expect("JSON");
    let padding = serde_json::json!({ "id": 320, "content": "<pad>", "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false, "special": true });
    tokenizer["added_tokens"].as_array_mut().expect("a list").push(padding);
    std::fs::write(path, tokenizer.to_string()).expect("written");
    let model = LanguageModel::load(folder.path(), &LoadLimits::STANDARD).expect("served");
    assert_eq!(model.vocabulary(), 320);
    assert!(!model.encode("the model").expect("tokens").is_empty());
    assert_eq!(model.encode("a <pad>").expect_err("no row").to_string(), "320 is no token of the model");
}

#[test]
fn pooling_without_the_file_that_says_so_is_refused() {
    let folder = own("bert");
    let load = || Embedder::load(folder.path(), &LoadLimits::STANDARD);
    let _ = std::fs::remove_file(folder.path().join("modules.json"));
    assert!(load().is_ok(), "the mean over tokens");
    std::fs::create_dir(folder.path().join("1_Pooling")).expect("made");
    let error = load().expect_err("refused").to_string();
    assert!(error.contains("modules.json") && error.contains("1_Pooling"), "{error}");
    let pooling = r#"[{"path":"","type":"sentence_transformers.models.Transformer"},
        {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}]"#;
    std::fs::write(folder.path().join("modules.json"), pooling).expect("written");
    assert!(load().expect_err("refused").to_string().contains("the pooling's config.json: is missing"));
    let said = |config: &str| {
        std::fs::write(folder.path().join("1_Pooling/config.json"), config).expect("written");
        load().map_err(|error| error.to_string())
    };
    for served in [
        r#"{"pooling_mode_mean_tokens":true}"#,
        r#"{"pooling_mode_cls_token":true}"#,
        r#"{"pooling_mode":"cls"}"#,
    ] {
        assert!(said(served).is_ok(), "{served}");
    }
    let both = r#"{"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true}"#;
    for refused in [both, "{}", r#"{"pooling_mode_max_tokens":true}"#, r#"{"pooling_mode":"lasttoken"}"#] {
        assert!(said(refused).expect_err(refused).contains("only the mean"), "{refused}");
    }
}
