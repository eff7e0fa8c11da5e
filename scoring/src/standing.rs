//! Standings of registrations at an epoch's end: the epoch's verdicts folded into what was carried in.
//!
//! Everything is keyed by (hotkey, registration block), so that neither a uid nor the order of records matters.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weighhouse_types::{
    EarlierChecks, EpochContext, Likeness, Mark, Neuron, RegistrationId, Score, Standing, Trail, TrailEpoch,
    Uid, VerdictRecord,
};

use crate::error::WeighError;
use crate::newcomers::{self, NewcomerTerms};
use crate::policy::{ClusterPay, Policy};
use crate::rate::{Rating, RatingFigures};
use crate::share::Candidate;
use crate::track::{EpochMean, Tally, Track, VARIANCE_MAX};

#[cfg(test)]
mod tests;

/// A registered miner's score at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ScoredMiner {
    pub uid: Uid,
    pub who: RegistrationId,
    pub score: Score,
    /// Verdicts of this epoch.
    pub attempts: u64,
    pub rating: Rating,
}

/// Numbers of miners, and of miners judged in the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Miners with as many verdicts in this epoch as the policy asks for.
    pub judged: u64,
    /// Neurons, the validator itself and the departed aside, that published an axon or were judged.
    pub miners: u64,
}

/// The records of one epoch that decide something, in any order.
#[derive(Debug)]
pub(crate) struct EpochRecords<'a> {
    pub(crate) context: &'a EpochContext,
    pub(crate) judged: Vec<&'a VerdictRecord>,
    pub(crate) trails: Vec<&'a Trail>,
    pub(crate) likeness: Vec<&'a Likeness>,
    pub(crate) checks: Option<&'a EarlierChecks>,
    /// Registrations that ended after the epoch was opened.
    pub(crate) departed: BTreeSet<RegistrationId>,
    /// Rounds that are void as a whole.
    pub(crate) void_rounds: u32,
}

/// One epoch's records, checked against each other.
#[derive(Debug)]
pub(crate) struct Fold<'a> {
    pub(crate) context: &'a EpochContext,
    pub(crate) policy: Policy,
    /// By uid; each list by (round, challenge), whatever order the records came in.
    verdicts: Vec<Vec<&'a VerdictRecord>>,
    likeness: Vec<&'a Likeness>,
    pub(crate) void_rounds: u32,
    /// `None` under the terms of earlier task files, and of tasks that check every answer.
    pub(crate) newcomers: Option<NewcomerTerms<'a>>,
    departed: BTreeSet<RegistrationId>,
    /// Registered miners with an average at the epoch's end, those too old included; ascending by uid.
    tracks: Vec<(Uid, RegistrationId, Track)>,
}

impl<'a> Fold<'a> {
    pub(crate) fn new(records: EpochRecords<'a>) -> Result<Self, WeighError> {
        let policy = Policy::parse(&records.context.policy)?;
        Self::under(policy, records)
    }

    /// As if the epoch had been opened under another policy.
    pub(crate) fn under(policy: Policy, records: EpochRecords<'a>) -> Result<Self, WeighError> {
        let EpochRecords { context, judged, trails, likeness, checks, departed, void_rounds } = records;
        check_context(context)?;
        if let Some(other) = likeness.iter().find(|likeness| likeness.epoch != context.epoch) {
            return Err(WeighError::LikenessElsewhere { found: other.epoch, opened: context.epoch });
        }
        if let Some(checks) = checks.filter(|checks| checks.epoch != context.epoch) {
            return Err(WeighError::ChecksElsewhere { found: checks.epoch, opened: context.epoch });
        }
        let newcomers = checks.map(NewcomerTerms::new).transpose()?;
        let verdicts = group(context, judged)?;
        let mut carried = carried(context, trails)?;
        let tracks = Vec::new();
        let mut fold = Self { context, policy, verdicts, likeness, void_rounds, newcomers, departed, tracks };
        for neuron in fold.others().filter(|neuron| !fold.has_departed(neuron)).collect::<Vec<_>>() {
            let who = neuron.registration();
            let tally = fold.tally(neuron.uid);
            let track = carried.remove(&who);
            // A miner that was never judged has no average, and no average is not one of 0.
            if track.is_none() && tally.count == 0 {
                continue;
            }
            let mut track = track.unwrap_or_default();
            track.fold(&fold.policy, context.epoch.0, &tally);
            fold.tracks.push((neuron.uid, who, track));
        }
        Ok(fold)
    }

