//! What a staked forecast is paid, or loses.

use super::series::ScoreError;

const BILLION: f64 = 1e9;

/// The terms of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PayoutTerms {
    pub corr_multiplier: f64,
    /// Of MMC, BMC or MPC.
    pub contribution_multiplier: f64,
    /// Stake beyond which all are paid less, in proportion.
    pub stake_threshold: f64,
    /// All that is staked in the round.
    pub total_at_risk: f64,
    /// The most that a stake may gain or lose, as a share of it.
    pub clip: f64,
}

/// A payout with what it is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Payout {
    pub score: f64,
    pub payout_factor: f64,
    pub raw: f64,
    pub clipped: f64,
    /// Negative: that much of the stake is burned.
    pub payout: f64,
}

/// stake * clip(factor * score, -clip, clip), where factor = min(1, threshold / total at risk).
///
/// # Errors
/// A term that is no number or out of its range.
pub fn payout(terms: &PayoutTerms, corr: f64, contribution: f64, stake: f64) -> Result<Payout, ScoreError> {
    let PayoutTerms { corr_multiplier, contribution_multiplier, stake_threshold, total_at_risk, clip } =
        *terms;
    let numbers = [corr, contribution, corr_multiplier, contribution_multiplier];
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(ScoreError::OutOfRange { name: "scores and multipliers", within: "finite numbers" });
    }
    let amounts = [stake, stake_threshold, total_at_risk, clip];
    if amounts.iter().any(|amount| !(amount.is_finite() && *amount >= 0.0)) {
        return Err(ScoreError::OutOfRange { name: "stakes and clip", within: "numbers from 0" });
    }
    let score = corr * corr_multiplier + contribution * contribution_multiplier;
    let payout_factor = if total_at_risk > stake_threshold { stake_threshold / total_at_risk } else { 1.0 };
    let raw = payout_factor * score;
    let clipped = raw.clamp(-clip, clip);
    Ok(Payout { score, payout_factor, raw, clipped, payout: stake * clipped })
}

/// The payout in whole rao: the clipped share is rounded to billionths first, the amount towards zero, so that nobody is paid or
/// burned a part of a rao.
pub fn payout_rao(payout: &Payout, stake: u64) -> i64 {
    let billionths = libm::round(payout.clipped * BILLION) as i128;
    let amount = i128::from(stake) * billionths / 1_000_000_000;
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}
