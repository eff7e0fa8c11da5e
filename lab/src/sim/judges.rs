//! Validators that judge: one average per registration, folded, rated and weighed by the policy's own code.
//!
//! Most policies need an exponential average alone, which [`super::lanes`] computes for all miners of a validator at once; the
//! others keep a [`Track`] for each miner. Both give the same scores, and a test holds them to it.

use weighhouse_types::{Mark, Score, Uid};

use super::asking::{DistributionColumns, EpochView, Terms, VerdictDraw};
use super::lanes::{Averages, EmaRule, ScoreColumns};
use super::likeness::Clusters;
use super::plan::SimulationPlan;
use super::registry::streams;
use super::rng::Stream;
use super::scenario::ScenarioValidator;
use weighhouse_scoring::conform::Limits;
use weighhouse_scoring::share::{Candidate, Weigher};
use weighhouse_scoring::track::Track;

/// One validator's memory.
#[derive(Clone, Debug, Default)]
struct SimulatedJudge {
    validator: usize,
    /// By slot, where the policy takes more than averages.
    tracks: Vec<Track>,
    averages: Averages,
    /// By slot: its place when the epoch before was weighed.
    places: Vec<Option<u16>>,
}

#[derive(Debug, Default)]
pub(super) struct Judges {
    judges: Vec<SimulatedJudge>,
    /// Set if the policy needs no tracks.
    rule: Option<EmaRule>,
    sheet: ScoreColumns,
    mixed: DistributionColumns,
    weigher: Weigher,
    clusters: Clusters,
    candidates: Vec<Candidate>,
    /// By candidate: its slot.
    slots: Vec<usize>,
    vector: Vec<(Uid, u16)>,
    pub(super) abstentions: u64,
    /// Challenges asked in this epoch, by validator.
    pub(super) asked: Vec<u64>,
}

impl Judges {
    pub(super) fn reset(&mut self, plan: &SimulationPlan, terms: &Terms) {
        self.rule = EmaRule::of(&plan.policy, terms);
        self.sheet.unvalued.clear();
        self.abstentions = 0;
        self.asked.clear();
        self.asked.resize(plan.validators.len(), 0);
        let judging = plan.validators.iter().enumerate().filter(|(_, validator)| validator.persona.judges());
        self.judges.resize_with(judging.clone().count(), SimulatedJudge::default);
        for (judge, (validator, _)) in self.judges.iter_mut().zip(judging) {
            judge.validator = validator;
            let tracks = if self.rule.is_some() { 0 } else { plan.miner_slots };
            judge.tracks.resize_with(tracks, Track::default);
            judge.tracks.iter_mut().for_each(forget);
            judge.averages.reset(plan.miner_slots);
            judge.places.clear();
            judge.places.resize(plan.miner_slots, None);
        }
    }

    /// Judges and weighs for one epoch; `row` takes a validator's number and its vector, for all that publish one.
    pub(super) fn judge(
        &mut self,
        plan: &SimulationPlan,
        terms: &Terms,
        now: &EpochView<'_>,
        mut row: impl FnMut(usize, &[(Uid, u16)]),
    ) {
        let EpochView { registry, epoch, .. } = *now;
        for &slot in &registry.changed {
            self.judges.iter_mut().for_each(|judge| judge.forget(slot));
        }
        self.list_candidates(plan, now);
        self.asked.fill(0);
        let certain = Clusters::are_certain(plan);
        // Nothing to find where nobody can be taken for anybody.
        let mut is_found = !plan.has_likeness();
        for at in 0..self.judges.len() {
            let validator = self.judges[at].validator;
            if let ScenarioValidator::Lazy { period_epochs } = plan.validators[validator].persona
                && !epoch.is_multiple_of(period_epochs)
            {
                continue;
            }
            if !is_found {
                self.clusters.find(plan, now, validator, &self.slots, &mut self.candidates);
                is_found = certain && now.distributions.serve_all();
            }
            let publishes = match self.rule {
                Some(rule) => self.judge_all(plan, terms, now, at, &rule),
                None => {
                    self.ask(plan, terms, now, at);
                    self.rate(plan, epoch, at)
                }
            };
            if publishes && self.weigh(plan, at) {
                row(validator, &self.vector);
            } else {
                self.abstentions += 1;
            }
        }
    }

    /// All registered miners: who is asked, and weighed thereafter.
    fn list_candidates(&mut self, plan: &SimulationPlan, now: &EpochView<'_>) {
        let EpochView { registry, .. } = *now;
        let first_uid = plan.validators.len();
        self.slots.clear();
        self.slots.extend((0..plan.miner_slots).filter(|slot| registry.registration(*slot).is_some()));
        self.candidates.clear();
        self.candidates.extend(self.slots.iter().map(|&slot| Candidate {
            uid: Uid((first_uid + slot) as u16),
            score: Score::ZERO,
            cluster: None,
            place: None,
            registered_at: registry.registered_block[slot],
        }));
    }

