//! Labels of a crowd: what they say together, and what each worker's are worth.
//!
//! Sums run in a written order, and functions beyond `+ - * / sqrt` come from `libm`, so that the same labels give the same bits on every machine.

mod bounds;
mod crowd;
mod dawid_skene;
mod divide;
mod glad;
mod groups;
mod items;
mod kind;
mod mace;
mod majority;
mod peers;
mod personas;
mod slash;
mod standing;
mod sum;
mod votes;

pub use bounds::lower_bound;
pub use crowd::{CrowdOutcome, CrowdPlan, Interval, Sort, draw_crowd, mixed, pay};
pub use dawid_skene::{Fitted, Iterations, OneCoin, TOLERANCE, dawid_skene, one_coin};
pub use divide::divide;
pub use glad::{Glad, glad};
pub use groups::{once_each, wrong_together};
pub(crate) use kind::Labels;
pub use mace::{Mace, MaceMethod, Spamming, mace};
pub use majority::{
    NoGold, Weighted, agreement, gold_majority, majority, most_likely, wawa, zero_based_skill,
};
pub use peers::{
    PeersError, agreeing, correlated_agreement, delta, dmi, expected, robust_truth_serum, truth_serum,
};
pub use slash::{SLASH_AT, Wager};
pub use standing::{Judged, Standing, judge};
pub use votes::{Vote, Votes, VotesError};

/// Class probabilities: items by classes.
pub type Posterior = ndarray::Array2<f64>;

#[cfg(test)]
mod tests;
