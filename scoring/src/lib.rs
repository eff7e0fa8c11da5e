//! From judgements to weights, and from weights to money, as pure functions.
//!
//! [`mod@weigh`] folds one epoch's recorded judgements into averages by registration, and these into the u16 vector that
//! a validator publishes ([`mod@conform`]) or the reason to publish none; [`mod@explain`] says in words why. [`mod@yuma`] is
//! what the chain then makes of all validators' vectors, bit for bit. Nothing here reads a clock, a file, a socket or
//! a random number, and what decides is integer arithmetic in a fixed order, so that any machine gives the same bytes.

pub mod fixed;
pub mod policy;

mod cluster;
pub mod diff;
pub mod lint;
pub mod path;
pub mod rate;
pub mod replay;
pub mod share;
mod standing;
pub mod track;
pub mod weigh;
pub mod yuma;

pub mod conform;
pub mod explain;

pub mod attack;
pub mod search;
pub mod sim;

pub mod report;

pub use conform::{ConformError, Limits, conform, max_upscale};
pub use explain::{Explanation, explain};
pub use policy::{Policy, PolicyError};
pub use rate::{Rated, Rating};
pub use share::{Candidate, Weigher};
pub use standing::{Coverage, Scored};
pub use track::{Tally, Track};
pub use weigh::{Abstain, Closing, Decision, WeighError, closing, closing_under, unsure, weigh, weigh_under};

#[cfg(test)]
mod fixture;
