//! From one epoch's records to the vector to publish, or the reason to publish none.
//!
//! The decision is a function of the records alone: the context carries the policy's bytes, the metagraph, the
//! hyperparameters and the standings of earlier epochs; the judgements and the departures are the rest. Whoever holds
//! the journal gets the same bytes. Nothing here falls back: without judgements that earn something there is no vector.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weighhouse_types::{
    EpochContext, Hotkey, Neuron, Record, RegistrationId, Standing, Trail, WeightVector, WeightVectorError,
};
use weighhouse_yuma::check_vec_max_limited;

use crate::conform::{ConformError, Limits};
use crate::error::WeighError;
use crate::policy::{Fraction, Policy};
use crate::rate::Rating;
use crate::share::Weigher;
use crate::standing::{Coverage, EpochRecords, Fold, ScoredMiner};

#[cfg(test)]
mod tests;

/// At most one round in so many may be void: by more, a validator would choose which of its rounds count.
const VOID_SHARE: u64 = 5;

/// Decision on an epoch's weights, from its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    Weights {
        vector: WeightVector,
        /// The version key that the chain asked for when the epoch opened.
        version_key: u64,
        /// Every registered miner with an average, ascending by uid.
        scores: Vec<ScoredMiner>,
    },
    Abstain {
        why: Abstain,
        /// As above: the scores are worth showing even where they are not published.
        scores: Vec<ScoredMiner>,
    },
}

impl Decision {
    pub fn scores(&self) -> &[ScoredMiner] {
        match self {
            Self::Weights { scores, .. } | Self::Abstain { scores, .. } => scores,
        }
    }
}

/// Why nothing is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Abstain {
    #[error("{void} of {rounds} rounds are void, and more than a fifth may not be")]
    VoidRounds { void: u32, rounds: u32 },
    #[error("{} of {} miners judged, the policy wants a share of {least}", coverage.judged, coverage.miners)]
    Coverage { coverage: Coverage, least: Fraction },
    #[error("every average is older than {max_age_epochs} epochs")]
    TooOld { max_age_epochs: u64 },
    #[error("{scored} miners scored, the policy wants {least}")]
    TooFewMiners { scored: u64, least: u16 },
    #[error("none of {scored} scored miners earned anything")]
    NothingEarned { scored: u64 },
    #[error("the policy burns to {hotkey}, which has no uid in this subnet")]
    NoBurnUid { hotkey: Hotkey },
    #[error("no vector can be published: {refusal}")]
    Conform { refusal: ConformError },
    /// Rounding to u16 may lift the largest share over a limit that binds, and equal shares may already lie above it.
    #[error("the chain would refuse the vector: a share is above {limit}/65535")]
    OverLimit { limit: u16 },
}

/// Decides from one epoch's records, in any order: its one context, all its judgements, and who departed since.
/// Records of other kinds are ignored.
///
/// # Errors
/// Refuses records that are not one epoch's or contradict each other; see [`WeighError`].
pub fn weigh(records: &[Record]) -> Result<Decision, WeighError> {
    Ok(decide(&Fold::new(pick(records)?)?))
}

/// Decides as [`weigh`] would if the epoch had been opened under `policy`; what was carried in stays as it is.
///
/// # Errors
/// As [`weigh`].
pub fn weigh_under(policy: &Policy, records: &[Record]) -> Result<Decision, WeighError> {
    Ok(decide(&Fold::under(policy.clone(), pick(records)?)?))
}

/// Miners that deserve a closer look in an epoch, from its records so far: those not scored yet, and those within three
/// standard errors of the policy's floor.
///
/// # Errors
/// As [`weigh`].
pub fn unsure(policy: &Policy, records: &[Record]) -> Result<BTreeSet<RegistrationId>, WeighError> {
    let fold = Fold::under(policy.clone(), pick(records)?)?;
    let floor = i128::from(fold.policy.floor().billionths());
    let is_sure = |neuron: &&Neuron| match (fold.track(neuron.uid), fold.rated(neuron.uid)) {
        (Some(track), Some(rated)) => {
            rated.rating.is_scored()
                && (i128::from(rated.significant) - floor).abs() > 3 * i128::from(track.error())
        }
        _ => false,
    };
    let neurons = fold.context.state.metagraph.neurons.iter();
    Ok(neurons.filter(|neuron| !is_sure(neuron)).map(Neuron::registration).collect())
}