    /// Asks and rates everybody at once; whether there is something to publish.
    fn judge_all(
        &mut self,
        plan: &SimulationPlan,
        terms: &Terms,
        now: &EpochView<'_>,
        at: usize,
        rule: &EmaRule,
    ) -> bool {
        let SimulatedJudge { validator, averages, places, .. } = &mut self.judges[at];
        let validator = *validator;
        let draw = draw_of(plan, terms, now, validator);
        let distributions =
            now.distributions.all_towards(plan.validators[validator].stake_above, &mut self.mixed);
        averages.judge(rule, distributions, &draw, now.epoch, &mut self.sheet);
        if let Some(expression) = plan.policy.expression() {
            averages.express(rule, expression, distributions, &draw, now.epoch, &mut self.sheet);
        }
        let mut paid = false;
        for (candidate, &slot) in self.candidates.iter_mut().zip(&self.slots) {
            candidate.score = score_of(self.sheet.scores[slot]);
            paid |= candidate.score > Score::ZERO;
        }
        // The other shapes give no places.
        if plan.policy.shape().is_ordered() {
            let places = self.slots.iter().map(|slot| places[*slot]);
            self.candidates.iter_mut().zip(places).for_each(|(candidate, place)| candidate.place = place);
        }
        // Who is paid is scored.
        let least = usize::from(plan.policy.min_miners());
        let unvalued = |slot: usize| self.sheet.unvalued.get(slot).is_some_and(|lacks| *lacks);
        let is_scored = |slot: &&usize| averages.is_scored(rule, **slot) && !unvalued(**slot);
        let scored = || self.slots.iter().filter(is_scored).count();
        let enough = least <= 1 || scored() >= least;
        self.asked[validator] = u64::from(draw.whole()) * self.slots.len() as u64;
        paid && enough
    }

    fn ask(&mut self, plan: &SimulationPlan, terms: &Terms, now: &EpochView<'_>, at: usize) {
        let EpochView { distributions, seed, epoch, .. } = *now;
        let SimulatedJudge { validator, tracks, .. } = &mut self.judges[at];
        let draw = draw_of(plan, terms, now, *validator);
        let policy = &plan.policy;
        let spot = Stream::new(seed, &[streams::SPOT, u64::from(epoch), *validator as u64]);
        let mut challenges = 0;
        let stake_above = plan.validators[*validator].stake_above;
        for &slot in &self.slots {
            let (track, distribution) = (&mut tracks[slot], distributions.towards(slot, stake_above));
            let looks_again = terms.spot > 0
                && (track.attempts < policy.min_attempts() || spot.uniform(slot as u64) < terms.spot_share);
            let tally = if looks_again {
                draw.tally_with(&distribution, terms.spot)
            } else {
                draw.tally(&distribution)
            };
            challenges += u64::from(tally.count);
            track.fold(policy, u64::from(epoch), &tally);
        }
        self.asked[*validator] = challenges;
    }

    /// True if there is something to publish.
    fn rate(&mut self, plan: &SimulationPlan, epoch: u32, at: usize) -> bool {
        let policy = &plan.policy;
        let SimulatedJudge { tracks, places, .. } = &self.judges[at];
        let mut paid = false;
        let mut scored = 0_usize;
        for (candidate, &slot) in self.candidates.iter_mut().zip(&self.slots) {
            let (score, rating) = policy.rate(&tracks[slot], u64::from(epoch));
            scored += usize::from(rating.is_scored());
            paid |= score > Score::ZERO;
            candidate.score = score;
            candidate.place = places[slot];
        }
        paid && scored >= usize::from(policy.min_miners())
    }

    fn weigh(&mut self, plan: &SimulationPlan, at: usize) -> bool {
        let policy = &plan.policy;
        let subnet = &plan.scenario.subnet;
        let limits = Limits {
            neurons: (plan.validators.len() + plan.miner_slots) as u16,
            min_allowed_weights: subnet.min_allowed_weights,
            max_weights_limit: subnet.max_weights_limit,
        };
        let burn = policy.burn().map(|_| Uid(0));
        let conformed = self.weigher.vector(policy, &self.candidates, burn, &limits, &mut self.vector);
        for (slot, place) in self.slots.iter().zip(self.weigher.places()) {
            self.judges[at].places[*slot] = *place;
        }
        conformed.is_ok()
    }
}

impl SimulatedJudge {
    /// A new registration starts from nothing.
    fn forget(&mut self, slot: usize) {
        self.tracks.get_mut(slot).into_iter().for_each(forget);
        self.averages.forget(slot);
        self.places[slot] = None;
    }
}

fn forget(track: &mut Track) {
    let mut window = std::mem::take(&mut track.window);
    window.clear();
    *track = Track { window, ..Track::default() };
}

fn draw_of(plan: &SimulationPlan, terms: &Terms, now: &EpochView<'_>, validator: usize) -> VerdictDraw {
    let bias = match plan.validators[validator].persona {
        ScenarioValidator::Differing { deviation } => Some(deviation),
        _ => None,
    };
    VerdictDraw::new(plan, terms, now.seed, now.epoch, validator, bias)
}

fn score_of(billionths: u32) -> Score {
    Mark::from_billionths(billionths.into()).map(Score::clip).unwrap_or_default()
}
