//! Failures as statuses: a code and a few words for the caller, the rest for our log.

use tonic::Status;
use weighhouse_proto::bounded::MALFORMED;
use weighhouse_proto::frame::FrameError;
use weighhouse_types::TensorError;

use crate::backend::BackendError;
use crate::engine::EngineError;
use crate::sealing::SealingError;

/// Characters of a status message: whatever a caller wrote into its request, the answer's headers stay small.
const MESSAGE_CHARACTERS_MAX: usize = 200;

/// A reason for no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServiceFailure {
    #[error("the request was not verified")]
    Unsigned,
    #[error("a stream takes exactly one message: {0}")]
    Frame(#[from] FrameError),
    #[error("{0}")]
    Tensors(#[from] TensorError),
    #[error("{0}")]
    Engine(#[from] EngineError),
    #[error("{0}")]
    Sealed(#[from] SealingError),
}

impl ServiceFailure {
    /// A name for what is the caller's doing, or a misunderstanding of the two.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Unsigned => None,
            Self::Sealed(SealingError::NotKept) => Some("not_committed"),
            // Ours, and told at once.
            Self::Sealed(_) => None,
            Self::Frame(_) | Self::Tensors(_) => Some("malformed"),
            Self::Engine(error) => match error {
                EngineError::NoModel { .. } => Some("no_model"),
                EngineError::Busy => Some("busy"),
                EngineError::Input(_)
                | EngineError::UnknownOutput { .. }
                | EngineError::Scans(_)
                | EngineError::Text(_)
                | EngineError::Refused(_) => Some("input"),
                EngineError::Sampler { .. } => Some("sampler"),
                // Told where it happens.
                EngineError::Backend(_) | EngineError::Failed(_) => None,
            },
        }
    }
}

/// The one place where failures become statuses: a code and a short constant for the stranger, the rest for our log.
pub(super) fn refuse(failure: &ServiceFailure) -> Status {
    let status = match failure {
        // Constant texts: an answer must not echo what a stranger sent, nor say how we are built.
        ServiceFailure::Unsigned => Status::unauthenticated("unsigned request"),
        ServiceFailure::Frame(FrameError::Message(_)) => Status::invalid_argument(MALFORMED),
        ServiceFailure::Frame(_) => {
            Status::invalid_argument("a stream takes exactly one uncompressed message")
        }
        ServiceFailure::Tensors(_) => Status::invalid_argument("malformed tensors"),
        ServiceFailure::Engine(EngineError::NoModel { .. }) => Status::not_found("no such model"),
        ServiceFailure::Engine(EngineError::Busy) => Status::resource_exhausted("overloaded"),
        ServiceFailure::Engine(EngineError::Input(_) | EngineError::UnknownOutput { .. }) => {
            Status::invalid_argument("input does not fit the model")
        }
        // A line can say what is wrong with such a request, and its author can do something about it.
        ServiceFailure::Engine(
            error @ (EngineError::Scans(_) | EngineError::Text(_) | EngineError::Refused(_)),
        ) => Status::invalid_argument(cut(&error.to_string())),
        ServiceFailure::Engine(error @ EngineError::Sampler { .. }) => {
            Status::unimplemented(cut(&error.to_string()))
        }
        ServiceFailure::Sealed(SealingError::NotKept) => {
            Status::not_found("nothing was committed to under this id")
        }
        ServiceFailure::Sealed(_) => Status::internal("internal error"),
        ServiceFailure::Engine(EngineError::Backend(error)) => backend_status(error),
        ServiceFailure::Engine(EngineError::Failed(_)) => Status::internal("internal error"),
    };
    match (failure, status.code()) {
        // Told where it happened, with its model.
        (ServiceFailure::Engine(EngineError::Backend(_)), _) => {}
        // Only these are our fault; the rest would let strangers fill our log at its default level.
        (_, tonic::Code::Internal) => tracing::error!(error = %failure, "no answer"),
        (_, code) => tracing::debug!(error = %failure, ?code, "no answer"),
    }
    status
}

/// A server's words go to the caller where they are about the request or the answer, never those with an address or a key.
fn backend_status(error: &BackendError) -> Status {
    let words = || cut(&printable(&error.to_string()));
    match error {
        BackendError::Unreachable(_) => Status::unavailable("the backend can't be reached"),
        BackendError::Silent => Status::unavailable("the backend answers nothing"),
        BackendError::Disconnected => Status::unavailable("the backend ended its answer midway"),
        BackendError::Slow(_) => Status::deadline_exceeded(words()),
        BackendError::Busy => Status::resource_exhausted("overloaded"),
        BackendError::Refused(_) => Status::invalid_argument(words()),
        BackendError::Unsuited(_) => Status::unimplemented(words()),
        // What follows the first colon are the server's words, of keys and names.
        BackendError::Misconfigured(why) => {
            Status::internal(cut(&printable(&format!("the backend can't be used: {}", first_part(why)))))
        }
        BackendError::Failed(_) | BackendError::Malformed(_) => Status::internal(words()),
    }
}

fn first_part(words: &str) -> &str {
    words.split(": ").next().unwrap_or_default()
}

/// The message of a status is a header, and its words are foreign.
fn printable(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARACTERS_MAX).collect()
}
