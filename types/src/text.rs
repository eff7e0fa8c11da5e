//! Text generation and embedding as tensors, under the names that Triton's LLM backends use.
//!
//! A request or an answer that reads into these types is within its limits and contradicts nothing; what a peer may
//! leave out has one default. An input that isn't known is refused by name, never passed over: a caller that misspells
//! `temperature` would otherwise be answered under another one.

mod answer;
mod embed;
mod error;
pub mod name;
mod request;
mod scalar;
mod settings;

pub use answer::{Finish, TextAnswer};
pub use embed::{TextsAnswer, TextsLimits, TextsRequest};
pub use error::TextError;
pub use request::{Prompt, TextLimits, TextRequest};
pub use settings::{
    GREEDY, GUMBEL_V1, MAX_TOKENS_DEFAULT, STOP_WORD_BYTES_MAX, STOP_WORDS_MAX, TEMPERATURE_MAX,
    TOP_LOG_PROBS_MAX,
};

#[cfg(test)]
mod tests;
