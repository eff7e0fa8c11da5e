//! Miners' answers in an epoch, and validators' verdicts on them.
//!
//! An epoch's verdicts of one validator on one miner are drawn as the sums that an average needs, not one by one: the mean
//! of n marks is drawn as Normal(mu, sigma / sqrt(n)), where mu and sigma are the mean and the deviation of one mark.
//! Validators share the part of the deviate that comes from common challenges.

use super::likeness::{Habit, habit};
use super::plan::{Effort, GroupPlan, SimulationPlan};
use super::registry::{MinerRegistration, Registry, streams};
use super::rng::{Normal, Stream};
use super::strategy::Switch;
use weighhouse_scoring::track::Tally;
use weighhouse_types::profile::Scope;

/// An identity's answers in one state, in values of the policy's metrics.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conduct {
    pub(super) mean: f64,
    pub(super) deviation: f64,
    pub(super) in_time: f64,
    /// Honest answers' worth of computation per challenge.
    pub(super) load: f64,
    pub(super) good: bool,
}

/// Conduct of one slot's miner in this epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SlotConduct {
    pub(super) registered: bool,
    /// Towards validators that it serves, and towards the others.
    pub(super) conduct: [Conduct; 2],
    /// Serves only validators above this quantile of stake.
    pub(super) served_stake: f64,
    /// Honest answers' worth of computation per unjudged request.
    pub(super) unjudged_load: f64,
    /// Its mean mark if all validators asked it.
    pub(super) deserves: f64,
}

impl SlotConduct {
    /// 0 towards a validator that it serves, else 1.
    #[inline]
    pub(super) fn towards(&self, stake_above: f64) -> usize {
        usize::from(stake_above >= self.served_stake)
    }
}

/// Distribution of one slot's marks: the figures that a draw reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MarkDistribution {
    mean: f64,
    deviation: f64,
    /// Standard normal deviate on the challenges that all validators have in common.
    common: f64,
    /// Factor loadings on the difficulty of a validator's own challenges, and on the residual; negative for mirrored
    /// identities.
    loading: f64,
    own: f64,
    /// Index of its random numbers; identities that answer alike share it.
    noise: u64,
    /// Share of answers in time, in units of 2^-32.
    in_time: u32,
    pub(super) registered: bool,
}

/// Distributions by slot; 0 where nobody is registered.
#[derive(Clone, Debug, Default)]
pub(super) struct DistributionColumns {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    common: Vec<f64>,
    loading: Vec<f64>,
    own: Vec<f64>,
    noise: Vec<u64>,
    in_time: Vec<u32>,
    registered: Vec<bool>,
}

impl DistributionColumns {
    fn clear(&mut self) {
        let Self { mean, deviation, common, loading, own, noise, in_time, registered } = self;
        [mean, deviation, common, loading, own].into_iter().for_each(Vec::clear);
        noise.clear();
        in_time.clear();
        registered.clear();
    }

    fn push(&mut self, distribution: &MarkDistribution) {
        self.mean.push(distribution.mean);
        self.deviation.push(distribution.deviation);
        self.common.push(distribution.common);
        self.loading.push(distribution.loading);
        self.own.push(distribution.own);
        self.noise.push(distribution.noise);
        self.in_time.push(distribution.in_time);
        self.registered.push(distribution.registered);
    }

    pub(super) fn is_registered(&self, slot: usize) -> bool {
        self.registered[slot]
    }

    #[inline]
    fn distribution(&self, slot: usize) -> MarkDistribution {
        MarkDistribution {
            mean: self.mean[slot],
            deviation: self.deviation[slot],
            common: self.common[slot],
            loading: self.loading[slot],
            own: self.own[slot],
            noise: self.noise[slot],
            in_time: self.in_time[slot],
            registered: self.registered[slot],
        }
    }
}

/// An epoch's mark distributions: towards validators that are served, and towards the others.
#[derive(Clone, Debug, Default)]
pub(super) struct MarkDistributions {
    served: DistributionColumns,
    others: DistributionColumns,
    /// By slot, as [`SlotConduct::served_stake`]; empty where everybody serves all.
    limits: Vec<f64>,
    /// By slot: what its answers to who is served can be taken for, and those to the others; nothing of who never answers.
    habits: [Vec<Option<Habit>>; 2],
}

