#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::LoadLimits;
use crate::language::{LanguageModel, LanguageTokens};

/// A small model's folder with other files beside its own.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language/llama");
    let copy = tempfile::tempdir().expect("folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(own.join(file), copy.path().join(file)).expect("copied");
    }
    for (name, text) in files {
        std::fs::write(copy.path().join(name), text).expect("written");
    }
    copy
}

fn load(files: &[(&str, &str)]) -> LanguageModel {
    let folder = folder(files);
    let model = LanguageModel::load(folder.path(), &LoadLimits::STANDARD).expect("a model");
    let tokens = LanguageTokens::read(folder.path(), &LoadLimits::STANDARD).expect("a folder");
    assert_eq!((tokens.digests(), tokens.end_tokens()), (model.tokens().digests(), model.end_tokens()));
    model
}

fn with_generation(json: &str) -> LanguageModel {
    load(&[("generation_config.json", json)])
}

#[test]
fn a_folder_without_a_generation_config_keeps_its_digest() {
    let model = load(&[]);
    assert_eq!(
        model.digest().to_string(),
        "f142b92a3646133867ac1eb76ed074987562dfb4dba1ce21c82d4789979105c8"
    );
    assert_eq!((model.end_tokens(), model.tokens().digests().len()), (&[0][..], 1));
    let other = [("tokenizer_config.json", r#"{"eos_token":"x"}"#), ("README.md", "x")];
    assert_eq!(load(&other).digest(), model.digest());
}

#[test]
fn end_tokens_of_the_generation_config_win_and_are_part_of_the_digest() {
    let first = load(&[]);
    let many = with_generation(r#"{"eos_token_id":[5,3],"temperature":0.6}"#);
    assert_eq!(many.end_tokens(), [5, 3]);
    assert_ne!(many.digest(), first.digest());
    for same in [r#"{"eos_token_id":[3,5,5]}"#, r#"{"repetition_penalty":1.3,"eos_token_id":[3,5]}"#] {
        assert_eq!(with_generation(same).digest(), many.digest());
    }
    let one = with_generation(r#"{"eos_token_id":5}"#);
    assert_eq!(one.end_tokens(), [5]);
    assert_ne!(one.digest(), many.digest());
    for none in ["{}", r#"{"eos_token_id":null}"#] {
        assert_eq!(with_generation(none).end_tokens(), [0], "config.json's");
        assert_eq!(with_generation(none).digest(), with_generation(r#"{"eos_token_id":0}"#).digest());
    }
    let broken = folder(&[("generation_config.json", r#"{"eos_token_id":"</s>"}"#)]);
    let error = LanguageModel::load(broken.path(), &LoadLimits::STANDARD).expect_err("refused");
    assert!(error.to_string().starts_with("generation_config.json is not"), "{error}");
    assert!(error.to_string().contains("eos_token_id is neither"), "{error}");
}

#[test]
fn a_generation_config_that_names_no_end_leaves_the_tokenizers() {
    let said = |generation: &str| {
        load(&[("generation_config.json", generation), ("tokenizer_config.json", r#"{"eos_token":"a"}"#)])
    };
    let model = said(r#"{"temperature":0.6}"#);
    let a = model.encode("a").expect("tokens");
    assert_eq!(model.end_tokens(), &a[a.len() - 1..]);
    assert!(model.tokens().other_end_tokens().contains(&0), "config.json's");
    assert_eq!(said(r#"{"eos_token_id":5}"#).end_tokens(), [5]);
}

#[test]
fn a_model_is_called_by_either_digest_and_ends_alike() {
    let first = load(&[]);
    let model = with_generation(r#"{"eos_token_id":[5,3]}"#);
    assert_eq!(model.tokens().digests(), [model.digest(), first.digest()]);
    let before = model.under(first.digest()).expect("without generation_config.json");
    assert_eq!((before.digest(), before.end_tokens()), (first.digest(), model.end_tokens()));
    assert_eq!(before.under(model.digest()).expect("both are kept").digest(), model.digest());
    assert!(first.under(model.digest()).is_none());
}

#[test]
fn an_answer_may_end_where_some_servers_end() {
    let text = |name: &str| {
        let named = format!(r#"{{"eos_token":{name}}}"#);
        load(&[("generation_config.json", r#"{"eos_token_id":5}"#), ("tokenizer_config.json", &named)])
    };
    let tokenizer =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language/llama/tokenizer.json"));
    let text_of = Text::read(&tokenizer.expect("a file"), 320).expect("a tokenizer");
    let a = text_of.id("a").expect("a token");
    for model in [text("\"a\""), text(r#"{"content":"a","special":true}"#)] {
        assert!(model.tokens().other_end_tokens().contains(&a), "the tokenizer's");
        assert!(model.tokens().other_end_tokens().contains(&0), "config.json's");
        assert_eq!(model.end_tokens(), [5]);
    }
    assert!(!text("null").tokens().other_end_tokens().contains(&a));
}

#[test]
fn an_answer_may_end_at_tokens_that_servers_know_by_name() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language/llama/tokenizer.json");
    let mut tokenizer: serde_json::Value =
        serde_json::from_slice(&std::fs::read(own).expect("a file")).expect("JSON");
    for (id, name) in (320..).zip(["</s>", "<｜end▁of▁sentence｜>", "<|file_sep|>", "<|other|>"]) {
        let token = serde_json::json!({ "id": id, "content": name, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true });
        tokenizer["added_tokens"].as_array_mut().expect("a list").push(token);
    }
    let model = load(&[
        ("generation_config.json", r#"{"eos_token_id":5}"#),
        ("tokenizer.json", &tokenizer.to_string()),
    ]);
    let found = model.tokens().other_end_tokens();
    assert!([320, 321, 322].iter().all(|id| found.contains(id)) && !found.contains(&323), "{found:?}");
}