/// State that an epoch leaves to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The average of every miner of the context's metagraph, ascending by registration.
    pub standings: Vec<Standing>,
    /// Windows and variances behind the standings, in the same order; empty for a policy of version 1, which needs none.
    pub trails: Vec<Trail>,
}

/// Closes an epoch: computes the state that the next one carries, from this one's records in any order.
///
/// A miner that departs during the epoch is dropped by the next one's closing, and ignored until then: an average counts only
/// where the context's metagraph shows its registration.
/// A miner judged in this epoch gets its new average; one that was not keeps its old one until that is older than
/// the policy's `max_age_epochs`, when it is forgotten.
///
/// # Errors
/// As [`weigh`].
pub fn closing<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Closing, WeighError> {
    let mut picked = pick(records)?;
    // The averages of the departed still close with this epoch; the next one drops them by its metagraph.
    picked.departed = BTreeSet::new();
    Ok(close(&Fold::new(picked)?))
}

/// Closes as [`closing`] would if the epoch had been opened under `policy`.
///
/// # Errors
/// As [`weigh`].
pub fn closing_under(policy: &Policy, records: &[Record]) -> Result<Closing, WeighError> {
    let mut picked = pick(records)?;
    picked.departed = BTreeSet::new();
    Ok(close(&Fold::under(policy.clone(), picked)?))
}

pub(crate) fn close(fold: &Fold<'_>) -> Closing {
    let mut weigher = Weigher::new();
    // Only for the places that the next epoch's hysteresis needs.
    weigher.weights(&fold.policy, &fold.candidates(&fold.scores()), None);
    let (standings, trails) = fold.closing(weigher.places());
    // Version 1 knew no trails, and its journals must come out byte for byte.
    let trails = if fold.policy.version() == 1 { Vec::new() } else { trails };
    Closing { standings, trails }
}

/// Picks out the records that decide something.
pub(crate) fn pick<'a>(
    records: impl IntoIterator<Item = &'a Record>,
) -> Result<EpochRecords<'a>, WeighError> {
    let mut context: Option<&EpochContext> = None;
    let (mut judged, mut trails, mut likeness) = (Vec::new(), Vec::new(), Vec::new());
    let (mut departures, mut void) = (Vec::new(), BTreeSet::new());
    let mut checks = None;
    let mut trails_of = Vec::new();
    for record in records {
        match record {
            Record::EpochOpened(opened) => match context {
                Some(first) => {
                    return Err(WeighError::SecondContext { first: first.epoch, second: opened.epoch });
                }
                None => context = Some(opened),
            },
            Record::Judged(verdict) => judged.push(verdict),
            Record::Departed { epoch, who, .. } => departures.push((*epoch, who)),
            Record::VoidRound(round) => drop(void.insert(round.round)),
            Record::Trails { epoch, trails: of } => {
                trails_of.push(*epoch);
                trails.extend(of);
            }
            Record::Likeness(round) => likeness.push(round),
            Record::EarlierChecks(earlier) => {
                if checks.replace(earlier).is_some() {
                    return Err(WeighError::SecondChecks);
                }
            }
            // Listed one by one, so that a new record does not compile before it is decided on here.
            Record::Blob { .. }
            | Record::Asked(_)
            | Record::Evidence(_)
            | Record::CheckDraw(_)
            | Record::RoundReceipts(_)
            | Record::Checkpoint(_)
            | Record::Intent(_)
            | Record::IntentUpdate(_)
            | Record::Abstained { .. }
            | Record::FollowUp(_)
            | Record::Answered(_)
            | Record::JudgedTogether(_)
            | Record::PhaseChange(_)
            | Record::CarriedChallenge(_)
            | Record::EpochClosed(_)
            | Record::Extension(_)
            | Record::BlockSeen { .. } => {}
        }
    }
    let context = context.ok_or(WeighError::NoContext)?;
    let opened = context.epoch;
    if let Some(found) = trails_of.into_iter().find(|found| *found != opened) {
        return Err(WeighError::TrailsElsewhere { found, opened });
    }
    let mut departed = BTreeSet::new();
    for (epoch, who) in departures {
        if epoch != opened {
            return Err(WeighError::DepartedElsewhere { departed: epoch, opened });
        }
        departed.extend(who);
    }
    likeness.sort_by_key(|round: &&weighhouse_types::Likeness| round.round);
    // One in which at least half as many were judged as in any is void for the others alone.
    let mut by_round = BTreeMap::<u32, usize>::new();
    let own = judged.iter().filter(|verdict| verdict.asked_in == opened);
    own.for_each(|verdict| *by_round.entry(verdict.round).or_default() += 1);
    let most = by_round.values().copied().max().unwrap_or(0);
    void.retain(|round| by_round.get(round).copied().unwrap_or(0) * 2 < most.max(1));
    let void_rounds = u32::try_from(void.len()).unwrap_or(u32::MAX);
    Ok(EpochRecords { context, judged, trails, likeness, checks, departed, void_rounds })
}