impl MarkDistributions {
    /// The distribution of a slot's marks towards a validator at this quantile of stake.
    #[inline]
    pub(super) fn towards(&self, slot: usize, stake_above: f64) -> MarkDistribution {
        match self.limits.get(slot) {
            Some(limit) if stake_above >= *limit => self.others.distribution(slot),
            _ => self.served.distribution(slot),
        }
    }

    /// What a slot's answers to such a validator can be taken for.
    #[inline]
    pub(super) fn habit_towards(&self, slot: usize, stake_above: f64) -> Option<Habit> {
        let is_other = self.limits.get(slot).is_some_and(|limit| stake_above >= *limit);
        self.habits[usize::from(is_other)][slot]
    }

    /// True if everybody serves all validators.
    pub(super) fn serve_all(&self) -> bool {
        self.limits.is_empty()
    }

    /// The distributions of all slots' marks towards such a validator; `mixed` is overwritten.
    pub(super) fn all_towards<'a>(
        &'a self,
        stake_above: f64,
        mixed: &'a mut DistributionColumns,
    ) -> &'a DistributionColumns {
        if self.limits.is_empty() {
            return &self.served;
        }
        mixed.clear();
        (0..self.limits.len()).for_each(|slot| mixed.push(&self.towards(slot, stake_above)));
        mixed
    }
}

/// Policy's weights of a mark and of an answer, and its numbers of challenges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    of_mark: f64,
    of_answer: f64,
    pub(super) challenges: u32,
    pub(super) spot: u32,
    pub(super) spot_share: f64,
}

impl Terms {
    pub(super) fn new(plan: &SimulationPlan) -> Self {
        let (of_mark, of_answer) = plan.policy.mix();
        let (spot, spot_share) = plan.policy.spot_rounds();
        Self {
            of_mark: of_mark.to_f64(),
            of_answer: of_answer.to_f64(),
            // With the spot challenges on top it still fits a tally.
            challenges: plan.policy.rounds().unwrap_or(plan.scenario.judging.challenges).min(Tally::MAX / 2),
            spot: spot.min(Tally::MAX / 2),
            spot_share: spot_share.to_f64(),
        }
    }
}

/// Fills `asked` and `distributions` for an epoch.
pub(super) fn prepare(
    plan: &SimulationPlan,
    terms: &Terms,
    registry: &Registry,
    seed: u64,
    epoch: u32,
    asked: &mut [SlotConduct],
    distributions: &mut MarkDistributions,
) {
    let stream = Stream::new(seed, &[streams::COMMON, u64::from(epoch)]);
    let normal = Normal::table();
    // An index that no identity's luck has.
    let (difficulty, _) = normal.pair(stream.at(u64::MAX));
    distributions.served.clear();
    distributions.others.clear();
    distributions.limits.clear();
    distributions.habits.iter_mut().for_each(Vec::clear);
    for (slot, asked) in asked.iter_mut().enumerate() {
        let Some(registration) = registry.registration(slot) else {
            *asked = SlotConduct::default();
            distributions.served.push(&MarkDistribution::default());
            distributions.others.push(&MarkDistribution::default());
            distributions.habits.iter_mut().for_each(|habits| habits.push(None));
            continue;
        };
        let group = &plan.groups[usize::from(registration.group)];
        let operator = &registry.operators[registration.operator as usize];
        let rests = rests(registration, &group.strategy.switch, epoch);
        let decoy = registration.abandoned || registration.identity >= group.strategy.answering();
        let effort = |rests| effort(group, registration, decoy, rests);
        let loading = effort(rests).loading;
        let mirrored = group.strategy.mirrored;
        let noise = noise(registration, mirrored, plan.scenario.profile.scope);
        let sign = if mirrored && registration.identity % 2 == 1 { -1.0 } else { 1.0 };
        // With this factor a mark keeps the variance that was measured.
        let own = libm::sqrt(1.0 - loading * loading);
        let (deviate, _) = normal.pair(stream.at(noise));
        let serves_all = group.strategy.served_stake >= 1.0;
        *asked = SlotConduct {
            registered: true,
            conduct: [rests, rests || !serves_all]
                .map(|rests| conduct(terms, &effort(rests), operator.quality)),
            served_stake: if serves_all { f64::INFINITY } else { group.strategy.served_stake },
            unjudged_load: if decoy { 0.0 } else { group.unjudged_load(registration.identity, rests) },
            deserves: effort(rests).mean(operator.quality),
        };
        let distribution = |conduct: &Conduct| MarkDistribution {
            mean: conduct.mean,
            deviation: conduct.deviation,
            common: sign * (loading * difficulty + own * deviate),
            loading: sign * loading,
            own: sign * own,
            noise,
            in_time: (conduct.in_time * f64::from(u32::MAX)) as u32,
            registered: true,
        };
        distributions.served.push(&distribution(&asked.conduct[0]));
        distributions.others.push(&distribution(&asked.conduct[1]));
        for (habits, rests) in distributions.habits.iter_mut().zip([rests, rests || !serves_all]) {
            habits.push((!decoy).then(|| habit(rests, registration.identity)));
        }
    }
    if asked.iter().any(|asked| asked.registered && asked.served_stake.is_finite()) {
        distributions.limits.extend(asked.iter().map(|asked| asked.served_stake));
    }
}

