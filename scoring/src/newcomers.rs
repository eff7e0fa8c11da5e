//! Newcomers' terms, where a task leaves unproven answers unchecked: who isn't paid yet, and who was convicted.
//!
//! They hold in an epoch whose records have [`EarlierChecks`]; epochs of before are weighed as they always were.

use std::collections::BTreeMap;

use weighhouse_types::{CheckedMiner, EarlierChecks, Outcome, RegistrationId, Score, VerdictRecord};

use crate::error::WeighError;
use crate::rate::{Rating, RatingFigures};

#[cfg(test)]
mod tests;

/// The terms of one epoch.
#[derive(Debug)]
pub(crate) struct NewcomerTerms<'a> {
    /// Answers that checks have to accept before whoever comes after others is paid.
    pub(crate) least: u64,
    miners: BTreeMap<RegistrationId, &'a CheckedMiner>,
    newcomers_wait: bool,
}

impl<'a> NewcomerTerms<'a> {
    pub(crate) fn new(earlier: &'a EarlierChecks) -> Result<Self, WeighError> {
        if let Some(pair) = earlier.miners.windows(2).find(|pair| pair[0].who >= pair[1].who) {
            return Err(WeighError::ChecksOrder { who: pair[1].who.hotkey });
        }
        let least = earlier.newcomer_checks;
        let miners = earlier.miners.iter().map(|miner| (miner.who, miner)).collect();
        Ok(Self { least, miners, newcomers_wait: earlier.make_newcomers_wait() })
    }

    /// Answers of this miner that checks of earlier epochs accepted.
    pub(crate) fn accepted(&self, who: &RegistrationId) -> u64 {
        self.miners.get(who).map_or(0, |miner| miner.accepted)
    }

    fn is_on_probation(&self, who: &RegistrationId) -> bool {
        match self.miners.get(who) {
            Some(miner) => miner.on_probation && miner.accepted < self.least,
            // As long as nobody is settled all answers are checked, and nobody has to wait.
            None => self.newcomers_wait,
        }
    }

    /// A rating as these terms leave it: a conviction and a probation take all of it.
    pub(crate) fn apply(&self, who: &RegistrationId, is_convicted: bool, rated: &mut RatingFigures) {
        let rating = match (is_convicted, self.is_on_probation(who)) {
            (true, _) => Rating::Convicted,
            (false, true) => Rating::OnProbation,
            (false, false) => return,
        };
        (rated.rating, rated.score) = (rating, Score::ZERO);
    }
}

/// Tells whether a verdict was reached without a check.
pub(crate) fn is_unchecked(verdict: &VerdictRecord) -> bool {
    verdict.judgement.outcome() == Some(Outcome::Unchecked)
}

/// Tells whether a verdict convicts its miner.
pub(crate) fn is_conviction(verdict: &VerdictRecord) -> bool {
    verdict.judgement.outcome() == Some(Outcome::Convicted)
}
