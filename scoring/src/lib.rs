//! From judgements to weights, as pure functions.
//!
//! [`mod@weigh`] folds one epoch's recorded judgements into averages by registration ([`track`]), rates each of them under
//! the [`policy`] ([`rate`]), shares the whole among them ([`share`]) and turns the shares into the u16 vector that a
//! validator publishes ([`mod@conform`]), or gives the reason to publish none; [`mod@explain`] says in words why.
//! [`replay`], [`diff`] and [`path`] ask the same of journals: another policy, the difference, every figure on the way;
//! [`mod@forecast`] asks it of a miner that isn't judged yet, [`mod@statement`] what each check cost one.
//!
//! **Invariant.** Nothing here reads a clock, a file, a socket or a random number. Averages and scores are integers; an
//! expression's value, shares and conforming are IEEE doubles of the four basic operations and `libm`'s functions, in a
//! written order. So any machine gives the same bytes.

pub mod policy;

mod burn;
mod cluster;
mod error;
mod newcomers;
pub mod rate;
pub mod share;
mod standing;
pub mod track;
pub mod weigh;

pub mod conform;
pub mod explain;
pub mod forecast;

pub mod diff;
pub mod path;
pub mod replay;
pub mod statement;

pub use burn::MiningBurn;
pub use conform::{ConformError, Limits, conform};
pub use error::WeighError;
pub use explain::{Explainer, Explanation, explain};
pub use policy::{Policy, PolicyError};
pub use rate::{Rating, RatingFigures};
pub use share::{Candidate, Weigher};
pub use standing::{Coverage, ScoredMiner};
pub use track::{Tally, Track};
pub use weigh::{Abstain, Closing, Decision, closing, closing_under, unsure, weigh, weigh_under};

#[cfg(test)]
mod fixture;
