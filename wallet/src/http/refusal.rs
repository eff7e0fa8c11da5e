//! Why a request was refused, and the one place where reasons become gRPC statuses.
//!
//! A stranger gets a code and a short constant; what exactly was wrong goes to our log.

use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body_util::Empty;

use super::body::BodyError;
use crate::btauth::{AuthError, ClaimsError};
use crate::metrics;
use crate::replay::ReplayError;

/// The reason of a refusal for the time of a request.
const STALE: &str = "stale";

/// The gRPC status codes that a refusal can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum GrpcCode {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// Every reason for not passing a request or an answer on.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The hotkey is not in the metagraph.
    #[error("the hotkey is not registered")]
    UnknownHotkey,
    /// The hotkey is registered and may not ask: no permit, too little stake, banned.
    #[error("the hotkey has no standing: {0}")]
    NoStanding(&'static str),
    #[error("the hotkey's quota is used up")]
    HotkeyQuota,
    #[error("too much work is queued")]
    Overloaded,
    #[error("verification stopped midway")]
    Internal,
    /// A fault of the handler's: its answer doesn't say which model it is of.
    #[error("an answer that can't be signed")]
    Unsignable,
}

impl Refusal {
    /// The code and message for the caller, and the name for our metrics.
    pub(crate) fn status(&self) -> (GrpcCode, &'static str, &'static str) {
        use GrpcCode::{
            DeadlineExceeded, Internal, InvalidArgument, PermissionDenied, ResourceExhausted,
            Unauthenticated, Unavailable,
        };
        match self {
            Self::Claims(ClaimsError::Missing(_)) => (Unauthenticated, "unsigned request", "unsigned"),
            Self::Claims(_) => (Unauthenticated, "malformed signature headers", "malformed"),
            Self::Auth(AuthError::Unbound | AuthError::WrongReceiver(_)) => {
                (Unauthenticated, "signed for another receiver", "receiver")
            }
            Self::Auth(AuthError::Stale(_) | AuthError::Ahead(_)) | Self::Replay(ReplayError::Ahead) => {
                (Unauthenticated, "outside the freshness window", STALE)
            }
            Self::Auth(AuthError::Signature(_)) => (Unauthenticated, "wrong signature", "signature"),
            Self::Replay(ReplayError::Seen) => (Unauthenticated, "nonce used before", "replay"),
            // Unavailable and not unauthenticated: gRPC clients take the former as a reason to try again.
            Self::Replay(ReplayError::BelowMark { .. }) => {
                (Unavailable, "restarted, sign again", "below_high_water")
            }
            Self::Replay(ReplayError::CallerFull(_) | ReplayError::Full) => {
                (ResourceExhausted, "too many requests", "replay_full")
            }
            Self::Replay(ReplayError::Storage { .. }) => (Unavailable, "not serving", "replay_storage"),
            Self::Body(BodyError::TooLarge { .. }) => (ResourceExhausted, "message too large", "too_large"),
            Self::Body(BodyError::Budget) => (ResourceExhausted, "overloaded", "body_budget"),
            Self::Body(BodyError::Deadline(_)) => (DeadlineExceeded, "body too slow", "body_deadline"),
            Self::Body(BodyError::Broken(_)) => (InvalidArgument, "body cut short", "body_broken"),
            Self::UnknownHotkey => (PermissionDenied, "hotkey not registered", "unknown_hotkey"),
            Self::NoStanding(_) => (PermissionDenied, "hotkey has no standing", "standing"),
            Self::HotkeyQuota => (ResourceExhausted, "quota used up", "hotkey_quota"),
            Self::Overloaded => (ResourceExhausted, "overloaded", "overloaded"),
            Self::Internal => (Internal, "internal error", "internal"),
            Self::Unsignable => (Internal, "internal error", "unsignable"),
        }
    }

    /// A name for it, one of few.
    pub fn reason(&self) -> &'static str {
        self.status().2
    }

    /// True of a nonce that isn't fresh: two clocks are apart.
    pub(crate) fn is_stale(&self) -> bool {
        self.reason() == STALE
    }

    pub fn code(&self) -> GrpcCode {
        self.status().0
    }

    /// Counts and logs the refusal, and gives the trailers-only response for it.
    pub(crate) fn into_response(self, path: &str) -> Response<Empty<Bytes>> {
        let (code, message, reason) = self.status();
        metrics::request_refused(reason);
        match self {
            // Only faults of our own are logged as errors: strangers could otherwise fill the log at will. A mark that can't be
            // stored is told once by whoever asks the guard.
            Self::Internal | Self::Unsignable => {
                tracing::error!(path, reason, error = %self, "refused");
            }
            _ => tracing::debug!(path, reason, error = %self, "refused"),
        }
        // HTTP status 200: in gRPC, failure is told by `grpc-status` alone.
        let mut response = Response::new(Empty::new());
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from(code as u16));
        headers.insert("grpc-message", HeaderValue::from_static(message));
        response
    }
}
