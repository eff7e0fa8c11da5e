//! Log-probabilities as OpenAI writes them. A miner tells tokens by their ids, so that is what stands for their texts.

use serde_json::{Map, Value, json};
use weighhouse_types::text::TextAnswer;

/// vLLM's way to name a token by its id.
fn name(token: u32) -> String {
    format!("token_id:{token}")
}

/// JSON has no infinity; OpenAI's own value for a token that is as good as impossible.
const IMPOSSIBLE: f32 = -9999.0;

fn number(value: f32) -> f32 {
    if value.is_finite() { value } else { IMPOSSIBLE }
}

/// The object of completions; null where the miner gave none.
pub(crate) fn of_completion(answer: &TextAnswer) -> Value {
    if answer.log_probs.is_empty() || answer.tokens.is_empty() {
        return Value::Null;
    }
    let tokens: Vec<String> = answer.tokens.iter().map(|token| name(*token)).collect();
    let values: Vec<f32> = answer.log_probs.iter().map(|value| number(*value)).collect();
    let row = |row: &Vec<(u32, f32)>| -> Map<String, Value> {
        row.iter().map(|(token, value)| (name(*token), json!(number(*value)))).collect()
    };
    let top: Vec<Map<String, Value>> = answer.top.iter().map(row).collect();
    json!({
        "tokens": tokens,
        "token_logprobs": values,
        "top_logprobs": if top.is_empty() { Value::Null } else { json!(top) },
    })
}

/// The object of chats; null where the miner gave none.
pub(crate) fn of_chat(answer: &TextAnswer) -> Value {
    if answer.log_probs.is_empty() || answer.tokens.is_empty() {
        return Value::Null;
    }
    let entry =
        |token: u32, value: f32| json!({"token": name(token), "logprob": number(value), "bytes": null});
    let content: Vec<Value> = answer
        .tokens
        .iter()
        .zip(&answer.log_probs)
        .enumerate()
        .map(|(at, (token, value))| {
            let top = answer.top.get(at).into_iter().flatten();
            let mut entry_of = entry(*token, *value);
            entry_of["top_logprobs"] = top.map(|(token, value)| entry(*token, *value)).collect();
            entry_of
        })
        .collect();
    json!({"content": content, "refusal": null})
}
