//! Forecasts scored as tournaments of forecasts score them: predictions by id, a target that comes later, a meta-model.
//!
//! Formulas are those of Numerai's public documentation, figures those of its `numerai-tools` 0.7.2. Sums run in the order of the ids, and
//! functions beyond `+ - * / sqrt` come from `libm`, so that the same files give the same bits on every machine.

mod churn;
mod kind;
mod linear;
mod normal;
mod panel;
mod payout;
mod personas;
mod portfolio;
mod round;
mod scores;
mod series;
mod significance;
mod stakes;
mod tournament;

pub use churn::{ChurnPenalty, churn, churn_top_bottom, turnover};
pub(crate) use kind::Tournament;
pub use linear::Neutralizers;
pub use payout::{Payout, PayoutTerms, payout, payout_rao};
pub use portfolio::{Portfolio, alpha, meta_portfolio_contribution, stake_weighted};
pub use round::{COPY, RoundScore, ScoredRound, score_round, weighted};
pub use scores::{CorrTerms, contribution, corr, feature_neutral_corr, neutral_contribution, neutral_corr};
pub use series::{ScoreError, Series};
pub use significance::{ERRORS_OFF, newey_west, proven};
pub use stakes::StakeLedger;
pub use tournament::{Forecaster, TournamentOutcome, TournamentPlan, draw_tournament, everybody};

#[cfg(test)]
mod tests;
