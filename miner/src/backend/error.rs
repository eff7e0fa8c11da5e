//! Failures of whatever generates text or stands behind a model.

use std::fmt;

use tonic::{Code, Status};

/// Characters of foreign words that our log shows.
const SHOWN_CHARACTERS_MAX: usize = 300;

/// The limit of an answer that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    First,
    Next,
    Whole,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "its first token",
            Self::Next => "its next token",
            Self::Whole => "the whole answer",
        })
    }
}

/// A reason for which a backend gave no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("the backend can't be reached: {0}")]
    Unreachable(String),
    /// It takes connections and answers nothing, not even whether it is there: stopped, and not only slow.
    #[error("the backend takes connections and answers nothing: it hangs or was stopped")]
    Silent,
    #[error("the backend took too long for {0}")]
    Slow(Stage),
    #[error("the backend is overloaded")]
    Busy,
    /// The caller's doing: a prompt that is too long, say.
    #[error("the backend refused the request: {0}")]
    Refused(String),
    /// The operator's doing: a wrong path, model name or key.
    #[error("the backend is not what the configuration says: {0}")]
    Misconfigured(String),
    /// Something was asked that this server can't do.
    #[error("the backend can't do this: {0}")]
    Unsuited(String),
    #[error("the backend failed: {0}")]
    Failed(String),
    #[error("the backend ended its answer midway")]
    Disconnected,
    #[error("the backend's answer makes no sense: {0}")]
    Malformed(String),
}

impl BackendError {
    /// The kind of failure in a word, for a metric.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Silent => "silent",
            Self::Slow(_) => "slow",
            Self::Busy => "busy",
            Self::Refused(_) => "refused",
            Self::Misconfigured(_) => "misconfigured",
            Self::Unsuited(_) => "unsuited",
            Self::Failed(_) => "failed",
            Self::Disconnected => "disconnected",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// The status of a server that speaks the Open Inference Protocol.
impl From<&Status> for BackendError {
    fn from(status: &Status) -> Self {
        let why = shortened(status.message());
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange => Self::Refused(why),
            Code::ResourceExhausted => Self::Busy,
            Code::DeadlineExceeded => Self::Slow(Stage::Whole),
            Code::Unavailable => Self::Unreachable(why),
            // Model name, address and credentials are the configuration's, never the caller's.
            Code::NotFound | Code::Unimplemented | Code::PermissionDenied | Code::Unauthenticated => {
                Self::Misconfigured(why)
            }
            code => Self::Failed(format!("{code:?}: {why}")),
        }
    }
}

/// Foreign words for our log, cut short.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS_MAX).collect()
}
