use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A tokenizer as Llama 2's or Mistral's: a space is `▁`, put before the first word too, and what isn't in the
/// vocabulary becomes bytes.
fn sentencepiece(metaspace: bool) -> Text {
    let special = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true })
    };
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let words = ["▁", "h", "i", "a", "b", "▁h", "▁hi", "hi", "▁▁"].map(str::to_owned);
    let all = ["<unk>", "<s>", "</s>"].map(str::to_owned).into_iter().chain(bytes).chain(words);
    let vocab: serde_json::Map<String, Value> =
        all.zip(0_u32..).map(|(word, id)| (word, id.into())).collect();
    let merges = json!([["▁", "h"], ["▁h", "i"], ["h", "i"], ["▁", "▁"]]);
    let space = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false });
    let (normalizer, pre_tokenizer, decoder) = if metaspace {
        let decoders = json!([{ "type": "ByteFallback" }, space]);
        (Value::Null, space.clone(), json!({ "type": "Sequence", "decoders": decoders }))
    } else {
        let normalizers = json!([{ "type": "Prepend", "prepend": "▁" },
            { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }]);
        let decoders = json!([{ "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
            { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 }]);
        let of = |list: &str, items: Value| json!({ "type": "Sequence", list: items });
        (of("normalizers", normalizers), Value::Null, of("decoders", decoders))
    };
    let begin = json!([{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
    let file = json!({ "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "decoder": decoder,
        "post_processor": { "type": "TemplateProcessing", "single": begin, "pair": begin,
            "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } },
        "model": { "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
            "vocab": vocab, "merges": merges } });
    Text::read(file.to_string().as_bytes(), 512).expect("a tokenizer")
}

fn token(text: &Text, content: &str) -> u32 {
    text.id(content).expect("in the vocabulary")
}

#[test]
fn a_completion_keeps_the_space_before_its_first_word() {
    for text in [false, true].map(sentencepiece) {
        let (word, end) = (token(&text, "▁hi"), token(&text, "</s>"));
        let prompt = text.encode("hi").expect("tokens");
        assert_eq!(prompt, [1, word]);
        assert_eq!(text.decode(&[word]), "hi", "alone it is lost");
        assert_eq!(text.continuation(&prompt, &[word, word]), " hi hi");
        assert_eq!(text.continuation(&prompt, &[end; 40]), "");
        let (mut special, mut expected) = (vec![end; 40], " hi".to_owned());
        special.push(word);
        assert_eq!(text.continuation(&prompt, &special), expected, "special tokens are passed over");
        special.extend([end; 9]);
        special.push(word);
        expected.push_str(" hi");
        assert_eq!(text.continuation(&prompt, &special), expected);
        let long: Vec<u32> = prompt.iter().copied().chain([end; 20]).collect();
        assert_eq!(text.continuation(&long, &[word]), " hi", "so are those that a prompt ends with");
        assert_eq!(text.continuation(&[1], &[word]), "hi", "nothing is before it");
    }
}

#[test]
fn characters_in_bytes_are_whole_or_replaced() {
    for text in [false, true].map(sentencepiece) {
        let byte = |byte: u8| token(&text, &format!("<0x{byte:02X}>"));
        let prompt = text.encode("a").expect("tokens");
        let said =
            |bytes: &[u8]| text.continuation(&prompt, &bytes.iter().map(|at| byte(*at)).collect::<Vec<_>>());
        assert_eq!(said("éé".as_bytes()), "éé");
        assert_eq!(
            said(&"数数".as_bytes()[..5]).trim_end_matches('\u{fffd}'),
            "数",
            "cut within a character"
        );
        assert_eq!(said(&[0xff; 20]), "\u{fffd}".repeat(20));
        let within = [&prompt[..], &[byte(0xc3)]].concat();
        assert_eq!(text.continuation(&within, &[byte(0xa9), token(&text, "▁hi")]), "é hi");
    }
}

#[test]
fn a_disagreement_on_the_first_token_is_told() {
    let text = sentencepiece(true);
    let said = |json: &str| text.disagreement(&serde_json::from_str(json).unwrap_or_default());
    assert_eq!(said(r#"{"bos_token":"<s>","add_bos_token":true}"#), None);
    assert!(
        said(r#"{"bos_token":{"content":"<s>"},"add_bos_token":false}"#)
            .is_some_and(|why| why.contains("false"))
    );
    assert_eq!(said(r#"{"eos_token":"</s>","add_eos_token":false}"#), None);
    assert!(
        said(r#"{"eos_token":"</s>","add_eos_token":true}"#)
            .is_some_and(|why| why.contains("add_eos_token = true"))
    );
    for unsaid in ["{}", "x", r#"{"bos_token":"<s>"}"#, r#"{"add_bos_token":false,"bos_token":null}"#] {
        assert_eq!(said(unsaid), None);
    }
}

#[test]
fn special_tokens_of_the_tokenizer_config_have_no_text() {
    let text = sentencepiece(false);
    let (a, b, word) = (token(&text, "a"), token(&text, "b"), token(&text, "▁hi"));
    let json = r#"{"eos_token":"a","additional_special_tokens":[{"content":"b"}],"pad_token":null}"#;
    let special = text.clone().with_special(&serde_json::from_str(json).expect("JSON"));
    assert_eq!(text.continuation(&[word], &[a, word, b]), "a hib");
    assert_eq!(special.continuation(&[word], &[a, word, b]), " hi");
    let named = r#"{"extra_special_tokens":{"image_token":"a"},
        "added_tokens_decoder":{"7":{"content":"b","special":true},"8":{"content":"▁hi","special":false}}}"#;
    let special = text.clone().with_special(&serde_json::from_str(named).expect("JSON"));
    assert_eq!(special.continuation(&[word], &[a, word, b]), " hi");
}

/// Byte-pair words of another kind of decoder each.
fn words(decoder: &Value) -> Text {
    let words = ["a", "##b", "▁c", "d</w>", "Ġe", "'", ",", "▁", "é"];
    let vocab: serde_json::Map<String, Value> =
        words.iter().zip(0_u32..).map(|(word, id)| ((*word).to_owned(), id.into())).collect();
    let file = json!({ "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": decoder,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "a" } });
    Text::read(file.to_string().as_bytes(), 9).expect("a tokenizer")
}

fn decoders() -> Vec<Value> {
    let metaspace = |scheme: &str| json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true });
    vec![
        Value::Null,
        json!({ "type": "Fuse" }),
        json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        json!({ "type": "BPEDecoder", "suffix": "</w>" }),
        json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }),
        metaspace("always"),
        metaspace("first"),
        metaspace("never"),
    ]
}

proptest! {
    #[test]
    fn every_decoder_continues_its_prompt(tokens in proptest::collection::vec(0..9_u32, 0..40), at in 0..40_usize) {
        for decoder in decoders() {
            let text = words(&decoder);
            let (prompt, rest) = tokens.split_at(at.min(tokens.len()));
            let whole = text.decode(prompt) + &text.continuation(prompt, rest);
            prop_assert_eq!(whole, text.decode(&tokens), "{}", decoder);
        }
    }

    #[test]
    fn a_prompt_and_its_continuation_are_the_whole_text(
        text in "[hiab é数🦀\n]{0,40}", at in 0..60_usize, metaspace: bool,
    ) {
        let tokenizer = sentencepiece(metaspace);
        let tokens = tokenizer.encode(&text).expect("tokens");
        let whole = tokenizer.decode(&tokens);
        let (prompt, rest) = tokens.split_at(at.min(tokens.len()));
        let continued = tokenizer.continuation(prompt, rest);
        let before = tokenizer.decode(prompt);
        if before.ends_with(char::REPLACEMENT_CHARACTER) {
            prop_assert!(whole.ends_with(&continued), "{}: {}", whole, continued);
        } else {
            prop_assert_eq!(before + &continued, whole);
        }
    }

    #[test]
    fn any_tokens_have_a_text(tokens in proptest::collection::vec(0..300_u32, 0..60), at in 0..60_usize) {
        for tokenizer in [false, true].map(sentencepiece) {
            let (prompt, rest) = tokens.split_at(at.min(tokens.len()));
            tokenizer.continuation(prompt, rest);
        }
    }
}
