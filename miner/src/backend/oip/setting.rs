//! The names under which servers take what a completion is asked with.

use serde_json::json;
use weighhouse_types::text::{Prompt, TextRequest};

use super::tensor::Value;

/// What an input is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Setting {
    Text,
    Ids,
    MaxTokens,
    Temperature,
    TopK,
    StopWords,
    BadWords,
    LogProbs,
    TopLogProbs,
    IgnoreEnd,
    /// The end token's id: -1 is none.
    EndId,
    Seed,
    /// Whether the answer comes in pieces.
    Stream,
    /// A wish that is always there, such as an answer without the prompt.
    Wish,
    /// A parameter of samplers at the value that changes nothing.
    Neutral(f64),
    /// The settings of Triton's vLLM backend, as JSON.
    VllmParameters,
}

/// Ours, TensorRT-LLM's and the vLLM backend's; names of the same input one after another.
const NAMES: &[(&str, Setting)] = &[
    ("text_input", Setting::Text),
    ("text_inputs", Setting::Text),
    ("prompt", Setting::Text),
    ("prompts", Setting::Text),
    ("text", Setting::Text),
    ("input_ids", Setting::Ids),
    ("max_tokens", Setting::MaxTokens),
    ("max_new_tokens", Setting::MaxTokens),
    ("max_output_tokens", Setting::MaxTokens),
    ("request_output_len", Setting::MaxTokens),
    ("temperature", Setting::Temperature),
    ("top_k", Setting::TopK),
    ("runtime_top_k", Setting::TopK),
    ("top_p", Setting::Neutral(1.0)),
    ("runtime_top_p", Setting::Neutral(1.0)),
    ("min_p", Setting::Neutral(0.0)),
    ("repetition_penalty", Setting::Neutral(1.0)),
    ("presence_penalty", Setting::Neutral(0.0)),
    ("frequency_penalty", Setting::Neutral(0.0)),
    ("length_penalty", Setting::Neutral(1.0)),
    ("len_penalty", Setting::Neutral(1.0)),
    ("beam_width", Setting::Neutral(1.0)),
    ("num_return_sequences", Setting::Neutral(1.0)),
    ("do_sample", Setting::Neutral(0.0)),
    ("random_seed", Setting::Seed),
    ("seed", Setting::Seed),
    ("stop_words", Setting::StopWords),
    ("stop", Setting::StopWords),
    ("bad_words", Setting::BadWords),
    ("return_log_probs", Setting::LogProbs),
    ("return_logprobs", Setting::LogProbs),
    ("top_log_probs", Setting::TopLogProbs),
    ("ignore_end", Setting::IgnoreEnd),
    ("ignore_eos", Setting::IgnoreEnd),
    ("end_id", Setting::EndId),
    ("stream", Setting::Stream),
    ("streaming", Setting::Stream),
    ("exclude_input_in_output", Setting::Wish),
    ("return_finish_reason", Setting::Wish),
    ("return_num_input_tokens", Setting::Wish),
    ("return_num_output_tokens", Setting::Wish),
    ("sampling_parameters", Setting::VllmParameters),
];

impl Setting {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, setting)| *setting)
    }

    /// What a request says here; `None` where it is best left out. `required` inputs are left out by no request.
    pub(super) fn value(self, request: &TextRequest, streamed: bool, required: bool) -> Option<Value> {
        let log_probs = request.wants_lists();
        let said = match self {
            Self::Text => match &request.prompt {
                Prompt::Text(text) => return Some(Value::Texts(vec![text.clone()])),
                Prompt::Ids(_) => return None,
            },
            Self::Ids => match &request.prompt {
                Prompt::Text(_) => return None,
                Prompt::Ids(ids) => {
                    return Some(Value::Numbers(ids.iter().map(|id| f64::from(*id)).collect()));
                }
            },
            // The likeliest token alone is greedy at any temperature, and samplers differ in what they take 0 for.
            Self::TopK => return Some(Value::number(1.0)),
            Self::MaxTokens => return Some(Value::number(request.max_tokens)),
            Self::Neutral(value) => return Some(Value::number(value)),
            Self::Stream => return Some(Value::flag(streamed)),
            Self::Wish => return Some(Value::flag(true)),
            Self::VllmParameters => return Some(Value::Texts(vec![vllm_parameters(request)])),
            Self::Temperature => (false, Value::number(0.0)),
            Self::StopWords if !request.stop.is_empty() => return Some(Value::Texts(request.stop.clone())),
            // One empty text is how TensorRT-LLM's own clients say that there are none.
            Self::StopWords | Self::BadWords => (false, Value::Texts(vec![String::new()])),
            Self::LogProbs => (log_probs, Value::flag(log_probs)),
            Self::TopLogProbs => (request.top_log_probs > 0, Value::number(request.top_log_probs)),
            Self::IgnoreEnd => (request.ignore_end, Value::flag(request.ignore_end)),
            Self::EndId => (request.ignore_end, Value::number(-1.0)),
            Self::Seed => (false, Value::number(0.0)),
        };
        let (wanted, value) = said;
        (wanted || required).then_some(value)
    }
}

/// Greedy to vLLM, whatever the model's own files say of its sampler.
fn vllm_parameters(request: &TextRequest) -> String {
    let mut said = json!({
        "max_tokens": request.max_tokens, "temperature": 0, "top_p": 1, "top_k": -1, "min_p": 0, "n": 1,
        "repetition_penalty": 1, "presence_penalty": 0, "frequency_penalty": 0, "min_tokens": 0,
        "ignore_eos": request.ignore_end,
    });
    if !request.stop.is_empty() {
        said["stop"] = json!(request.stop);
    }
    if request.wants_lists() {
        said["logprobs"] = json!(request.top_log_probs.max(1));
    }
    said.to_string()
}
