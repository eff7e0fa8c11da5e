//! A client of OpenAI-compatible completions (`/v1/completions` of vLLM, SGLang, llama.cpp) over HTTP/1.1.
//!
//! One connection per call: dropping the response is what tells the server to stop. `https` is not spoken: such a server
//! stands beside its caller, or behind a tunnel of the operator's. A server's bytes are bounded like a peer's.

mod echo;
mod error;
mod events;
mod response;
mod server;
mod token;

pub use echo::{ScoreError, TokenScore};
pub use error::CompletionError;
pub use events::{CompletionEvents, Event, EventKind, Events};
pub use response::CompletionResponse;
pub use server::{CompletionRoute, CompletionServer};
pub use token::token_id;

#[cfg(test)]
mod tests;
