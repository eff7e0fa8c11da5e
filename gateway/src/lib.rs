//! A gateway for OpenAI's clients: HTTP and JSON in, signed questions to the subnet's miners out.
//!
//! A request is read by `completions`, `chat` or `embeddings` into what miners are asked. [`subnet`] says which miners there
//! are, by weight, `roster` what they serve, and `turns` asks one after the other until one answers. A stream's status waits
//! for its first piece: until then another miner can be asked, and after it an error ends the stream. Nothing here judges
//! answers or checks their signatures: the weights are the judgement.

mod chat;
mod completions;
mod embeddings;
mod error;
mod events;
mod fields;
mod limits;
mod logprobs;
mod patience;
mod reply;
mod roster;
mod routes;
mod sampling;
mod server;
mod turns;

pub mod key;
pub mod metrics;
pub mod subnet;

pub use chat::{ChatTemplate, TemplateError};
pub use key::{ApiKey, KeyError};
pub use limits::CallLimits;
pub use server::{Parts, run};

#[cfg(test)]
mod tests;
