//! Refusals and failures as OpenAI's clients read them: an HTTP status and a JSON object.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tonic::Code;
use weighhouse_ask::call::CallError;
use weighhouse_types::text::TextError;

use crate::metrics;

/// An error that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// Parameter of the request that is wrong.
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    /// A request that its author has to change.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A parameter that its author has to change.
    pub(crate) fn param(name: &str, message: impl Into<String>) -> Self {
        Self { param: Some(name.to_owned()), ..Self::bad(message) }
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::param(name, format!("`{name}` is missing"))
    }

    /// The same of a parameter that has another name here.
    pub(crate) fn renamed(self, name: &str, other: &str) -> Self {
        if self.param.as_deref() != Some(name) {
            return self;
        }
        let message = self.message.replace(&format!("`{name}`"), &format!("`{other}`"));
        Self { message, param: Some(other.to_owned()), ..self }
    }

    pub(crate) fn no_model(model: &str) -> Self {
        let message =
            format!("no miner that can be asked serves a model {model:?}; GET /v1/models lists those served");
        Self {
            param: Some("model".to_owned()),
            code: Some("model_not_found"),
            ..Self::new(StatusCode::NOT_FOUND, message)
        }
    }

    /// OpenAI's object, which also stands in an event where a stream breaks off.
    pub(crate) fn body(&self) -> Value {
        let kind = match self.status.as_u16() {
            429 => "rate_limit_error",
            400..500 => "invalid_request_error",
            _ => "server_error",
        };
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}})
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body().to_string().into());
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Read by whoever logs the outcome.
        response.extensions_mut().insert(self);
        response
    }
}

/// Ways in which a miner fails a request.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum MinerError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the miner's answer makes no sense: {0}")]
    Malformed(String),
}

impl MinerError {
    /// Tells whether every miner would refuse the request, so that asking others is of no use.
    pub(crate) fn is_callers(&self) -> bool {
        let Self::Call(CallError::Refused(status)) = self else { return false };
        matches!(status.code(), Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition)
    }

    /// Tells whether it is what was asked that the miner can't do, and not the miner that fails.
    pub(crate) fn is_of_request(&self) -> bool {
        match self {
            Self::Call(CallError::Oversized) => true,
            Self::Call(CallError::Refused(status)) => status.code() == Code::Unimplemented,
            _ => false,
        }
    }
}

impl From<MinerError> for ApiError {
    fn from(error: MinerError) -> Self {
        let status = match &error {
            MinerError::Malformed(_) => return Self::new(StatusCode::BAD_GATEWAY, error.to_string()),
            // RESOURCE_EXHAUSTED in gRPC, and no limit of rates.
            MinerError::Call(CallError::Oversized) => {
                let message =
                    "the miner's answer is over the gateway's limit (`--body-bytes-max`): ask for less";
                return Self::new(StatusCode::BAD_GATEWAY, message);
            }
            MinerError::Call(error) => error.status(),
        };
        let (http, code) = http_status(status.code());
        let message = if error.is_callers() { status.message().to_owned() } else { error.to_string() };
        Self { code, ..Self::new(http, message) }
    }
}

/// HTTP's status for gRPC's, as in `google.rpc.Code`. A miner that doesn't take our signature is no fault of the client's key.
fn http_status(code: Code) -> (StatusCode, Option<&'static str>) {
    match code {
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => {
            (StatusCode::BAD_REQUEST, None)
        }
        Code::NotFound => (StatusCode::NOT_FOUND, Some("model_not_found")),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, Some("rate_limit_exceeded")),
        Code::Unimplemented => (StatusCode::NOT_IMPLEMENTED, None),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, None),
        Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, Some("timeout")),
        Code::Unauthenticated | Code::PermissionDenied => {
            (StatusCode::BAD_GATEWAY, Some("miner_refuses_hotkey"))
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}

impl From<TextError> for ApiError {
    /// Names a parameter as OpenAI does.
    fn from(error: TextError) -> Self {
        let name = match &error {
            TextError::Range { name, .. } | TextError::TooMany { name, .. } | TextError::Empty { name } => {
                *name
            }
            _ => return Self::bad(error.to_string()),
        };
        let param = match name {
            "stop_words" => "stop",
            "text_input" | "input_ids" => "prompt",
            "random_seed" => "seed",
            "top_log_probs" => "logprobs",
            same => same,
        };
        Self::param(name, error.to_string()).renamed(name, param)
    }
}

/// Counts what a client was given, and logs it where it isn't the client's own doing.
pub(crate) fn tell(route: &'static str, status: StatusCode, error: Option<&ApiError>) {
    metrics::request(route, status);
    let Some(ApiError { message, .. }) = error else { return };
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        tracing::warn!(route, status = status.as_u16(), error = message, "a request failed");
    } else {
        tracing::debug!(route, status = status.as_u16(), error = message, "a request was refused");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_too_large_is_no_limit_of_rates() {
        let error = ApiError::from(MinerError::Call(CallError::Oversized));
        assert_eq!((error.status, error.code), (StatusCode::BAD_GATEWAY, None));
        assert_eq!(error.body()["error"]["type"], "server_error");
        let refused = |status| MinerError::Call(CallError::Refused(status));
        assert!(refused(tonic::Status::unimplemented("ids")).is_of_request());
        assert!(!refused(tonic::Status::unavailable("away")).is_of_request());
    }
}
