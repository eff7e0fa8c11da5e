#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::LoadLimits;
use crate::device::{Device, Place};
use crate::sampling::Sampling;
use crate::text::Text;

/// Greatest difference of a logit from that of `transformers`.
const LOGIT_TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    kind: String,
    #[serde(default)]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    tokens: Vec<u32>,
    logits: Vec<Vec<f32>>,
    greedy: Vec<u32>,
}

/// Model folders with `golden.json`: `language` below `WEIGHHOUSE_VECTORS`, and the project's own.
pub(crate) fn golden_folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language");
    let given = std::env::var_os("WEIGHHOUSE_VECTORS").map(|root| Path::new(&root).join("language"));
    let folders = |root: PathBuf| std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let all = given.into_iter().chain([own]).flat_map(folders).map(|entry| entry.path());
    all.filter(|path| path.join("golden.json").exists()).collect()
}

fn cases() -> Vec<(PathBuf, LanguageModel, Vec<Case>)> {
    let read = |folder: PathBuf| {
        let golden = std::fs::read(folder.join("golden.json")).expect("golden.json");
        let golden: Golden = serde_json::from_slice(&golden).expect("golden figures");
        (golden.kind == "language").then(|| {
            let model = LanguageModel::load(&folder, &LoadLimits::STANDARD);
            let model = model.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            (folder, model, golden.cases)
        })
    };
    golden_folders().into_iter().filter_map(read).collect()
}

/// By burn's operations: on the processor, and on each kind of accelerator that this build and machine have.
fn on_burn(folder: &Path) -> Vec<LanguageModel> {
    let found = [Device::Cuda(0), Device::Wgpu(0)].map(Place::find);
    let places = [Place::burn_cpu()].into_iter().chain(found.into_iter().filter_map(Result::ok));
    places
        .map(|place| {
            LanguageModel::load_on(&place, folder, &LoadLimits::STANDARD)
                .unwrap_or_else(|cause| panic!("{}: {cause}", place.name()))
        })
        .collect()
}

fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/language").join(name)
}

fn greedy(max_tokens: u32) -> Generation {
    let sampling = Sampling::new(0.0, 0, 1.0, 0).expect("greedy");
    Generation { max_tokens, sampling, stop: Vec::new(), top_log_probs: 2, ignore_end: true }
}

const LIMITS: DecoderLimits = DecoderLimits { sequences_max: 8, cache_tokens_max: 4_096 };

/// Every sequence's tokens and text, once all are over.
fn run(decoder: &mut Decoder, ids: &[SequenceId]) -> Vec<(Vec<u32>, String, Option<Finish>)> {
    let mut out = vec![(Vec::new(), String::new(), None); ids.len()];
    while !decoder.is_idle() {
        for event in decoder.step().expect("a step") {
            let Some(at) = ids.iter().position(|id| *id == event.sequence) else { continue };
            out[at].0.push(event.token);
            out[at].1.push_str(&event.text);
            out[at].2 = event.finish;
        }
    }
    out
}

#[test]
fn logits_and_greedy_tokens_are_those_of_transformers() {
    let cases = cases();
    assert!(cases.len() >= 7, "{} models", cases.len());
    for (folder, model, cases) in cases {
        for case in cases {
            let at = format!("{}, {:?}", folder.display(), case.text);
            assert_eq!(model.encode(&case.text).expect("tokens"), case.tokens, "{at}");
            let (tokens, kept) = (&case.tokens, case.logits.len());
            // The row that follows the last token is wanted too: one more token, whichever, makes it a prediction.
            let longer = [&tokens[..], &[0]].concat();
            let forced = ForcedSequence { tokens: &longer, from: longer.len() - kept };
            for model in on_burn(&folder).iter().chain([&model]) {
                let logits = model.forced(&[forced]).expect("logits").remove(0);
                assert_eq!(logits.len(), kept * model.vocabulary());
                for (row, expected) in logits.chunks_exact(model.vocabulary()).zip(&case.logits) {
                    for (logit, expected) in row.iter().zip(expected) {
                        let error = (logit - expected).abs();
                        assert!(error <= LOGIT_TOLERANCE, "{at}: {logit} for {expected}");
                    }
                }
                let mut decoder = Decoder::new(model.clone(), LIMITS);
                let id = decoder.join(tokens, greedy(case.greedy.len() as u32)).expect("joined");
                assert_eq!(run(&mut decoder, &[id])[0].0, case.greedy, "{at}");
            }
        }
    }
}

