//! The end of an answer whose server goes on where the model's files end it: a GGUF file has one end token of its own, and
//! llama.cpp reads no `generation_config.json`.

use weighhouse_models::language::LanguageTokens;
use weighhouse_types::text::{Finish, Prompt, TextAnswer};

/// The answer up to the model's first end token.
pub(super) fn cut(mut answer: TextAnswer, tokenizer: &LanguageTokens, prompt: &Prompt) -> TextAnswer {
    let ends = tokenizer.end_tokens();
    let Some(at) = answer.tokens.iter().position(|id| ends.contains(id)) else { return answer };
    if at + 1 == answer.tokens.len() {
        return answer;
    }
    let prompt = match prompt {
        Prompt::Text(text) => tokenizer.encode(text),
        Prompt::Ids(ids) => Ok(ids.clone()),
    };
    // A prompt that the server took and our tokenizer doesn't leaves the answer to its judge.
    let Ok(prompt) = prompt else { return answer };
    answer.text = tokenizer.continuation(&prompt, &answer.tokens[..at]);
    answer.tokens.truncate(at + 1);
    answer.log_probs.truncate(at + 1);
    answer.top.truncate(at + 1);
    answer.finish = Some(Finish::End);
    answer
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use weighhouse_models::LoadLimits;

    use super::*;

    #[test]
    fn an_answer_ends_where_the_models_files_end_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama");
        let tokenizer = LanguageTokens::read(&folder, &LoadLimits::STANDARD).expect("a folder");
        let (prompt, end) = (Prompt::Text("the model".into()), tokenizer.end_tokens()[0]);
        let said = tokenizer.encode(" another model").expect("tokens");
        let text = tokenizer.continuation(&tokenizer.encode("the model").expect("tokens"), &said);
        let answer = |tokens: Vec<u32>| TextAnswer {
            text: "as the server wrote it".into(),
            log_probs: vec![-0.5; tokens.len()],
            tokens,
            finish: Some(Finish::Length),
            ..TextAnswer::default()
        };
        let ended = [&said[..], &[end]].concat();
        let found = cut(answer([&ended[..], &said[..]].concat()), &tokenizer, &prompt);
        assert_eq!((found.text, found.finish), (text, Some(Finish::End)));
        assert_eq!((found.log_probs.len(), found.tokens), (ended.len(), ended.clone()));
        for whole in [said, ended] {
            assert_eq!(cut(answer(whole.clone()), &tokenizer, &prompt), answer(whole));
        }
    }
}
