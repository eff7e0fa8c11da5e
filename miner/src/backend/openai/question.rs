//! Requests as a server gets them.

use serde_json::{Map, Value, json};
use weighhouse_types::text::{Prompt, TextRequest};

use super::neutral;

/// A completion's request body.
pub(super) fn question(model: &str, request: &TextRequest) -> Value {
    let prompt = match &request.prompt {
        Prompt::Text(text) => json!(text),
        Prompt::Ids(ids) => json!(ids),
    };
    let mut question = Map::new();
    let mut set = |name: &str, value| question.insert(name.to_owned(), value);
    set("model", json!(model));
    set("prompt", prompt);
    set("max_tokens", json!(request.max_tokens));
    // Greedy is the only sampler that a server's own randomness can't change.
    set("temperature", json!(0));
    set("stream", json!(true));
    // vLLM counts the prompt's tokens in every chunk then; others pass over it.
    set("stream_options", json!({ "include_usage": true, "continuous_usage_stats": true }));
    if !request.stop.is_empty() {
        set("stop", json!(request.stop));
    }
    if request.ignore_end {
        set("ignore_eos", json!(true));
    }
    if request.log_probs || request.top_log_probs > 0 {
        // One at least: vLLM gives the chosen token's own log-probability for 0, llama.cpp none at all.
        set("logprobs", json!(request.top_log_probs.max(1)));
        // vLLM names tokens by their ids then, which is the only way to learn them.
        set("return_tokens_as_token_ids", json!(true));
    }
    for (name, value) in neutral::parameters() {
        question.entry(name).or_insert(value);
    }
    Value::Object(question)
}