#[test]
fn decoding_gives_what_one_pass_gives_to_the_bit_in_any_company() {
    for (folder, model, cases) in cases() {
        let mut decoder = Decoder::new(model.clone(), LIMITS);
        let prompts = [&cases[0].tokens[..], &cases[0].tokens[..1], &cases[0].tokens[..2]];
        let ids = prompts.map(|prompt| decoder.join(prompt, greedy(40)).expect("joined"));
        let mut texts = prompts.map(<[u32]>::to_vec);
        let mut said = vec![Vec::new(); ids.len()];
        while !decoder.is_idle() {
            for event in decoder.step().expect("a step") {
                let at = ids.iter().position(|id| *id == event.sequence).expect("one of them");
                texts[at].push(event.token);
                said[at].push((event.token, event.log_prob, event.top));
            }
        }
        let forced: Vec<ForcedSequence<'_>> = texts
            .iter()
            .zip(prompts)
            .map(|(tokens, prompt)| ForcedSequence { tokens, from: prompt.len() })
            .collect();
        for (said, logits) in said.iter().zip(model.forced(&forced).expect("logits")) {
            for ((token, log_prob, top), row) in said.iter().zip(logits.chunks_exact(model.vocabulary())) {
                let expected = crate::sampling::log_probs(row, *token, 2);
                assert_eq!((log_prob, top), (&expected.chosen, &expected.top), "{}", folder.display());
            }
        }
    }
}

#[test]
fn sequences_join_and_leave_a_running_batch_and_none_notices() {
    let (folder, model, cases) = cases().remove(0);
    for model in on_burn(&folder).into_iter().chain([model]) {
        joining_and_leaving(model, &cases);
    }
}

fn joining_and_leaving(model: LanguageModel, cases: &[Case]) {
    let alone: Vec<Vec<u32>> = (5..11_u32)
        .map(|length| {
            let mut decoder = Decoder::new(model.clone(), LIMITS);
            let prompt = &cases[0].tokens[..length as usize];
            let id = decoder.join(prompt, greedy(70 + 9 * length)).expect("joined");
            run(&mut decoder, &[id]).remove(0).0
        })
        .collect();
    let mut decoder = Decoder::new(model, LIMITS);
    let (mut ids, mut tokens) = (Vec::new(), vec![Vec::new(); alone.len()]);
    let left = decoder.join(&cases[1].tokens, greedy(100)).expect("joined");
    for length in 5..11_u32 {
        ids.push(decoder.join(&cases[0].tokens[..length as usize], greedy(70 + 9 * length)).expect("joined"));
        for _ in 0..length {
            for event in decoder.step().expect("a step") {
                if let Some(at) = ids.iter().position(|id| *id == event.sequence) {
                    tokens[at].push(event.token);
                }
            }
        }
        if length == 8 {
            decoder.leave(left);
        }
    }
    for (tokens, (more, _, finish)) in tokens.iter_mut().zip(run(&mut decoder, &ids)) {
        tokens.extend(more);
        assert_eq!(finish, Some(Finish::Length));
    }
    assert_eq!(tokens, alone);
}

