//! What generates text: a decoder of our own, or a server that the miner fronts; and what goes wrong with them.
//!
//! Each server's backend turns one foreign protocol into pieces of text and every failure into one [`BackendError`];
//! deadlines are the engine's, so that no backend can forget one. A server's bytes are bounded like a peer's: it may be
//! a program that somebody else wrote and that misbehaves.

mod decoder;
mod oip;
mod openai;

use weighhouse_types::Digest;

pub use decoder::Decoder;
pub use oip::Oip;
pub(crate) use oip::failure as oip_failure;
pub use openai::OpenAi;

/// Which limit of a generation passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    First,
    Next,
    Whole,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::First => "its first token",
            Self::Next => "its next token",
            Self::Whole => "the whole answer",
        })
    }
}

/// Why a backend gave no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("the backend can't be reached: {0}")]
    Unreachable(String),
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
    #[error("the backend failed: {0}")]
    Failed(String),
    #[error("the backend ended its answer midway")]
    Disconnected,
    #[error("the backend's answer makes no sense: {0}")]
    Malformed(String),
}

/// What stands for the digest of weights that are out of reach: the model's name, as its server knows it.
pub fn digest_of_name(model: &str) -> Digest {
    weighhouse_types::Hasher::new("weighhouse/remote-model/v1").part(model.as_bytes()).finish()
}

/// Foreign words for our log, cut short.
pub(crate) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 300;
    text.chars().take(CHARACTERS_MAX).collect()
}
