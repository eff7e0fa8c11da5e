//! Recorded epochs through the same functions as the live validator, under the recorded policy or under another one.
//!
//! Under the recorded policies each epoch is weighed from its own records alone, so the bytes are those of the live
//! validator. Under another policy the averages are carried from epoch to epoch by that policy; the first replayed epoch
//! takes in what was carried in when it was recorded.

use serde::Serialize;
use weighhouse_types::{Digest, Epoch, EpochContext, IntentState, Record, RegistrationId, Uid, WeightVector};

use crate::error::WeighError;
use crate::policy::Policy;
use crate::standing::Fold;
use crate::weigh::{Closing, Decision, close, decide, pick};

#[cfg(test)]
mod tests;

/// One epoch replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayedEpoch {
    pub epoch: Epoch,
    /// The digest of the policy that was live when the epoch was recorded.
    pub recorded_policy: Digest,
    pub judgements: u64,
    pub decision: Decision,
    /// The vector that the validator meant to publish, if it decided on one.
    pub intended: Option<WeightVector>,
    /// True if that was read back from the chain.
    pub published: bool,
    /// True if the replay gives what the validator meant to publish, or abstains where it abstained. Absent for an epoch
    /// that was never decided.
    pub matches: Option<bool>,
}

impl ReplayedEpoch {
    /// The vector, where there is one.
    pub fn vector(&self) -> Option<&WeightVector> {
        match &self.decision {
            Decision::Weights { vector, .. } => Some(vector),
            Decision::Abstain { .. } => None,
        }
    }

    /// Shares of the vector by miner, in [0, 1].
    pub fn shares(&self) -> Vec<(Uid, RegistrationId, f64)> {
        let Some(vector) = self.vector() else { return Vec::new() };
        let total: u64 = vector.entries().iter().map(|(_, weight)| u64::from(*weight)).sum();
        let weight = |uid: Uid| {
            let at = vector.entries().binary_search_by_key(&uid, |(other, _)| *other).ok();
            at.map_or(0, |at| vector.entries()[at].1)
        };
        let share = |scored: &crate::standing::ScoredMiner| {
            (scored.uid, scored.who, f64::from(weight(scored.uid)) / total as f64)
        };
        self.decision.scores().iter().map(share).collect()
    }
}

/// Counts over replayed epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayTotals {
    pub epochs: u64,
    pub judgements: u64,
    /// Epochs in which the validator decided on a vector, or against one.
    pub decided: u64,
    /// Decided epochs for which the replay gives something else.
    pub differ: u64,
}

impl ReplayTotals {
    /// Takes in one more epoch.
    pub fn add(&mut self, replayed: &ReplayedEpoch) {
        self.epochs += 1;
        self.judgements += replayed.judgements;
        self.decided += u64::from(replayed.matches.is_some());
        self.differ += u64::from(replayed.matches == Some(false));
    }
}

/// Why epochs can't be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("epoch {after} comes after epoch {before}: replay a journal from its oldest epoch on")]
    Order { before: Epoch, after: Epoch },
    #[error(transparent)]
    Weigh(#[from] WeighError),
}

/// Replays epochs in their order.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    policy: Option<Policy>,
    carried: Option<Closing>,
    last: Option<Epoch>,
}

impl Replay {
    /// Under the policy that each epoch was recorded with.
    pub fn recorded() -> Self {
        Self::default()
    }

    /// Under another policy.
    pub fn under(policy: Policy) -> Self {
        Self { policy: Some(policy), ..Self::default() }
    }

    /// Replays one epoch's records.
    ///
    /// # Errors
    /// Refuses epochs out of order, and records that are not one epoch's; see [`WeighError`].
    pub fn epoch(&mut self, records: &[Record]) -> Result<ReplayedEpoch, ReplayError> {
        let carried = self.carried.take();
        let substitute: EpochContext;
        let mut picked = pick(records)?;
        let recorded = picked.context;
        if let Some(before) = self.last.filter(|before| *before >= recorded.epoch) {
            return Err(ReplayError::Order { before, after: recorded.epoch });
        }
        self.last = Some(recorded.epoch);
        let judgements = picked.judged.len() as u64;
        let decision = match &self.policy {
            None => decide(&Fold::new(picked)?),
            Some(policy) => {
                // From the second epoch on the standings are this policy's own, not the recorded ones.
                if let Some(carried) = &carried {
                    substitute = EpochContext { carried: carried.standings.clone(), ..recorded.clone() };
                    picked.context = &substitute;
                    picked.trails = carried.trails.iter().collect();
                }
                let departed = std::mem::take(&mut picked.departed);
                let mut fold = Fold::under(policy.clone(), picked)?;
                // Closed before the departed go, as the validator does.
                self.carried = Some(close(&fold));
                fold.depart(departed);
                decide(&fold)
            }
        };
        let (intended, published, abstained) = outcome(records);
        let vector = match &decision {
            Decision::Weights { vector, .. } => Some(vector),
            Decision::Abstain { .. } => None,
        };
        let matches = (intended.is_some() || abstained).then(|| intended.as_ref() == vector);
        Ok(ReplayedEpoch {
            epoch: recorded.epoch,
            recorded_policy: Policy::hash(&recorded.policy),
            judgements,
            decision,
            intended,
            published,
            matches,
        })
    }
}

/// The vector of the last intent, true if it was published, and true if the validator abstained.
fn outcome(records: &[Record]) -> (Option<WeightVector>, bool, bool) {
    let (mut intended, mut id, mut published, mut abstained) = (None, None, false, false);
    for record in records {
        match record {
            Record::Intent(intent) => {
                (intended, id, published) = (Some(intent.weights.clone()), Some(intent.id), false);
            }
            Record::IntentUpdate(update) if Some(update.intent) == id => {
                published |= matches!(update.state, IntentState::Published { .. });
            }
            Record::Abstained { .. } => abstained = true,
            _ => {}
        }
    }
    (intended, published, abstained)
}