#[test]
fn packing_changes_no_logit_beyond_rounding() {
    let (_, model, cases) = cases().remove(0);
    let sequences: Vec<&[u32]> = [3, 9, 9, 4].iter().map(|length| &cases[0].tokens[..*length]).collect();
    let forced: Vec<ForcedSequence<'_>> =
        sequences.iter().map(|tokens| ForcedSequence { tokens, from: 1 }).collect();
    let packed = model.forced(&forced).expect("logits");
    for (forced, packed) in forced.iter().zip(packed) {
        let alone = model.forced(&[*forced]).expect("logits").remove(0);
        assert_eq!(alone.len(), packed.len());
        assert!(alone.iter().zip(&packed).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let (_, model, _) = cases().remove(0);
    let mut decoder = Decoder::new(model.clone(), DecoderLimits { sequences_max: 1, cache_tokens_max: 128 });
    let refusal =
        |decoder: &mut Decoder, prompt: &[u32], max_tokens| decoder.join(prompt, greedy(max_tokens));
    assert_eq!(refusal(&mut decoder, &[], 1), Err(SubmitRefusal::Prompt(ForwardError::Empty)));
    assert_eq!(refusal(&mut decoder, &[1], 0), Err(SubmitRefusal::NoTokens));
    let no_token = ForwardError::NoToken { token: 320, vocabulary: 320 };
    assert_eq!(refusal(&mut decoder, &[320], 1), Err(SubmitRefusal::Prompt(no_token)));
    assert!(matches!(refusal(&mut decoder, &[1], u32::MAX), Err(SubmitRefusal::Context { .. })));
    assert!(matches!(refusal(&mut decoder, &[1; 100], 100), Err(SubmitRefusal::Cache { .. })));
    refusal(&mut decoder, &[1], 5).expect("room for one");
    assert_eq!(refusal(&mut decoder, &[1], 5), Err(SubmitRefusal::Busy { sequences: 1 }));
    let wrong = ForcedSequence { tokens: &[1, 2], from: 0 };
    assert_eq!(model.forced(&[wrong]), Err(ForwardError::Range { from: 0, tokens: 2 }));
}

#[test]
fn a_text_ends_before_a_stop_string_however_it_is_cut_into_tokens() {
    let (_, model, cases) = cases().remove(0);
    let mut decoder = Decoder::new(model, LIMITS);
    let whole = decoder.join(&cases[0].tokens, greedy(60)).expect("joined");
    let (_, text, _) = run(&mut decoder, &[whole]).remove(0);
    let characters: Vec<char> = text.chars().collect();
    for at in [4, 11, 17] {
        let stop: String = characters[at..at + 3].iter().collect();
        let what = Generation { stop: vec![stop.clone(), "\u{1}never".into()], ..greedy(60) };
        let id = decoder.join(&cases[0].tokens, what).expect("joined");
        let (_, cut, finish) = run(&mut decoder, &[id]).remove(0);
        assert_eq!(finish, Some(Finish::Stop));
        assert_eq!(cut, text[..text.find(&stop).expect("it is in there")]);
    }
}

/// A copy of a test model with one of its files changed.
fn changed(name: &str, file: &str, change: impl FnOnce(&Path)) -> LanguageError {
    let copy = tempfile::tempdir().expect("folder");
    for entry in std::fs::read_dir(own(name)).expect("model") {
        let path = entry.expect("entry").path();
        std::fs::copy(&path, copy.path().join(path.file_name().expect("name"))).expect("copied");
    }
    change(&copy.path().join(file));
    LanguageModel::load(copy.path(), &LoadLimits::STANDARD).expect_err("refused")
}

#[test]
fn a_folder_that_is_not_whole_is_refused_and_the_file_named() {
    let remove = |path: &Path| std::fs::remove_file(path).expect("removed");
    let shard = "model-00002-of-00003.safetensors";
    let said = |error: LanguageError| error.to_string();
    assert!(said(changed("llama-sharded-f16", shard, remove)).contains(shard));
    assert!(said(changed("llama-sharded-f16", shard, remove)).contains("download complete"));
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).expect("shard");
        std::fs::write(path, &bytes[..bytes.len() / 2]).expect("cut");
    };
    assert!(said(changed("llama-sharded-f16", shard, cut)).contains(shard));
    assert!(said(changed("llama", "config.json", remove)).contains("config.json"));
    assert!(said(changed("llama", "tokenizer.json", cut)).starts_with("tokenizer.json"));
    let rename = |path: &Path| {
        std::fs::rename(path, path.with_file_name("pytorch_model.bin")).expect("renamed");
    };
    assert!(said(changed("llama", "model.safetensors", rename)).contains("pytorch_model.bin is a pickle"));
}

