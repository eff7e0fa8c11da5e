//! Requests as a server gets them.

use serde_json::{Map, Value, json};
use weighhouse_types::text::{Prompt, TextRequest};

use super::abilities::Abilities;

/// A completion's request body: what the server takes, and nothing else.
pub(super) fn question(model: &str, request: &TextRequest, abilities: &Abilities) -> Value {
    let mut question = Map::new();
    for (name, value) in &abilities.fields {
        let is_wanted = match *name {
            "stream_options" => abilities.streams,
            "ignore_eos" => request.ignore_end,
            "return_tokens_as_token_ids" => request.wants_lists(),
            _ => true,
        };
        if is_wanted {
            question.insert((*name).to_owned(), value.clone());
        }
    }
    let mut set = |name: &str, value| question.insert(name.to_owned(), value);
    set("model", json!(model));
    set("prompt", prompt(&request.prompt));
    set("max_tokens", json!(request.max_tokens));
    // Greedy is the only sampler that a server's own randomness can't change.
    set("temperature", json!(0));
    set("stream", json!(abilities.streams));
    if request.wants_lists() && abilities.alternatives > 0 {
        // One at least: vLLM gives the chosen token's own log-probability for 0, llama.cpp none at all.
        set("logprobs", json!(request.top_log_probs.clamp(1, abilities.alternatives)));
    }
    let stop: Vec<_> = request.stop.iter().take(abilities.stop_words).collect();
    if !stop.is_empty() {
        set("stop", json!(stop));
    }
    Value::Object(question)
}

pub(super) fn prompt(prompt: &Prompt) -> Value {
    match prompt {
        Prompt::Text(text) => json!(text),
        Prompt::Ids(ids) => json!(ids),
    }
}
