//! Forecasts scored as tournaments of forecasts score them: predictions by id, a target that comes later, a meta-model.
//!
//! Formulas are those of Numerai's public documentation, figures those of its `numerai-tools` 0.7.2. Sums run in the order of the ids, and
//! functions beyond `+ - * / sqrt` come from `libm`, so that the same files give the same bits on every machine.

mod churn;
mod linear;
mod normal;
mod payout;
mod portfolio;
mod scores;
mod series;

pub use churn::{ChurnPenalty, churn, churn_top_bottom, turnover};
pub use linear::Neutralizers;
pub use payout::{Payout, PayoutTerms, payout, payout_rao};
pub use portfolio::{Portfolio, alpha, meta_portfolio_contribution, stake_weighted};
pub use scores::{CorrTerms, contribution, corr, feature_neutral_corr, neutral_contribution, neutral_corr};
pub use series::{ScoreError, Series};

#[cfg(test)]
mod tests;
