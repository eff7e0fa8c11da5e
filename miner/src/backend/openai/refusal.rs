//! Refusals and failures in servers' words: a status with a body, an event, a line of a stream.

use http::StatusCode;
use serde_json::Value;

use super::json;
use crate::backend::error::{BackendError, Stage, shortened};

/// What a server says instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// As an HTTP status; 500 where the server gives none.
    code: u16,
    words: String,
}

impl Refusal {
    pub(super) fn of_status(status: StatusCode, body: &str) -> Self {
        let said = serde_json::from_str(body).ok().as_ref().and_then(Self::find);
        let words = said.map_or_else(|| body.to_owned(), |said| said.words);
        Self { code: status.as_u16(), words: format!("{status}: {words}") }
    }

    /// A failure in words alone.
    pub(super) fn of_words(words: &str) -> Self {
        Self { code: 500, words: words.trim().to_owned() }
    }

    /// Finds the error in a JSON answer, in whichever of the servers' forms.
    pub(super) fn find(value: &Value) -> Option<Self> {
        let present = |value: &&Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => true,
        };
        let error = [&value["error"], &value["errors"], &value["detail"]].into_iter().find(present);
        let is_error = |name: &str| value[name] == "error";
        let has_code = ["code", "type", "status"].iter().any(|name| !value[*name].is_null());
        let is_failure = error.is_some()
            || is_error("object")
            || is_error("type")
            || (value["message"].is_string() && has_code && value["choices"].is_null());
        if !is_failure {
            return None;
        }
        let source = error.filter(|error| error.is_object()).unwrap_or(value);
        let words = ["message", "detail", "error", "msg"].iter().find_map(|name| source[*name].as_str());
        let words = words.or_else(|| error.and_then(Value::as_str)).map(str::to_owned);
        let mut words = words.unwrap_or_else(|| error.unwrap_or(value).to_string());
        // The kind may be all that says what it is about.
        if let Some(kind) = source["type"].as_str().filter(|kind| kind.contains("context")) {
            words = format!("{words} ({kind})");
        }
        let code = code(source).or_else(|| code(value)).unwrap_or(500);
        Some(Self { code, words })
    }

    /// The same in an answer's bytes.
    pub(super) fn find_in(body: &[u8]) -> Option<Self> {
        Self::find(&json::parse(body).ok()?)
    }

    pub(super) fn words(&self) -> &str {
        &self.words
    }

    /// Tells whether the request may be at fault: a field that the server doesn't take, or the prompt.
    pub(super) fn blames_the_request(&self) -> bool {
        !matches!(self.code, 401 | 403 | 404 | 408 | 429 | 502..=504)
    }

    pub(super) fn into_error(self) -> BackendError {
        let why = shortened(&self.words);
        match self.code {
            // 422 is how FastAPI, under vLLM and SGLang, refuses a body that doesn't fit.
            400 | 413 | 422 => BackendError::Refused(why),
            429 => BackendError::Busy,
            408 | 504 => BackendError::Slow(Stage::First),
            503 if is_about_load(&self.words) => BackendError::Busy,
            502 | 503 => BackendError::Unreachable(why),
            500..=599 if is_about_length(&self.words) => BackendError::Refused(why),
            500..=599 if self.words.to_lowercase().contains("context deadline exceeded") => {
                BackendError::Slow(Stage::Whole)
            }
            500..=599 => BackendError::Failed(why),
            _ => BackendError::Misconfigured(why),
        }
    }
}

/// The status that an error names: by number, or by the words of its kind.
fn code(source: &Value) -> Option<u16> {
    let status = |value: &Value| {
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
        u16::try_from(number).ok().filter(|code| (400..600).contains(code))
    };
    let numbered = ["code", "status_code", "status"].iter().find_map(|name| status(&source[*name]));
    let kinds = ["type", "code", "error_type", "status"].iter().filter_map(|name| source[*name].as_str());
    numbered.or_else(|| kinds.into_iter().find_map(kind))
}

fn kind(word: &str) -> Option<u16> {
    let word: String = word.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let known: [(u16, &[&str]); 6] = [
        (400, &["badrequest", "invalidrequest", "invalidargument", "validation", "context", "unprocessable"]),
        (404, &["notfound"]),
        (429, &["ratelimit", "overloaded", "resourceexhausted"]),
        (503, &["unavailable"]),
        (504, &["timeout", "deadline"]),
        (401, &["auth", "permission"]),
    ];
    known.iter().find(|(_, parts)| parts.iter().any(|part| word.contains(part))).map(|(code, _)| *code)
}

