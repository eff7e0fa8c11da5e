//! Keep asking until sure: a sequential test over margins, and whom the judge's budget is spent on.
//!
//! A. Wald's sequential probability ratio test (1945) between two measured distributions of a token's margin: that of
//! honest miners and that of the cheat which is hardest to tell. Every checked token moves the log-odds by what its
//! margin's bin says; at `ln((1 - miss) / false_alarm)` the miner is convicted, at `ln(miss / (1 - false_alarm))` it is
//! cleared. By Wald's inequality neither error is more frequent than about as declared, and no fixed number of checks
//! with the same error rates needs fewer tokens on average.
//!
//! Who is checked: newcomers and suspects always, the convicted no more (they are paid nothing until the epoch ends), all
//! others when the draw falls on them, and a settled miner whose average is low until it is cleared again. All of it
//! follows from an epoch's own records, in their order.
//!
//! **Invariant.** `f64` sums in one fixed order over recorded bytes: an auditor reaches the same verdict.

mod attention;
mod file;
mod pretence;
mod repetitions;
mod sprt;

pub use attention::{Attention, Watch};
pub use file::{Budget, Terms};
pub(crate) use file::{BudgetError, RawBudget};
pub(crate) use pretence::rate_at_most;
pub use pretence::{
    DrawTerms, Examination, ExaminedPretence, NearStrategy, Pretence, PretenceFigures, PretenceVerdict,
    Stakes, Strategies, Strategy, StrategyFigures, StrategyWorth,
};
pub use repetitions::Repetitions;
pub use sprt::{EDGES, LogOddsWalk, SequentialTest, Verdict};

#[cfg(test)]
mod tests;
