//! Stakes, what they are paid and what of them is burned: whole rao, none of which appears or vanishes.

use super::payout::{PayoutTerms, payout, payout_rao};
use super::round::RoundScore;
use super::series::ScoreError;

/// Everybody's stake, what payouts come from, and what was burned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakeLedger {
    pub stakes: Vec<u64>,
    pub pool: u64,
    pub burned: u64,
}

impl StakeLedger {
    /// All rao that there are.
    pub fn total(&self) -> u128 {
        let stakes = self.stakes.iter().map(|stake| u128::from(*stake)).sum::<u128>();
        stakes + u128::from(self.pool) + u128::from(self.burned)
    }

    /// Pays and burns a round, and gives each one's change. Without a score nothing is won or lost. A pool that isn't enough pays everybody the
    /// same part of what is due.
    ///
    /// # Errors
    /// Terms out of their range; other scores than stakes.
    pub fn settle(
        &mut self,
        terms: &PayoutTerms,
        scores: &[Option<RoundScore>],
    ) -> Result<Vec<i64>, ScoreError> {
        if scores.len() != self.stakes.len() {
            return Err(ScoreError::OutOfRange { name: "scores", within: "one for each stake" });
        }
        let mut due = Vec::with_capacity(scores.len());
        for (stake, score) in self.stakes.iter().zip(scores) {
            due.push(match score {
                Some(score) => payout_rao(&payout(terms, score.corr, score.mmc, *stake as f64)?, *stake),
                None => 0,
            });
        }
        let owed: u128 = due.iter().map(|due| u128::from(due.max(&0).unsigned_abs())).sum();
        let pool = u128::from(self.pool);
        for (stake, due) in self.stakes.iter_mut().zip(&mut due) {
            let amount = due.unsigned_abs();
            if *due < 0 {
                let burned = amount.min(*stake);
                (*stake, self.burned) = (*stake - burned, self.burned + burned);
                *due = -i64::try_from(burned).unwrap_or(i64::MAX);
            } else {
                let paid = if owed > pool { (u128::from(amount) * pool / owed) as u64 } else { amount };
                (*stake, self.pool) = (stake.saturating_add(paid), self.pool - paid);
                *due = i64::try_from(paid).unwrap_or(i64::MAX);
            }
        }
        Ok(due)
    }
}
