//! What a registration has earned: one epoch's verdicts folded into the averages carried from epochs before.
//!
//! Marks are signed and averaged first; clipping to a score comes last, so that bad luck and good luck cancel. All
//! of it is integer arithmetic in billionths, every division rounds to nearest with halves away from zero, and
//! everything is keyed by (hotkey, registration block), so that neither a uid nor the order of records matters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weighhouse_types::{EpochContext, Judged, Mark, Neuron, RegistrationId, Score, Standing, Uid};

use crate::policy::{Fraction, Policy};
use crate::weigh::WeighError;

#[cfg(test)]
mod tests;

/// Why a registration's score counts or is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    /// The score counts, be it zero.
    Scored,
    /// The average is below the policy's `min_mark`; it counts as a score of zero.
    BelowMinMark,
    /// Fewer verdicts than the policy's `min_attempts`: not scored yet.
    TooFewAttempts,
    /// The last verdict is older than the policy's `max_score_age_epochs`: not scored any more.
    TooOld,
}

impl Rating {
    pub(crate) fn is_scored(self) -> bool {
        matches!(self, Self::Scored | Self::BelowMinMark)
    }
}

/// A registered miner's score at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Scored {
    pub uid: Uid,
    pub who: RegistrationId,
    pub score: Score,
    /// Verdicts of this epoch.
    pub attempts: u64,
    pub rating: Rating,
}

/// How many miners the epoch judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Miners with at least one verdict in this epoch.
    pub judged: u64,
    /// Neurons, the validator itself and the departed aside, that published an axon or were judged.
    pub miners: u64,
}

/// The records of one epoch that decide something, in any order.
#[derive(Debug)]
pub(crate) struct EpochRecords<'a> {
    pub(crate) context: &'a EpochContext,
    pub(crate) judged: Vec<&'a Judged>,
    /// Registrations that ended after the epoch was opened.
    pub(crate) departed: BTreeSet<RegistrationId>,
}

/// One epoch's records, checked against each other.
#[derive(Debug)]
pub(crate) struct Fold<'a> {
    pub(crate) context: &'a EpochContext,
    pub(crate) policy: Policy,
    /// By registration; each list by (round, challenge), whatever order the records came in.
    verdicts: BTreeMap<RegistrationId, Vec<&'a Judged>>,
    departed: BTreeSet<RegistrationId>,
    /// Registered miners with an average at the epoch's end, those too old included; ascending by uid.
    standings: Vec<(Uid, Standing)>,
}

impl<'a> Fold<'a> {
    pub(crate) fn new(records: EpochRecords<'a>) -> Result<Self, WeighError> {
        let EpochRecords { context, judged, departed } = records;
        let policy = Policy::parse(&context.policy)?;
        check_context(context)?;
        let verdicts = group(context, judged)?;
        let carried: BTreeMap<_, _> =
            context.carried.iter().map(|standing| (standing.who, standing)).collect();
        let mut fold = Self { context, policy, verdicts, departed, standings: Vec::new() };
        for neuron in fold.others().filter(|neuron| !fold.has_departed(neuron)).collect::<Vec<_>>() {
            let who = neuron.registration();
            let carried = carried.get(&who).copied();
            let standing = if fold.verdicts(&who).is_empty() {
                carried.copied()
            } else {
                let carried = carried.filter(|carried| !fold.is_too_old(carried));
                Some(fold.judged_standing(who, carried))
            };
            fold.standings.extend(standing.map(|standing| (neuron.uid, standing)));
        }
        Ok(fold)
    }

    /// All neurons but the validator itself: the chain ignores a weight on oneself, so nothing is made of one.
    fn others(&self) -> impl Iterator<Item = &'a Neuron> + use<'a> {
        let validator = self.context.validator;
        self.context.state.metagraph.neurons.iter().filter(move |neuron| neuron.hotkey != validator)
    }

