use std::path::Path;

use weighhouse_models::LoadLimits;

use super::*;

fn tokenizer() -> LanguageTokens {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama");
    LanguageTokens::read(&folder, &LoadLimits::STANDARD).expect("a folder")
}

/// Spells a text whose tokens have these names, each with a log-probability.
fn spelled(text: &str, names: &[String], finish: Finish) -> Result<TextAnswer, BackendError> {
    let mut spelling = Spelling::new(tokenizer(), &TextRequest::greedy("the model", 8));
    let log_probs = vec![-0.5; names.len()];
    let mut piece =
        TextAnswer { text: text.to_owned(), log_probs, finish: Some(finish), ..TextAnswer::default() };
    let names = names.iter().map(|name| TextBytes(name.clone().into_bytes())).collect();
    spelling.add(&mut piece, &Told { names, ..Told::default() })?;
    Ok(piece)
}

#[test]
fn words_that_the_tokenizer_spells_in_one_way_have_ids() {
    let tokenizer = tokenizer();
    let text = " another model";
    let prompt = tokenizer.encode("the model").expect("encoded");
    let spellings = tokenizer.spellings(&prompt, Some("the model"), text).expect("encoded");
    let ids = spellings[0].clone();
    let names: Vec<String> = ids.iter().map(|id| tokenizer.continuation(&[], &[*id])).collect();
    let piece = spelled(text, &names, Finish::Length).expect("one way");
    assert_eq!((piece.tokens, piece.log_probs.len()), (ids, names.len()));

    let split = [&names[..], &["x".to_owned()]].concat();
    assert!(spelled(text, &split, Finish::Length).is_err(), "another number of tokens");
    let mut other = names;
    other[0] = " others".to_owned();
    assert!(spelled(text, &other, Finish::Length).is_err(), "another word");
}

#[test]
fn log_probabilities_wait_for_their_ids() {
    let mut spelling = Spelling::new(tokenizer(), &TextRequest::greedy("the model", 8));
    let mut piece = TextAnswer { text: " a".into(), log_probs: vec![-0.5], ..TextAnswer::default() };
    spelling.add(&mut piece, &Told::default()).expect("no end yet");
    assert!(piece.log_probs.is_empty() && piece.tokens.is_empty());
}

#[test]
fn text_alone_has_ids_where_its_count_is_the_tokenizers() {
    let tokenizer = tokenizer();
    let text = " another model";
    let count = tokenizer.spellings(&[], None, text).expect("encoded")[0].len();
    let spelled = |completion_tokens, max_tokens: usize, finish| {
        let mut spelling =
            Spelling::new(tokenizer.clone(), &TextRequest::greedy("the model", max_tokens as u32));
        let mut piece = TextAnswer { text: text.to_owned(), finish: Some(finish), ..TextAnswer::default() };
        spelling.add(&mut piece, &Told { completion_tokens, ..Told::default() })?;
        Ok::<_, BackendError>(piece.tokens.len())
    };
    assert_eq!(spelled(Some(count), 99, Finish::Length), Ok(count));
    assert_eq!(spelled(None, count, Finish::Length), Ok(count));
    assert_eq!(spelled(Some(count + 1), 99, Finish::End), Ok(count + 1), "with the end token");
    assert_eq!(spelled(None, 99, Finish::End), Ok(count + 1), "there is one way to spell it");
    for (told, max_tokens, finish) in [
        (Some(count + 1), 99, Finish::Length),
        (None, count + 1, Finish::Length),
        (Some(count), 99, Finish::End),
        (None, count, Finish::End),
    ] {
        assert!(spelled(told, max_tokens, finish).is_err(), "{told:?} {max_tokens} {finish}");
    }
}

#[test]
fn an_end_that_was_cut_within_spaces_is_spelled_as_the_server_counts_it() {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/weights/language");
    let folder = tempfile::tempdir().expect("a folder");
    for (from, to) in [
        ("reference.json", "config.json"),
        ("reference.safetensors", "model.safetensors"),
        ("tokenizer.json", "tokenizer.json"),
    ] {
        std::fs::copy(weights.join(from), folder.path().join(to)).expect("copied");
    }
    let tokenizer = LanguageTokens::read(folder.path(), &LoadLimits::STANDARD).expect("a folder");
    let text = " the\n\n";
    for count in [2, 3] {
        let mut spelling = Spelling::new(tokenizer.clone(), &TextRequest::greedy("fn", 8));
        let mut piece =
            TextAnswer { text: text.into(), finish: Some(Finish::Length), ..TextAnswer::default() };
        spelling
            .add(&mut piece, &Told { completion_tokens: Some(count), ..Told::default() })
            .expect("one way");
        assert_eq!(
            (piece.tokens.len(), tokenizer.continuation(&[], &piece.tokens)),
            (count, text.to_owned())
        );
    }
}
