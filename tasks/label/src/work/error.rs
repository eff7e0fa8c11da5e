//! Refusals of a request, in words for the page.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::error::JobError;

#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error("this page isn't called by that name: open the address that the command printed")]
    Host,
    #[error("a label comes from the page itself and from nowhere else")]
    Origin,
    #[error("open the address that the command printed: it has the token of this start")]
    Token,
    #[error("nothing is served at this path")]
    Path,
    #[error("that isn't the item that was given out; reload the page")]
    OtherItem,
    #[error("{0}")]
    Answer(String),
    #[error("nothing of yours is left to undo")]
    NothingToUndo,
    #[error(transparent)]
    Job(#[from] JobError),
    #[error("the page failed at this: {0}")]
    Internal(String),
}

impl IntoResponse for WorkError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Path => StatusCode::NOT_FOUND,
            Self::OtherItem | Self::NothingToUndo => StatusCode::CONFLICT,
            Self::Answer(_) => StatusCode::BAD_REQUEST,
            Self::Job(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = Response::new(Body::from(json!({"error": self.to_string()}).to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