    /// Neurons that offered themselves to be judged or were judged, be they departed since; ascending by uid.
    pub(crate) fn offered(&self) -> impl Iterator<Item = &'a Neuron> {
        self.others()
            .filter(|neuron| neuron.axon.is_some() || !self.verdicts(&neuron.registration()).is_empty())
    }

    pub(crate) fn has_departed(&self, neuron: &Neuron) -> bool {
        self.departed.contains(&neuron.registration())
    }

    /// This epoch's verdicts on a registration, by (round, challenge).
    pub(crate) fn verdicts(&self, who: &RegistrationId) -> &[&'a Judged] {
        self.verdicts.get(who).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn coverage(&self) -> Coverage {
        let mut coverage = Coverage { judged: 0, miners: 0 };
        for neuron in self.offered().filter(|neuron| !self.has_departed(neuron)) {
            coverage.miners += 1;
            coverage.judged += u64::from(!self.verdicts(&neuron.registration()).is_empty());
        }
        coverage
    }

    /// Every registered miner with an average, ascending by uid.
    pub(crate) fn scores(&self) -> Vec<Scored> {
        let scored = |(uid, standing): &(Uid, Standing)| {
            let score = Score::clip(standing.average);
            let rating = self.rate(standing, score);
            Scored {
                uid: *uid,
                who: standing.who,
                score: if rating == Rating::Scored { score } else { Score::ZERO },
                attempts: self.verdicts(&standing.who).len() as u64,
                rating,
            }
        };
        self.standings.iter().map(scored).collect()
    }

    /// What the next epoch carries: see [`crate::weigh::closing_standings`].
    pub(crate) fn closing(&self) -> Vec<Standing> {
        let mut closing: Vec<Standing> = self
            .standings
            .iter()
            .map(|(_, standing)| *standing)
            .filter(|standing| !self.is_too_old(standing))
            .collect();
        closing.sort_by_key(|standing| standing.who);
        closing
    }

    pub(crate) fn standing(&self, uid: Uid) -> Option<&Standing> {
        let at = self.standings.iter().position(|(other, _)| *other == uid)?;
        Some(&self.standings[at].1)
    }

    fn rate(&self, standing: &Standing, score: Score) -> Rating {
        if self.is_too_old(standing) {
            Rating::TooOld
        } else if standing.attempts < self.policy.min_attempts() {
            Rating::TooFewAttempts
        } else if score.billionths() < self.policy.min_mark().billionths() {
            Rating::BelowMinMark
        } else {
            Rating::Scored
        }
    }

    fn is_too_old(&self, standing: &Standing) -> bool {
        self.context.epoch.0.saturating_sub(standing.judged_in.0) > self.policy.max_score_age_epochs()
    }

    fn judged_standing(&self, who: RegistrationId, carried: Option<&Standing>) -> Standing {
        let verdicts = self.verdicts(&who);
        let fresh = mean(verdicts);
        Standing {
            who,
            average: carried.map_or(fresh, |carried| blend(carried.average, fresh, self.policy.memory())),
            attempts: carried.map_or(0, |carried| carried.attempts).saturating_add(verdicts.len() as u64),
            judged_in: self.context.epoch,
        }
    }
}

fn check_context(context: &EpochContext) -> Result<(), WeighError> {
    let mut neurons = context.state.metagraph.neurons.iter().enumerate();
    if let Some((position, neuron)) = neurons.find(|(position, neuron)| neuron.uid.index() != *position) {
        return Err(WeighError::MetagraphOrder { uid: neuron.uid, position });
    }
    if let Some(pair) = context.carried.windows(2).find(|pair| pair[0].who >= pair[1].who) {
        return Err(WeighError::CarriedOrder { who: pair[1].who.hotkey });
    }
    match context.carried.iter().find(|standing| standing.judged_in >= context.epoch) {
        Some(standing) => {
            Err(WeighError::CarriedFromFuture { who: standing.who.hotkey, judged_in: standing.judged_in })
        }
        None => Ok(()),
    }
}

fn group<'a>(
    context: &EpochContext,
    judged: Vec<&'a Judged>,
) -> Result<BTreeMap<RegistrationId, Vec<&'a Judged>>, WeighError> {
    let mut verdicts: BTreeMap<RegistrationId, Vec<&Judged>> = BTreeMap::new();
    let mut attempts = BTreeSet::new();
    for verdict in judged {
        let uid = verdict.uid;
        if verdict.epoch != context.epoch {
            return Err(WeighError::WrongEpoch { uid, judged: verdict.epoch, opened: context.epoch });
        }
        let Some(neuron) = context.state.metagraph.neuron(uid) else {
            return Err(WeighError::UnknownUid { uid });
        };
        if neuron.registration() != verdict.who {
            return Err(WeighError::WrongRegistration { uid, judged: verdict.who.hotkey });
        }
        if !attempts.insert((verdict.round, verdict.challenge, uid)) {
            return Err(WeighError::JudgedTwice { uid, round: verdict.round });
        }
        verdicts.entry(verdict.who).or_default().push(verdict);
    }
    for list in verdicts.values_mut() {
        list.sort_by_key(|verdict| (verdict.round, verdict.challenge));
    }
    Ok(verdicts)
}

/// The average mark of at least one verdict.
fn mean(verdicts: &[&Judged]) -> Mark {
    let sum = verdicts.iter().map(|verdict| i128::from(verdict.judgement.mark.billionths())).sum();
    mark(divide(sum, verdicts.len() as i128))
}

/// `memory` parts of the carried average, the rest of the fresh one.
fn blend(carried: Mark, fresh: Mark, memory: Fraction) -> Mark {
    let one = i128::from(Fraction::ONE.billionths());
    let kept = i128::from(memory.billionths());
    let sum = kept * i128::from(carried.billionths()) + (one - kept) * i128::from(fresh.billionths());
    mark(divide(sum, one))
}

/// To the nearest integer, halves away from zero; `by` is positive.
fn divide(value: i128, by: i128) -> i128 {
    let half = if value < 0 { -(by / 2) } else { by / 2 };
    (value + half) / by
}

fn mark(billionths: i128) -> Mark {
    i64::try_from(billionths)
        .ok()
        .and_then(Mark::from_billionths)
        .expect("an average of marks lies between them")
}
