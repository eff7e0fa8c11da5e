//! One miner's way from its answers to its weight, step by step, in the figures that decided.

use serde::Serialize;
use weighhouse_types::{Digest, Epoch, Judgement, LaterAnswers, Record, RegistrationId, Uid};

use crate::burn::MiningBurn;
use crate::error::WeighError;
use crate::rate::RatingFigures;
use crate::share::Weigher;
use crate::standing::Fold;
use crate::weigh::{Decision, decide, pick};

#[cfg(test)]
mod tests;

/// One verdict on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The epoch that asked: an earlier one where the truth came later.
    pub asked_in: Epoch,
    pub round: u32,
    pub challenge: Digest,
    pub judgement: Judgement,
    /// `None` where nothing judgeable came back.
    pub latency_us: Option<u64>,
}

/// The whole way. Amounts without a unit are billionths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Path {
    pub epoch: Epoch,
    pub uid: Uid,
    pub who: RegistrationId,
    pub verdicts: Vec<Step>,
    /// Answers that await their truth.
    pub awaiting: usize,
    /// The mean value of this epoch's verdicts.
    pub epoch_mean: i64,
    /// Answers that came in time.
    pub in_time: u32,
    /// The average that was carried in, if any.
    pub carried: Option<i64>,
    /// Verdicts over all epochs.
    pub attempts: u64,
    /// From the average to the score.
    pub rated: RatingFigures,
    pub cluster: Option<u32>,
    /// Its place among the ranked, where the shape ranks; the best is 0.
    pub place: Option<u16>,
    /// Its share of all weights before the chain's limits, in [0, 1].
    pub share: f64,
    /// The weight that the vector gives it; `None` where there is no vector.
    pub weight: Option<u16>,
    /// Why there is no vector.
    pub abstains: Option<String>,
    /// The miner gets the policy's burn on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mining_burn: Option<MiningBurn>,
}

/// Why a miner has no path in an epoch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("epoch {epoch} {}", unknown(*uid, *awaiting, *void))]
    Unknown {
        epoch: Epoch,
        uid: Uid,
        /// Its answers that await their truth.
        awaiting: usize,
        /// The epoch's void rounds.
        void: usize,
    },
    #[error(transparent)]
    Weigh(#[from] WeighError),
}

/// Follows `uid` through one epoch's records.
///
/// # Errors
/// An epoch without an average of the miner, or records that can't be weighed.
pub fn path(records: &[Record], uid: Uid) -> Result<Path, PathError> {
    let fold = Fold::new(pick(records)?)?;
    let epoch = fold.context.epoch;
    let awaiting = LaterAnswers::of(records).awaiting.iter().filter(|answer| answer.uid == uid).count();
    let void = records.iter().filter(|record| matches!(record, Record::VoidRound(_))).count();
    let unknown = PathError::Unknown { epoch, uid, awaiting, void };
    let (Some(track), Some(rated)) = (fold.track(uid), fold.rated(uid)) else { return Err(unknown) };
    let scores = fold.scores();
    let candidates = fold.candidates(&scores);
    let at = candidates.iter().position(|candidate| candidate.uid == uid).ok_or(unknown)?;
    let mut weigher = Weigher::new();
    let weights = weigher.weights(&fold.policy, &candidates, None);
    let (weight, total) = (weights[at].1, weights.iter().fold(0.0, |total, (_, weight)| total + weight));
    let place = weigher.places().get(at).copied().flatten();
    let tally = fold.tally(uid);
    let who = scores[at].who;
    let step = |verdict: &&weighhouse_types::VerdictRecord| Step {
        asked_in: verdict.asked_in,
        round: verdict.round,
        challenge: verdict.challenge,
        judgement: verdict.judgement.clone(),
        latency_us: verdict.exchange.as_ref().map(|exchange| exchange.latency_us),
    };
    let decision = decide(&fold);
    let mining_burn = MiningBurn::of(&fold.policy, &decision).filter(|burn| burn.uid == uid);
    let (vector, abstains) = match decision {
        Decision::Weights { vector, .. } => (Some(vector), None),
        Decision::Abstain { why, .. } => (None, Some(why.to_string())),
    };
    let sent = |vector: weighhouse_types::WeightVector| {
        vector.entries().iter().find(|(other, _)| *other == uid).map_or(0, |(_, weight)| *weight)
    };
    Ok(Path {
        epoch,
        uid,
        who,
        verdicts: fold.verdicts(uid).iter().map(step).collect(),
        awaiting,
        epoch_mean: tally.mean(),
        in_time: tally.in_time,
        carried: fold
            .context
            .carried
            .iter()
            .find(|standing| standing.who == who)
            .map(|standing| standing.average.billionths()),
        attempts: track.attempts,
        rated,
        cluster: candidates[at].cluster,
        place,
        share: if total > 0.0 { weight / total } else { 0.0 },
        weight: vector.map(sent),
        abstains,
        mining_burn,
    })
}

fn unknown(uid: Uid, awaiting: usize, void: usize) -> String {
    match (awaiting, void) {
        (0, 0) => format!("knows nothing of uid {uid}: it was not judged and carries no average"),
        (0, void) => format!("has no verdict on uid {uid}, as {void} of its rounds are void"),
        _ => format!("has no verdict on uid {uid} yet: {}", LaterAnswers::in_words(awaiting)),
    }
}