/// The effort of an identity; a decoy answers nobody.
fn effort(group: &GroupPlan, registration: &MinerRegistration, decoy: bool, rests: bool) -> Effort {
    if decoy { Effort::default() } else { group.effort(registration.identity, rests) }
}

/// Conduct that an effort comes to under the policy's terms.
fn conduct(terms: &Terms, effort: &Effort, quality: f64) -> Conduct {
    Conduct {
        mean: terms.of_mark * effort.mean(quality) + terms.of_answer * effort.in_time,
        deviation: terms.of_mark * effort.deviation(quality),
        in_time: effort.in_time,
        load: effort.load,
        good: effort.good,
    }
}

/// The stream that an identity's luck is drawn from: identities that share one mirror each other, or give one answer to
/// everybody.
fn noise(registration: &MinerRegistration, mirrored: bool, scope: Scope) -> u64 {
    let alike = match (mirrored, scope) {
        (true, _) => u64::from(registration.identity & !1),
        (false, Scope::Shared) => 0,
        (false, Scope::Private) => u64::from(registration.identity),
    };
    // An operator has at most 64 identities, so that no two operators share a number.
    u64::from(registration.operator) * 64 + alike
}

/// True if an identity rests in this epoch, by what it earned or by the clock.
fn rests(registration: &MinerRegistration, switch: &Switch, epoch: u32) -> bool {
    let age = epoch - registration.since;
    if age < switch.work_first {
        return false;
    }
    let by_clock =
        switch.period > 0 && f64::from(age % switch.period) >= switch.duty * f64::from(switch.period);
    registration.rests || by_clock
}

/// One validator's challenges of one epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerdictDraw {
    own: Stream,
    bias: Option<(Stream, f64)>,
    difficulty: f64,
    root_common: f64,
    root_own: f64,
    count: ChallengeCount,
    normal: &'static Normal,
}

/// A number of challenges, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct ChallengeCount {
    whole: u32,
    count: f64,
    inverse: f64,
    degrees: f64,
    /// Relative standard error of a sample's variance.
    of_variance: f64,
}

impl ChallengeCount {
    fn new(whole: u32) -> Self {
        let count = f64::from(whole);
        // A single challenge has no sample variance.
        let degrees = (count - 1.0).max(1.0);
        Self { whole, count, inverse: 1.0 / count, degrees, of_variance: (2.0 / degrees).sqrt() }
    }

    /// Of all of them, given a share in units of 2^-32.
    #[inline(always)]
    fn in_time(&self, share: u32) -> u32 {
        let in_time = u64::from(self.whole) * u64::from(share) + u64::from(u32::MAX / 2);
        (in_time / u64::from(u32::MAX)) as u32
    }
}

impl VerdictDraw {
    /// The scenario's challenges to each miner, of which a share is common to all validators; `bias` is the standard
    /// deviation of a lasting difference of a miner's mean, for a validator that asks about other things.
    pub(super) fn new(
        plan: &SimulationPlan,
        terms: &Terms,
        seed: u64,
        epoch: u32,
        validator: usize,
        bias: Option<f64>,
    ) -> Self {
        let normal = Normal::table();
        let own = Stream::new(seed, &[streams::OWN, u64::from(epoch), validator as u64]);
        let count = ChallengeCount::new(terms.challenges);
        let common =
            if bias.is_some() { 0.0 } else { libm::round(count.count * plan.scenario.judging.common) };
        Self {
            own,
            bias: bias.map(|bias| (Stream::new(seed, &[streams::DIFFERING, validator as u64]), bias)),
            // An index that no identity's luck has.
            difficulty: normal.pair(own.at(u64::MAX)).0,
            root_common: common.sqrt(),
            root_own: (count.count - common).sqrt(),
            count,
            normal,
        }
    }

