//! `/v1/chat/completions`: a dialogue, written as a prompt by the model's own template, and continued.

mod messages;
mod template;

use serde_json::{Value, json};
use weighhouse_types::text::{Prompt, TextAnswer, TextRequest};

pub use template::{ChatTemplate, TemplateError};

use crate::error::ApiError;
use crate::fields::Fields;
use crate::limits::CHAT_TOKENS;
use crate::logprobs;
use crate::reply::{Choice, Form};
use crate::sampling::{LogProbs, Sampling};
use crate::server::Gateway;

pub(crate) fn read(model: &str, fields: &mut Fields, gateway: &Gateway) -> Result<TextRequest, ApiError> {
    let messages = messages::read(fields.required("messages")?)?;
    let mut variables = match fields.take("chat_template_kwargs") {
        None => serde_json::Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            return Err(ApiError::param("chat_template_kwargs", "`chat_template_kwargs` must be an object"));
        }
    };
    let prompts = fields.flag("add_generation_prompt")?.unwrap_or(true);
    variables.insert("add_generation_prompt".to_owned(), prompts.into());
    let log_probs = LogProbs {
        chosen: fields.flag("logprobs")?.unwrap_or(false),
        top: u8::try_from(fields.count("top_logprobs")?.unwrap_or(0)).unwrap_or(u8::MAX),
    };
    let sampling = Sampling::read(fields, CHAT_TOKENS)?;
    let template = gateway.templates.get(model).ok_or_else(|| {
        ApiError::param(
            "model",
            format!(
                "no chat template of {model:?} is known here: the gateway needs `--folder {model}=FOLDER`"
            ),
        )
    })?;
    let prompt = template.render(messages, variables, gateway.asker.clock.now()).map_err(|error| {
        ApiError::param("messages", format!("the model's chat template refuses these messages: {error}"))
    })?;
    let request =
        sampling.request(Prompt::Text(prompt), log_probs, gateway.limits.body_bytes_max, &gateway.entropy);
    request.map_err(|error| error.renamed("prompt", "messages").renamed("logprobs", "top_logprobs"))
}

/// The form of chats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chat;

impl Form for Chat {
    const ID: &'static str = "chatcmpl";
    const WHOLE: &'static str = "chat.completion";
    const PIECE: &'static str = "chat.completion.chunk";

    fn whole(&self, answer: &TextAnswer, finish: &'static str) -> Choice {
        let message = json!({"role": "assistant", "content": answer.text, "refusal": null});
        json!({"index": 0, "message": message, "logprobs": logprobs::of_chat(answer), "finish_reason": finish})
    }

    fn first(&self) -> Option<Choice> {
        let delta = json!({"role": "assistant", "content": ""});
        Some(json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}))
    }

    fn piece(&self, piece: &TextAnswer) -> Choice {
        let delta = json!({"content": piece.text});
        json!({"index": 0, "delta": delta, "logprobs": logprobs::of_chat(piece), "finish_reason": null})
    }

    fn last(&self, finish: &'static str) -> Choice {
        json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": finish})
    }
}