/// What servers in Go say of their own deadlines, and others of their queues.
const NOT_OF_LENGTH: [&str; 6] = [
    "context deadline",
    "context canceled",
    "context cancelled",
    "pending requests",
    "too many requests",
    "concurrent",
];

/// Tells whether words say that a server has too much to do, and not that it is away.
fn is_about_load(words: &str) -> bool {
    let words = words.to_lowercase();
    let load =
        ["queue", "busy", "overload", "pending requests", "slot", "too many", "rate limit", "capacity"];
    load.iter().any(|part| words.contains(part))
}

/// Tells whether words say that the prompt, or the prompt with its answer, is longer than the model can take.
pub(super) fn is_about_length(words: &str) -> bool {
    let words = words.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if says(&NOT_OF_LENGTH) {
        return false;
    }
    let much = ["exceed", "too long", "too large", "too many", "maximum", "longer than", "larger than"];
    let is_measured = says(&["context"]) && says(&["token"]);
    is_measured || (says(&["context", "prompt", "input tokens", "input length"]) && says(&much))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_servers_form_of_an_error_is_read_with_its_code() {
        let cases = [
            (json!({ "error": { "code": 400, "message": "no" } }), 400, "no"),
            (json!({ "error": { "code": "400", "message": "no" } }), 400, "no"),
            (json!({ "error": { "code": null, "type": "BadRequestError", "message": "no" } }), 400, "no"),
            (json!({ "error": { "code": "context_length_exceeded", "message": "no" } }), 400, "no"),
            (
                json!({ "error": { "type": "exceed_context_size_error", "message": "no" } }),
                400,
                "no (exceed_context_size_error)",
            ),
            (json!({ "object": "error", "message": "no", "type": "NotFoundError", "code": 404 }), 404, "no"),
            (json!({ "error": "no", "error_type": "overloaded" }), 429, "no"),
            (json!({ "error": "no", "error_type": "validation" }), 400, "no"),
            (json!({ "detail": "no" }), 500, "no"),
            (json!({ "detail": [{ "msg": "extra" }] }), 500, r#"[{"msg":"extra"}]"#),
            (json!({ "type": "error", "error": { "type": "overloaded_error", "message": "no" } }), 429, "no"),
            (json!({ "message": "no", "code": 503 }), 503, "no"),
        ];
        for (value, code, words) in cases {
            let found = Refusal::find(&value);
            assert_eq!(found, Some(Refusal { code, words: words.to_owned() }), "{value}");
        }
        for value in
            [json!({ "choices": [], "error": null }), json!({ "warning": "x" }), json!({ "message": "x" })]
        {
            assert_eq!(Refusal::find(&value), None, "{value}");
        }
    }

    #[test]
    fn a_server_with_too_much_to_do_is_there() {
        for words in
            ["server busy, please try again. maximum pending requests exceeded", "The queue is full."]
        {
            let error = Refusal { code: 503, words: words.to_owned() }.into_error();
            assert_eq!(error, BackendError::Busy);
        }
        let error = Refusal { code: 503, words: "Loading model".to_owned() }.into_error();
        assert!(matches!(error, BackendError::Unreachable(_)), "{error}");
    }

    #[test]
    fn a_prompt_over_the_context_is_the_callers_whatever_the_code() {
        for words in [
            "context size exceeded",
            "This model's maximum context length is 256 tokens. However, you requested 300 tokens",
            "the prompt is too long",
            "prompt of 6009 tokens, context of 4096",
        ] {
            let error = Refusal { code: 500, words: words.to_owned() }.into_error();
            assert_eq!(error, BackendError::Refused(words.to_owned()));
        }
        for words in [
            "cannot allocate a context",
            "context canceled while reading a token",
            "too many concurrent prompts",
        ] {
            let error = Refusal::of_words(words).into_error();
            assert!(matches!(error, BackendError::Failed(_)), "{error}");
        }
        let error = Refusal::of_words("rpc error: context deadline exceeded").into_error();
        assert_eq!(error, BackendError::Slow(Stage::Whole));
    }
}
