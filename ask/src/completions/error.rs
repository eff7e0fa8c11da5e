//! Ways in which a completion server fails its caller.

/// An error of one call to a completion server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompletionError {
    #[error("the server can't be reached: {0}")]
    Unreachable(String),
    /// The operator's doing: a key or an address that fits into no header.
    #[error("the request can't be made: {0}")]
    Misconfigured(String),
    #[error("the server hung up midway")]
    Disconnected,
    #[error("a body of more than {0} bytes")]
    Oversized(usize),
    #[error("an event of more than {0} bytes")]
    OversizedEvent(usize),
}