#[test]
fn a_configuration_that_does_not_fit_the_weights_is_refused() {
    let edit = |key: &str, value: serde_json::Value| {
        let error = changed("llama", "config.json", |path| {
            let mut config: serde_json::Value =
                serde_json::from_slice(&std::fs::read(path).expect("config")).expect("JSON");
            config[key] = value;
            std::fs::write(path, config.to_string()).expect("written");
        });
        error.to_string()
    };
    assert!(edit("num_hidden_layers", 3.into()).contains("lack tensor \"model.layers.2"));
    assert!(edit("num_hidden_layers", 1.into()).contains("have a tensor \"model.layers.1"));
    assert!(edit("intermediate_size", 65_536.into()).contains("has shape"));
    assert!(edit("vocab_size", 300.into()).contains("the tokenizer has 320 tokens, the embedding 300"));
    assert!(edit("vocab_size", 1_000_000.into()).contains("has shape"));
    assert!(edit("hidden_size", 0.into()).contains("hidden_size"));
    assert!(edit("model_type", "mamba".into()).contains("mamba"));
    assert!(edit("hidden_act", "gelu".into()).contains("hidden_act"));
    assert!(edit("num_key_value_heads", 3.into()).contains("share"));
}

proptest! {
    #[test]
    fn no_bytes_of_a_configuration_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Shape::parse(&bytes);
    }

    #[test]
    fn text_in_pieces_is_the_text_as_a_whole(text in "[ -~é数\n]{1,60}", stop in "[a-e ]{1,2}") {
        let json = std::fs::read(own("llama").join("tokenizer.json")).expect("tokenizer");
        let tokenizer = Text::read(&json, 320).expect("tokenizer");
        let tokens = tokenizer.encode(&text).expect("tokens");
        let whole = tokenizer.decode(&tokens);
        let mut pieces = pieces::Pieces::new(tokenizer, &[], vec![stop.clone()]);
        let (mut given, mut stopped) = (String::new(), false);
        for token in tokens {
            let piece = pieces.push(token);
            given.push_str(&piece.text);
            stopped = piece.stopped;
            if stopped {
                break;
            }
        }
        if !stopped {
            given.push_str(&pieces.finish());
        }
        let end = whole.find(&stop).unwrap_or(whole.len());
        prop_assert_eq!(stopped, end < whole.len());
        prop_assert_eq!(given, &whole[..end]);
    }
}

#[test]
fn fewer_bits_are_further_from_the_model() {
    let (_, model, cases) =
        cases().into_iter().find(|(folder, ..)| folder.ends_with("llama")).expect("llama");
    let forced = [ForcedSequence { tokens: &cases[0].tokens, from: 1 }];
    let logits = model.forced(&forced).expect("logits").remove(0);
    let distance = |precision| {
        let rounded = model.at(precision).expect("rounded").forced(&forced).expect("logits").remove(0);
        logits.iter().zip(&rounded).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>()
    };
    use crate::precision::Precision::{Bfloat16, Half, Int4, Int8};
    let [half, bfloat, int8, int4] = [Half, Bfloat16, Int8, Int4].map(distance);
    assert!(0.0 < half && half < bfloat && bfloat < int8 && int8 < int4, "{half} {bfloat} {int8} {int4}");
}