    /// Drops who departed since, as weighing does and closing does not.
    pub(crate) fn depart(&mut self, departed: BTreeSet<RegistrationId>) {
        self.tracks.retain(|(_, who, _)| !departed.contains(who));
        self.departed = departed;
    }

    /// All neurons but the validator itself: the chain ignores a weight on oneself, so nothing is made of one.
    fn others(&self) -> impl Iterator<Item = &'a Neuron> + use<'a> {
        let validator = self.context.validator;
        // By hotkey and not by uid: the validator's own uid may change within its life.
        self.context.state.metagraph.neurons.iter().filter(move |neuron| neuron.hotkey != validator)
    }

    /// Neurons that offered themselves to be judged or were judged, be they departed since; ascending by uid.
    pub(crate) fn offered(&self) -> impl Iterator<Item = &'a Neuron> {
        self.others().filter(|neuron| neuron.axon.is_some() || !self.verdicts(neuron.uid).is_empty())
    }

    pub(crate) fn has_departed(&self, neuron: &Neuron) -> bool {
        self.departed.contains(&neuron.registration())
    }

    /// This epoch's verdicts on a uid, by (round, challenge).
    pub(crate) fn verdicts(&self, uid: Uid) -> &[&'a VerdictRecord] {
        self.verdicts.get(uid.index()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn tally(&self, uid: Uid) -> Tally {
        let mut tally = Tally::default();
        for verdict in self.verdicts(uid) {
            let latency = verdict.exchange.as_ref().map(|exchange| exchange.latency_us);
            let mark = verdict.judgement.mark.billionths();
            match self.newcomers.is_some() && newcomers::is_unchecked(verdict) {
                true => tally.add_unchecked(&self.policy, mark, latency),
                false => tally.add(&self.policy, mark, latency),
            }
        }
        tally
    }

    /// Tells whether a miner was convicted in this epoch, which then takes its score and its average.
    pub(crate) fn is_convicted(&self, uid: Uid) -> bool {
        self.newcomers.is_some() && self.verdicts(uid).iter().any(|verdict| newcomers::is_conviction(verdict))
    }

    pub(crate) fn coverage(&self) -> Coverage {
        let mut coverage = Coverage { judged: 0, miners: 0 };
        let least = usize::try_from(self.policy.min_samples()).unwrap_or(usize::MAX);
        for neuron in self.offered().filter(|neuron| !self.has_departed(neuron)) {
            coverage.miners += 1;
            coverage.judged += u64::from(self.verdicts(neuron.uid).len() >= least);
        }
        coverage
    }

    /// Every registered miner with an average, ascending by uid.
    pub(crate) fn scores(&self) -> Vec<ScoredMiner> {
        let scored = |(uid, who, track): &(Uid, RegistrationId, Track)| {
            let RatingFigures { score, rating, .. } = self.rate(*uid, who, track);
            ScoredMiner { uid: *uid, who: *who, score, attempts: self.verdicts(*uid).len() as u64, rating }
        };
        self.tracks.iter().map(scored).collect()
    }

    /// The scored, ready to be weighed.
    pub(crate) fn candidates(&self, scores: &[ScoredMiner]) -> Vec<Candidate> {
        let clusters = self.clusters();
        let candidate = |(scored, (_, _, track)): (&ScoredMiner, &(Uid, RegistrationId, Track))| Candidate {
            uid: scored.uid,
            score: scored.score,
            cluster: clusters.get(&scored.who).copied(),
            place: track.place,
            registered_at: scored.who.registered_at.0,
        };
        scores.iter().zip(&self.tracks).map(candidate).collect()
    }

    /// The cluster of a registration, where it is in one and the policy pays such miners less.
    pub(crate) fn cluster(&self, who: &RegistrationId) -> Option<u32> {
        self.clusters().get(who).copied()
    }

    /// Likeness of the epoch's shared rounds.
    pub(crate) fn likeness(&self) -> &[&'a Likeness] {
        &self.likeness
    }

    /// The number of each clustered registration's cluster: those alike in enough of the rounds in which both answered,
    /// and whoever is alike with one of them.
    fn clusters(&self) -> BTreeMap<RegistrationId, u32> {
        if self.policy.cluster_pay() == ClusterPay::Each {
            return BTreeMap::new();
        }
        crate::cluster::clusters(&self.likeness, self.policy.cluster_agreement())
    }

    /// Computes the state that the next epoch carries: see [`crate::weigh::closing`].
    pub(crate) fn closing(&self, places: &[Option<u16>]) -> (Vec<Standing>, Vec<Trail>) {
        let mut carried: Vec<(Standing, Trail)> = self
            .tracks
            .iter()
            .enumerate()
            .filter(|(_, (_, _, track))| !track.is_too_old(&self.policy, self.context.epoch.0))
            // Whoever was convicted begins anew, as a fresh registration does.
            .filter(|(_, (uid, _, _))| !self.is_convicted(*uid))
            .map(|(at, (_, who, track))| {
                (standing(*who, track), trail(*who, track, places.get(at).copied().flatten()))
            })
            .collect();
        // Records are compared byte for byte, so the order must follow from the contents.
        carried.sort_by_key(|(standing, _)| standing.who);
        carried.into_iter().unzip()
    }

    pub(crate) fn track(&self, uid: Uid) -> Option<&Track> {
        self.entry(uid).map(|(_, _, track)| track)
    }

    pub(crate) fn rated(&self, uid: Uid) -> Option<RatingFigures> {
        self.entry(uid).map(|(_, who, track)| self.rate(uid, who, track))
    }

    fn entry(&self, uid: Uid) -> Option<&(Uid, RegistrationId, Track)> {
        let at = self.tracks.binary_search_by_key(&uid, |(other, _, _)| *other).ok()?;
        Some(&self.tracks[at])
    }

    fn rate(&self, uid: Uid, who: &RegistrationId, track: &Track) -> RatingFigures {
        let mut rated = self.policy.rate_in_steps(track, self.context.epoch.0);
        if let Some(newcomers) = &self.newcomers {
            newcomers.apply(who, self.is_convicted(uid), &mut rated);
        }
        rated
    }
}

fn check_context(context: &EpochContext) -> Result<(), WeighError> {
    let mut neurons = context.state.metagraph.neurons.iter().enumerate();
    // Everything below indexes by uid; a metagraph in another order would pay the wrong miners.
    if let Some((position, neuron)) = neurons.find(|(position, neuron)| neuron.uid.index() != *position) {
        return Err(WeighError::MetagraphOrder { uid: neuron.uid, position });
    }
    if let Some(pair) = context.carried.windows(2).find(|pair| pair[0].who >= pair[1].who) {
        return Err(WeighError::CarriedOrder { who: pair[1].who.hotkey });
    }
    // A forged journal could otherwise keep an average fresh for ever.
    match context.carried.iter().find(|standing| standing.judged_in >= context.epoch) {
        Some(standing) => {
            Err(WeighError::CarriedFromFuture { who: standing.who.hotkey, judged_in: standing.judged_in })
        }
        None => Ok(()),
    }
}

/// The carried tracks: each standing with its trail. A standing of an earlier policy has none; it counts as old and sure.
fn carried(
    context: &EpochContext,
    trails: Vec<&Trail>,
) -> Result<BTreeMap<RegistrationId, Track>, WeighError> {
    let track = |standing: &Standing| Track {
        average: standing.average.billionths(),
        attempts: standing.attempts,
        judged_in: standing.judged_in.0,
        ..Track::default()
    };
    let mut tracks: BTreeMap<_, _> =
        context.carried.iter().map(|standing| (standing.who, track(standing))).collect();
    let mut seen = BTreeSet::new();
    for trail in trails {
        let who = trail.who.hotkey;
        let track = tracks.get_mut(&trail.who).ok_or(WeighError::TrailWithoutStanding { who })?;
        if !seen.insert(trail.who) || !is_plausible(trail) {
            return Err(WeighError::Trail { who });
        }
        track.since = trail.since.0;
        track.variance = trail.variance;
        track.answered = trail.answered;
        track.capacity = trail.capacity;
        track.place = trail.place;
        track.window = trail.window.iter().map(epoch_mean).collect();
    }
    Ok(tracks)
}

/// True if the fold could have left this behind: what it computes with must not overflow.
fn is_plausible(trail: &Trail) -> bool {
    let unit = 1_000_000_000;
    let mut variances = trail.window.iter().map(|epoch| epoch.variance).chain([trail.variance]);
    trail.window.len() <= crate::policy::WINDOW_MAX
        && trail.window.iter().all(|epoch| epoch.count > 0)
        && variances.all(|variance| variance <= VARIANCE_MAX)
        && trail.answered <= unit
        && trail.capacity <= unit
}

fn epoch_mean(epoch: &TrailEpoch) -> EpochMean {
    EpochMean {
        epoch: epoch.epoch.0,
        mean: epoch.mean.billionths(),
        count: epoch.count,
        variance: epoch.variance,
    }
}

fn mark(billionths: i64) -> Mark {
    Mark::from_billionths(billionths).expect("an average of marks lies between them")
}

fn standing(who: RegistrationId, track: &Track) -> Standing {
    Standing {
        who,
        average: mark(track.average),
        attempts: track.attempts,
        judged_in: weighhouse_types::Epoch(track.judged_in),
    }
}

fn trail(who: RegistrationId, track: &Track, place: Option<u16>) -> Trail {
    let epoch = |epoch: &EpochMean| TrailEpoch {
        epoch: weighhouse_types::Epoch(epoch.epoch),
        mean: mark(epoch.mean),
        count: epoch.count,
        variance: epoch.variance,
    };
    Trail {
        who,
        since: weighhouse_types::Epoch(track.since),
        variance: track.variance,
        answered: track.answered,
        capacity: track.capacity,
        place,
        window: track.window.iter().map(epoch).collect(),
    }
}

fn group<'a>(
    context: &EpochContext,
    judged: Vec<&'a VerdictRecord>,
) -> Result<Vec<Vec<&'a VerdictRecord>>, WeighError> {
    let neurons = &context.state.metagraph.neurons;
    let mut verdicts: Vec<Vec<&VerdictRecord>> = vec![Vec::new(); neurons.len()];
    for verdict in judged {
        let uid = verdict.uid;
        if verdict.epoch != context.epoch {
            return Err(WeighError::WrongEpoch { uid, judged: verdict.epoch, opened: context.epoch });
        }
        // Positions are uids: the context was checked before.
        let Some(neuron) = neurons.get(uid.index()) else {
            return Err(WeighError::UnknownUid { uid });
        };
        // A verdict belongs to whoever answered; the uid may be somebody else's by now.
        if neuron.registration() != verdict.who {
            return Err(WeighError::WrongRegistration { uid, judged: verdict.who.hotkey });
        }
        verdicts[uid.index()].push(verdict);
    }
    for list in &mut verdicts {
        // Whatever order the records came in, sums run in this one.
        list.sort_unstable_by_key(|verdict| (verdict.round, verdict.challenge));
        let twice = list
            .windows(2)
            .find(|pair| (pair[0].round, pair[0].challenge) == (pair[1].round, pair[1].challenge));
        if let Some(pair) = twice {
            return Err(WeighError::JudgedTwice { uid: pair[1].uid, round: pair[1].round });
        }
    }
    Ok(verdicts)
}
