//! Calls to others: one signed question to one miner, a proxy that signs for clients that can't, a client of
//! OpenAI-compatible completion servers, one of judges in processes of their own, a miner's question to a validator, and plain downloads.
//!
//! [`Asker`] works below the generated gRPC code, because the framed bytes themselves are signed and recorded. Every call
//! has a connection and a deadline of its own, and every answer a cap; nothing here judges what comes back.

mod asker;
mod limits;
mod ready;
mod wire;

pub mod call;
pub mod completions;
pub mod connections;
pub mod download;
pub mod judges;
pub mod proxy;
pub mod reach;
pub mod receipts;
pub mod verdicts;
pub mod witness;

pub use asker::{Asker, Miners, RawAnswer, Target, frame, unframe};
pub use limits::{AskLimits, ProxyLimits};
pub use ready::{Heard, Ready};