pub(crate) fn decide(fold: &Fold<'_>) -> Decision {
    let scores = fold.scores();
    match vector(fold, &scores) {
        Ok(vector) => {
            let version_key = fold.context.state.hyperparameters.weights_version_key;
            Decision::Weights { vector, version_key, scores }
        }
        Err(why) => Decision::Abstain { why, scores },
    }
}

fn vector(fold: &Fold<'_>, scores: &[ScoredMiner]) -> Result<WeightVector, Abstain> {
    // Before the vector is made: what must not be published is not even computed.
    if let Some(why) = reason_to_abstain(fold, scores) {
        return Err(why);
    }
    let neurons = &fold.context.state.metagraph.neurons;
    let burn = fold.policy.burn().map(|(_, hotkey)| {
        let uid = neurons.iter().find(|neuron| neuron.hotkey == hotkey).map(|neuron| neuron.uid);
        uid.ok_or(Abstain::NoBurnUid { hotkey })
    });
    let limits = Limits::of(&fold.context.state);
    let limit = limits.max_weights_limit;
    let mut entries = Vec::new();
    Weigher::new()
        .vector(&fold.policy, &fold.candidates(scores), burn.transpose()?, &limits, &mut entries)
        .map_err(|refusal| Abstain::Conform { refusal })?;
    // The last gate: no caller can hold a vector that is empty, unordered or all zero.
    let vector = WeightVector::new(entries).map_err(|error| {
        let refusal = match error {
            WeightVectorError::Empty => ConformError::Empty,
            WeightVectorError::AllZero => ConformError::AllZero,
            WeightVectorError::Order(uid) => ConformError::Duplicate { uid },
        };
        Abstain::Conform { refusal }
    })?;
    match check_vec_max_limited(&vector.values(), limit) {
        true => Ok(vector),
        false => Err(Abstain::OverLimit { limit }),
    }
}

fn reason_to_abstain(fold: &Fold<'_>, scores: &[ScoredMiner]) -> Option<Abstain> {
    let policy = &fold.policy;
    let void = fold.void_rounds;
    // Records of before the number was written say nothing of how many there should be.
    let rounds = fold.context.fields.rounds();
    if let Some(rounds) = rounds.filter(|rounds| u64::from(void) * VOID_SHARE > u64::from(*rounds)) {
        return Some(Abstain::VoidRounds { void, rounds });
    }
    let coverage = fold.coverage();
    let least = policy.min_coverage();
    // Multiplied out and not divided, so that no rounding decides over a whole epoch.
    if coverage.judged * Fraction::ONE.billionths() < coverage.miners * least.billionths() {
        return Some(Abstain::Coverage { coverage, least });
    }
    if !scores.is_empty() && scores.iter().all(|scored| scored.rating == Rating::TooOld) {
        return Some(Abstain::TooOld { max_age_epochs: policy.max_age_epochs() });
    }
    let scored = scores.iter().filter(|scored| scored.rating.is_scored()).count() as u64;
    if scored < u64::from(policy.min_miners()) {
        return Some(Abstain::TooFewMiners { scored, least: policy.min_miners() });
    }
    scores.iter().all(|scored| scored.score.billionths() == 0).then_some(Abstain::NothingEarned { scored })
}