    /// The verdicts on one miner.
    #[inline]
    pub(super) fn tally(&self, distribution: &MarkDistribution) -> Tally {
        let (deviate, of_variance) = self.normal.pair(self.own.at(distribution.noise));
        count_up(distribution, self.sum(distribution, deviate), of_variance, &self.count)
    }

    /// As [`VerdictDraw::tally`], with `extra` further challenges of the same luck.
    pub(super) fn tally_with(&self, distribution: &MarkDistribution, extra: u32) -> Tally {
        let (deviate, of_variance) = self.normal.pair(self.own.at(distribution.noise));
        let count = ChallengeCount::new(self.count.whole + extra);
        let sum = self.sum(distribution, deviate) * (count.count * self.count.inverse);
        count_up(distribution, sum, of_variance, &count)
    }

    fn sum(&self, distribution: &MarkDistribution, deviate: f64) -> f64 {
        self.sum_about(distribution.mean + self.bias(distribution.noise), distribution, deviate)
    }

    #[inline(always)]
    fn sum_about(&self, mean: f64, distribution: &MarkDistribution, deviate: f64) -> f64 {
        let own = distribution.loading * self.difficulty + distribution.own * deviate;
        let noise = distribution.deviation * (self.root_common * distribution.common + self.root_own * own);
        let most = self.count.count;
        // Single marks lie in [-1, 1], which a normal deviate may leave.
        (most * mean + noise).max(-most).min(most)
    }

    #[inline]
    fn bias(&self, noise: u64) -> f64 {
        match &self.bias {
            None => 0.0,
            Some((stream, deviation)) => deviation * self.normal.pair(stream.at(noise)).0,
        }
    }
}

/// The same for all slots at once.
impl VerdictDraw {
    /// Challenges to each miner.
    pub(super) fn whole(&self) -> u32 {
        self.count.whole
    }

    /// Draws each slot's residual.
    #[inline(always)]
    pub(super) fn deviates(&self, distributions: &DistributionColumns, deviates: &mut [f64]) {
        for (noise, deviate) in distributions.noise.iter().zip(deviates) {
            // The half of the number that `pair` makes its first deviate of.
            *deviate = self.normal.from_bits(self.own.at(*noise) as u32);
        }
    }

    /// Turns residuals into sums of values.
    #[inline(always)]
    pub(super) fn sums(&self, distributions: &DistributionColumns, deviates: &mut [f64]) {
        if self.bias.is_some() {
            for (slot, deviate) in deviates.iter_mut().enumerate() {
                *deviate = self.sum(&distributions.distribution(slot), *deviate);
            }
            return;
        }
        let luck = distributions.loading.iter().zip(&distributions.own).zip(&distributions.common);
        let answers = distributions.mean.iter().zip(&distributions.deviation);
        for (deviate, (((loading, own), common), (mean, deviation))) in
            deviates.iter_mut().zip(luck.zip(answers))
        {
            let distribution = MarkDistribution {
                deviation: *deviation,
                common: *common,
                loading: *loading,
                own: *own,
                ..MarkDistribution::default()
            };
            *deviate = self.sum_about(*mean, &distribution, *deviate);
        }
    }

    /// Answers in time.
    pub(super) fn in_time(&self, distributions: &DistributionColumns, slot: usize) -> u32 {
        self.count.in_time(distributions.in_time[slot])
    }
}

/// The sums of an epoch's values, given theirs and how their variance deviates.
#[inline(always)]
fn count_up(distribution: &MarkDistribution, sum: f64, of_variance: f64, count: &ChallengeCount) -> Tally {
    const BILLION: f64 = 1e9;
    const MILLION_SQUARED: f64 = 1e12;
    let variance = distribution.deviation * distribution.deviation * (1.0 + of_variance * count.of_variance);
    // No mark's square is above 1.
    let squares = (sum * sum * count.inverse + count.degrees * variance.max(0.0)).min(count.count);
    Tally {
        count: count.whole,
        sum: (sum * BILLION) as i64,
        // Not negative, and below 2^63: a signed conversion is the faster one.
        squares: (squares * MILLION_SQUARED) as i64 as u64,
        in_time: count.in_time(distribution.in_time),
        ..Tally::default()
    }
}

/// View of an epoch that judges get.
#[derive(Clone, Copy)]
pub(super) struct EpochView<'a> {
    pub(super) registry: &'a Registry,
    pub(super) distributions: &'a MarkDistributions,
    pub(super) seed: u64,
    pub(super) epoch: u32,
}
