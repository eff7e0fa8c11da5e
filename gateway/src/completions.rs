//! `/v1/completions`: a prompt, continued.

use serde_json::{Value, json};
use weighhouse_types::text::{Prompt, TextAnswer, TextRequest};

use crate::error::ApiError;
use crate::fields::Fields;
use crate::limits::COMPLETION_TOKENS;
use crate::logprobs;
use crate::reply::{Choice, Form};
use crate::sampling::{LogProbs, Sampling};
use crate::server::Gateway;

pub(crate) fn read(fields: &mut Fields, gateway: &Gateway) -> Result<TextRequest, ApiError> {
    let prompt = read_prompt(&fields.required("prompt")?)?;
    let log_probs = match fields.count("logprobs")? {
        None => LogProbs::default(),
        Some(top) => LogProbs { chosen: true, top: u8::try_from(top).unwrap_or(u8::MAX) },
    };
    let sampling = Sampling::read(fields, COMPLETION_TOKENS)?;
    sampling.request(prompt, log_probs, gateway.limits.body_bytes_max, &gateway.entropy)
}

/// A text, a list of tokens, or a list with one of them.
fn read_prompt(value: &Value) -> Result<Prompt, ApiError> {
    let wrong = || {
        ApiError::param(
            "prompt",
            "`prompt` must be one text or one list of tokens; several are asked one by one",
        )
    };
    let tokens = |list: &[Value]| {
        let ids: Option<Vec<u32>> = list.iter().map(|id| u32::try_from(id.as_u64()?).ok()).collect();
        ids.filter(|ids| !ids.is_empty()).map(Prompt::Ids).ok_or_else(wrong)
    };
    match value {
        Value::String(text) => Ok(Prompt::Text(text.clone())),
        Value::Array(list) => match list.as_slice() {
            [Value::String(text)] => Ok(Prompt::Text(text.clone())),
            [Value::Array(ids)] => tokens(ids),
            ids => tokens(ids),
        },
        _ => Err(wrong()),
    }
}

/// The form of completions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completions;

impl Form for Completions {
    const ID: &'static str = "cmpl";
    const WHOLE: &'static str = "text_completion";
    const PIECE: &'static str = "text_completion";

    fn whole(&self, answer: &TextAnswer, finish: &'static str) -> Choice {
        json!({"index": 0, "text": answer.text, "logprobs": logprobs::of_completion(answer), "finish_reason": finish})
    }

    fn first(&self) -> Option<Choice> {
        None
    }

    fn piece(&self, piece: &TextAnswer) -> Choice {
        json!({"index": 0, "text": piece.text, "logprobs": logprobs::of_completion(piece), "finish_reason": null})
    }

    fn last(&self, finish: &'static str) -> Choice {
        json!({"index": 0, "text": "", "logprobs": null, "finish_reason": finish})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_one_text_or_one_list_of_tokens() {
        let read = |value: Value| read_prompt(&value).map_err(|error| error.param);
        for text in [json!("hi"), json!(["hi"])] {
            assert_eq!(read(text), Ok(Prompt::Text("hi".into())));
        }
        for ids in [json!([1, 2]), json!([[1, 2]])] {
            assert_eq!(read(ids), Ok(Prompt::Ids(vec![1, 2])));
        }
        for wrong in [json!(["a", "b"]), json!([]), json!([[1], [2]]), json!([1, "a"]), json!(1), json!([-1])]
        {
            assert_eq!(read(wrong.clone()), Err(Some("prompt".into())), "{wrong}");
        }
    }
}
