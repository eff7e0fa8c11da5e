//! Validators that judge: one average per registration, folded, rated and weighed by the policy's own code.

use weighhouse_types::{Score, Uid};

use super::asking::{Draw, Lots, Terms};
use super::plan::Plan;
use super::registry::{Registry, streams};
use super::rng::Stream;
use super::scenario::Validator;
use crate::conform::Limits;
use crate::share::{Candidate, Weigher};
use crate::track::Track;

/// One validator's memory.
#[derive(Clone, Debug, Default)]
struct Judge {
    validator: usize,
    /// By slot.
    tracks: Vec<Track>,
}

#[derive(Debug, Default)]
pub(super) struct Judges {
    judges: Vec<Judge>,
    weigher: Weigher,
    candidates: Vec<Candidate>,
    /// By candidate: its slot.
    slots: Vec<usize>,
    vector: Vec<(Uid, u16)>,
    /// By slot: the cluster that likeness shows.
    clusters: Vec<Option<u32>>,
    pub(super) abstentions: u64,
    /// Challenges asked in this epoch, by validator.
    pub(super) asked: Vec<u64>,
}

impl Judges {
    pub(super) fn reset(&mut self, plan: &Plan) {
        self.abstentions = 0;
        self.asked.clear();
        self.asked.resize(plan.validators.len(), 0);
        let judging = plan.validators.iter().enumerate().filter(|(_, validator)| validator.persona.judges());
        self.judges.resize_with(judging.clone().count(), Judge::default);
        for (judge, (validator, _)) in self.judges.iter_mut().zip(judging) {
            judge.validator = validator;
            judge.tracks.resize_with(plan.miner_slots, Track::default);
            judge.tracks.iter_mut().for_each(forget);
        }
    }

    /// Judges and weighs for one epoch; `row` takes a validator's number and its vector, for all that publish one.
    pub(super) fn judge(
        &mut self,
        plan: &Plan,
        terms: &Terms,
        now: &Now<'_>,
        mut row: impl FnMut(usize, &[(Uid, u16)]),
    ) {
        let Now { registry, epoch, .. } = *now;
        for &slot in &registry.changed {
            self.judges.iter_mut().for_each(|judge| forget(&mut judge.tracks[slot]));
        }
        self.find_clusters(plan, registry, epoch);
        self.asked.fill(0);
        for at in 0..self.judges.len() {
            let validator = self.judges[at].validator;
            if let Validator::Lazy { period_epochs } = plan.validators[validator].persona
                && !epoch.is_multiple_of(period_epochs)
            {
                continue;
            }
            self.ask(plan, terms, now, at);
            if self.weigh(plan, registry, epoch, at) {
                row(validator, &self.vector);
            } else {
                self.abstentions += 1;
            }
        }
    }

    fn ask(&mut self, plan: &Plan, terms: &Terms, now: &Now<'_>, at: usize) {
        let Now { lots, seed, epoch, .. } = *now;
        let Judge { validator, tracks } = &mut self.judges[at];
        let bias = match plan.validators[*validator].persona {
            Validator::Differing { deviation } => Some(deviation),
            _ => None,
        };
        let draw = Draw::new(plan, terms, seed, epoch, *validator, bias);
        let policy = &plan.policy;
        let spot = Stream::new(seed, &[streams::SPOT, u64::from(epoch), *validator as u64]);
        let mut challenges = 0;
        let stake_above = plan.validators[*validator].stake_above;
        for (slot, track) in tracks.iter_mut().enumerate() {
            let lot = lots.towards(slot, stake_above);
            if !lot.registered {
                continue;
            }
            let looks_again = terms.spot > 0
                && (track.attempts < policy.min_attempts() || spot.uniform(slot as u64) < terms.spot_share);
            let tally = if looks_again { draw.tally_with(lot, terms.spot) } else { draw.tally(lot) };
            challenges += u64::from(tally.count);
            track.fold(policy, u64::from(epoch), &tally);
        }
        self.asked[*validator] = challenges;
    }

    /// Whether there is something to publish.
    fn weigh(&mut self, plan: &Plan, registry: &Registry, epoch: u32, at: usize) -> bool {
        let policy = &plan.policy;
        let first_uid = plan.validators.len();
        let tracks = &mut self.judges[at].tracks;
        self.candidates.clear();
        self.slots.clear();
        let mut paid = false;
        let mut scored = 0_usize;
        for (slot, track) in tracks.iter().enumerate().filter(|(_, track)| track.attempts > 0) {
            let (score, rating) = policy.rate(track, u64::from(epoch));
            scored += usize::from(rating.is_scored());
            paid |= score > Score::ZERO;
            self.slots.push(slot);
            self.candidates.push(Candidate {
                uid: Uid((first_uid + slot) as u16),
                score,
                cluster: self.clusters[slot],
                place: track.place,
                registered_at: registry.registered_block[slot],
            });
        }
        if !paid || scored < usize::from(policy.min_miners()) {
            return false;
        }
        let subnet = &plan.scenario.subnet;
        let limits = Limits {
            neurons: (first_uid + plan.miner_slots) as u16,
            min_allowed_weights: subnet.min_allowed_weights,
            max_weights_limit: subnet.max_weights_limit,
        };
        let burn = policy.burn().map(|_| Uid(0));
        let conformed = self.weigher.vector(policy, &self.candidates, burn, &limits, &mut self.vector);
        for (slot, place) in self.slots.iter().zip(self.weigher.places()) {
            tracks[*slot].place = *place;
        }
        conformed.is_ok()
    }

    /// Identities of one operator are one cluster once enough challenges have shown their likeness.
    fn find_clusters(&mut self, plan: &Plan, registry: &Registry, epoch: u32) {
        self.clusters.clear();
        self.clusters.extend((0..plan.miner_slots).map(|slot| {
            let place = registry.place(slot)?;
            let seen = plan.groups[usize::from(place.group)].likeness_epochs?;
            (epoch - place.since + 1 >= seen).then_some(place.operator)
        }));
    }
}

/// What judges see of an epoch.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub(super) registry: &'a Registry,
    pub(super) lots: &'a Lots,
    pub(super) seed: u64,
    pub(super) epoch: u32,
}

/// A new registration starts from nothing.
fn forget(track: &mut Track) {
    let mut window = std::mem::take(&mut track.window);
    window.clear();
    *track = Track { window, ..Track::default() };
}
