//! The console: a validator's page over its journal, for a browser on the same machine.
//!
//! It shows and never decides. The journal is read as a stranger reads it who must not disturb its owner: nothing is locked or
//! written, and what isn't in it is left out with the reason. The chain is asked for what only it knows: its newest block, and
//! other validators' weights.
//!
//! **Invariants.** Nobody without the token of this start is answered, under any name but loopback's and the configured one.
//! Nothing is loaded from elsewhere. Connections, streams, files read at once and bytes kept have limits; answers are foreign
//! bytes, and a page gets them as text.

mod limits;

mod server;

mod guard;
mod token;

mod error;
mod events;
mod routes;

mod overview;

mod curves;
mod epochs;
mod miners;

mod miner;

mod answer;
mod message;

mod brief;
mod folder;
mod publication;

mod chain;
mod consensus;
mod economy;

pub use chain::ChainSource;
pub use economy::{ClosedEpoch, Economy, Player};
pub use server::{Parts, address, run};
pub use token::Token;

#[cfg(test)]
mod tests;
