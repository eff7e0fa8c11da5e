//! Refusals and failures of a request, in words for the page.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use weighhouse_journal::SegmentError;
use weighhouse_scoring::WeighError;
use weighhouse_types::{Digest, Epoch, Uid};

use crate::limits::{FILE_BYTES_MAX, STREAMS_MAX};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsoleError {
    #[error("the console only shows: ask with GET")]
    Method,
    #[error(
        "this server isn't called by that name: open the address that the command printed, or name it with --host"
    )]
    Host,
    #[error("open the address that the command printed: it has this console's token")]
    Token,
    #[error("nothing is served at this path")]
    Path,
    #[error("the journal's folder can't be listed: {0}")]
    Folder(io::Error),
    #[error("no epoch {0} in this journal")]
    NoEpoch(Epoch),
    #[error("the file of epoch {epoch} can't be read: {source}")]
    Read { epoch: Epoch, source: io::Error },
    #[error("the file of epoch {epoch} is damaged: {source}; `weighhouse audit` says more")]
    Damaged { epoch: Epoch, source: SegmentError },
    #[error("the file of epoch {0} is over {max} MiB: `weighhouse audit` reads it", max = FILE_BYTES_MAX >> 20)]
    TooLarge(Epoch),
    #[error("epoch {0} has a file in which nothing was opened yet")]
    NotOpened(Epoch),
    #[error("epoch {epoch} can't be weighed: {source}")]
    Weigh { epoch: Epoch, source: WeighError },
    #[error("epoch {epoch} has no uid {uid}")]
    NoMiner { epoch: Epoch, uid: Uid },
    #[error("epoch {epoch} has no challenge {challenge} for uid {uid}")]
    NoChallenge { epoch: Epoch, uid: Uid, challenge: Digest },
    #[error("{STREAMS_MAX} pages follow this console already: close one")]
    Streams,
    #[error("the console failed at this: {0}")]
    Internal(String),
}

impl ConsoleError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Path
            | Self::NoEpoch(_)
            | Self::NoMiner { .. }
            | Self::NoChallenge { .. }
            | Self::NotOpened(_) => StatusCode::NOT_FOUND,
            Self::Damaged { .. } | Self::TooLarge(_) | Self::Weigh { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Streams => StatusCode::SERVICE_UNAVAILABLE,
            Self::Folder(_) | Self::Read { .. } | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ConsoleError {
    fn into_response(self) -> Response {
        let body = json!({"error": self.to_string()}).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
