//! What miners answer in an epoch, and how validators' challenges turn out.
//!
//! An epoch's verdicts of one validator on one miner are drawn as the sums that an average needs, not one by one: their
//! mean is normal about what the miner's answers deserve, with the deviation of a mark over the root of their number.
//! Validators share the part of it that comes from common challenges.

use super::plan::{Effort, Plan};
use super::registry::{Place, Registry, streams};
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
    alike: bool,
}

/// What one slot's miner does in this epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) registered: bool,
    /// Towards validators that it serves, and towards the others.
    pub(super) conduct: [Conduct; 2],
    /// Validators below whom this share of stake lies are served.
    pub(super) served_stake: f64,
    /// Honest answers' worth of computation per unjudged request.
    pub(super) unjudged_load: f64,
    /// What it deserves, were it asked by all: the mean mark.
    pub(super) deserves: f64,
}

impl Asked {
    /// 0 towards a validator that it serves, else 1.
    #[inline]
    pub(super) fn towards(&self, stake_above: f64) -> usize {
        usize::from(stake_above >= self.served_stake)
    }
}

/// What a draw reads of one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lot {
    mean: f64,
    deviation: f64,
    /// Its deviate on the challenges that all validators have in common.
    common: f64,
    /// How it follows the difficulty of a validator's own challenges, and its own luck; both signed for a mirror image.
    loading: f64,
    own: f64,
    /// Which random numbers are its own; identities that answer alike share them.
    noise: u64,
    /// Share of answers in time, in units of 2^-32.
    in_time: u32,
    pub(super) registered: bool,
}

/// Lots by slot; 0 where nobody is registered.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    common: Vec<f64>,
    loading: Vec<f64>,
    own: Vec<f64>,
    noise: Vec<u64>,
    in_time: Vec<u32>,
    registered: Vec<bool>,
}

impl Columns {
    fn clear(&mut self) {
        let Self { mean, deviation, common, loading, own, noise, in_time, registered } = self;
        [mean, deviation, common, loading, own].into_iter().for_each(Vec::clear);
        noise.clear();
        in_time.clear();
        registered.clear();
    }

    fn push(&mut self, lot: &Lot) {
        self.mean.push(lot.mean);
        self.deviation.push(lot.deviation);
        self.common.push(lot.common);
        self.loading.push(lot.loading);
        self.own.push(lot.own);
        self.noise.push(lot.noise);
        self.in_time.push(lot.in_time);
        self.registered.push(lot.registered);
    }

    #[inline]
    fn lot(&self, slot: usize) -> Lot {
        Lot {
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

/// An epoch's lots: towards validators that are served, and towards the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Lots {
    served: Columns,
    others: Columns,
    /// By slot, as [`Asked::served_stake`]; empty where everybody serves all.
    limits: Vec<f64>,
    /// By slot: the cluster that likeness shows to who is served, and to the others.
    clusters: [Vec<Option<u32>>; 2],
}

impl Lots {
    /// A slot's towards a validator below whom this share of stake lies.
    #[inline]
    pub(super) fn towards(&self, slot: usize, stake_above: f64) -> Lot {
        match self.limits.get(slot) {
            Some(limit) if stake_above >= *limit => self.others.lot(slot),
            _ => self.served.lot(slot),
        }
    }

    /// The cluster that a slot's likeness shows to such a validator.
    #[inline]
    pub(super) fn cluster_towards(&self, slot: usize, stake_above: f64) -> Option<u32> {
        let is_other = self.limits.get(slot).is_some_and(|limit| stake_above >= *limit);
        self.clusters[usize::from(is_other)][slot]
    }

    /// Whether all validators see the same clusters.
    pub(super) fn serve_all(&self) -> bool {
        self.limits.is_empty()
    }

    /// All slots' towards such a validator; `mixed` is overwritten.
    pub(super) fn all_towards<'a>(&'a self, stake_above: f64, mixed: &'a mut Columns) -> &'a Columns {
        if self.limits.is_empty() {
            return &self.served;
        }
        mixed.clear();
        (0..self.limits.len()).for_each(|slot| mixed.push(&self.towards(slot, stake_above)));
        mixed
    }
}

/// How the policy values a mark and an answer, and how often it asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    of_mark: f64,
    of_answer: f64,
    pub(super) challenges: u32,
    pub(super) spot: u32,
    pub(super) spot_share: f64,
}

impl Terms {
    pub(super) fn new(plan: &Plan) -> Self {
        let (of_mark, of_answer) = plan.policy.mix();
        let (spot, spot_share) = plan.policy.spot_rounds();
        Self {
            of_mark: of_mark.to_f64(),
            of_answer: of_answer.to_f64(),
            challenges: plan.policy.rounds().unwrap_or(plan.scenario.judging.challenges).min(Tally::MAX / 2),
            spot: spot.min(Tally::MAX / 2),
            spot_share: spot_share.to_f64(),
        }
    }
}

/// Fills `asked` and `lots` for an epoch.
pub(super) fn prepare(
    plan: &Plan,
    terms: &Terms,
    registry: &Registry,
    seed: u64,
    epoch: u32,
    asked: &mut [Asked],
    lots: &mut Lots,
) {
    let stream = Stream::new(seed, &[streams::COMMON, u64::from(epoch)]);
    let normal = Normal::table();
    let (difficulty, _) = normal.pair(stream.at(u64::MAX));
    lots.served.clear();
    lots.others.clear();
    lots.limits.clear();
    lots.clusters.iter_mut().for_each(Vec::clear);
    for (slot, asked) in asked.iter_mut().enumerate() {
        let Some(place) = registry.place(slot) else {
            *asked = Asked::default();
            lots.served.push(&Lot::default());
            lots.others.push(&Lot::default());
            lots.clusters.iter_mut().for_each(|clusters| clusters.push(None));
            continue;
        };
        let group = &plan.groups[usize::from(place.group)];
        let operator = &registry.operators[place.operator as usize];
        let rests = rests(place, &group.strategy.switch, epoch);
        let decoy = place.abandoned || place.identity >= group.strategy.answering();
        let effort = |rests| if decoy { Effort::default() } else { group.effort(place.identity, rests) };
        let conduct = |rests| {
            let effort = effort(rests);
            Conduct {
                mean: terms.of_mark * effort.mean(operator.quality) + terms.of_answer * effort.in_time,
                deviation: terms.of_mark * effort.deviation(operator.quality),
                in_time: effort.in_time,
                load: effort.load,
                good: effort.good,
                alike: effort.alike,
            }
        };
        let loading = effort(rests).loading;
        let mirrored = group.strategy.mirrored;
        let alike = match (mirrored, plan.scenario.profile.scope) {
            (true, _) => u64::from(place.identity & !1),
            (false, Scope::Shared) => 0,
            (false, Scope::Private) => u64::from(place.identity),
        };
        let noise = u64::from(place.operator) * 64 + alike;
        let sign = if mirrored && place.identity % 2 == 1 { -1.0 } else { 1.0 };
        let own = libm::sqrt(1.0 - loading * loading);
        let (deviate, _) = normal.pair(stream.at(noise));
        let serves_all = group.strategy.served_stake >= 1.0;
        *asked = Asked {
            registered: true,
            conduct: [conduct(rests), conduct(rests || !serves_all)],
            served_stake: if serves_all { f64::INFINITY } else { group.strategy.served_stake },
            unjudged_load: if decoy { 0.0 } else { group.unjudged_load(place.identity, rests) },
            deserves: effort(rests).mean(operator.quality),
        };
        let lot = |conduct: &Conduct| Lot {
            mean: conduct.mean,
            deviation: conduct.deviation,
            common: sign * (loading * difficulty + own * deviate),
            loading: sign * loading,
            own: sign * own,
            noise,
            in_time: (conduct.in_time * f64::from(u32::MAX)) as u32,
            registered: true,
        };
        lots.served.push(&lot(&asked.conduct[0]));
        lots.others.push(&lot(&asked.conduct[1]));
        for (clusters, conduct) in lots.clusters.iter_mut().zip(&asked.conduct) {
            clusters.push(conduct.alike.then_some(place.operator));
        }
    }
    if asked.iter().any(|asked| asked.registered && asked.served_stake.is_finite()) {
        lots.limits.extend(asked.iter().map(|asked| asked.served_stake));
    }
}

/// Whether an identity rests in this epoch, by what it earned or by the clock.
fn rests(place: &Place, switch: &Switch, epoch: u32) -> bool {
    let age = epoch - place.since;
    if age < switch.work_first {
        return false;
    }
    let by_clock =
        switch.period > 0 && f64::from(age % switch.period) >= switch.duty * f64::from(switch.period);
    place.rests || by_clock
}

/// One validator's challenges of one epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    own: Stream,
    bias: Option<(Stream, f64)>,
    difficulty: f64,
    root_common: f64,
    root_own: f64,
    count: Count,
    normal: &'static Normal,
}

/// A number of challenges, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct Count {
    whole: u32,
    count: f64,
    inverse: f64,
    degrees: f64,
    /// Relative standard error of a sample's variance.
    of_variance: f64,
}

impl Count {
    fn new(whole: u32) -> Self {
        let count = f64::from(whole);
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

impl Draw {
    /// The scenario's challenges to each miner, of which a share is common to all validators; `bias` is the standard
    /// deviation of a lasting difference of a miner's mean, for a validator that asks about other things.
    pub(super) fn new(
        plan: &Plan,
        terms: &Terms,
        seed: u64,
        epoch: u32,
        validator: usize,
        bias: Option<f64>,
    ) -> Self {
        let normal = Normal::table();
        let own = Stream::new(seed, &[streams::OWN, u64::from(epoch), validator as u64]);
        let count = Count::new(terms.challenges);
        let common =
            if bias.is_some() { 0.0 } else { libm::round(count.count * plan.scenario.judging.common) };
        Self {
            own,
            bias: bias.map(|bias| (Stream::new(seed, &[streams::DIFFERING, validator as u64]), bias)),
            difficulty: normal.pair(own.at(u64::MAX)).0,
            root_common: common.sqrt(),
            root_own: (count.count - common).sqrt(),
            count,
            normal,
        }
    }

    /// The verdicts on one miner.
    #[inline]
    pub(super) fn tally(&self, lot: &Lot) -> Tally {
        let (deviate, of_variance) = self.normal.pair(self.own.at(lot.noise));
        count_up(lot, self.sum(lot, deviate), of_variance, &self.count)
    }

    /// As [`Draw::tally`], with `extra` further challenges of the same luck.
    pub(super) fn tally_with(&self, lot: &Lot, extra: u32) -> Tally {
        let (deviate, of_variance) = self.normal.pair(self.own.at(lot.noise));
        let count = Count::new(self.count.whole + extra);
        let sum = self.sum(lot, deviate) * (count.count * self.count.inverse);
        count_up(lot, sum, of_variance, &count)
    }

    fn sum(&self, lot: &Lot, deviate: f64) -> f64 {
        self.sum_about(lot.mean + self.bias(lot.noise), lot, deviate)
    }

    #[inline(always)]
    fn sum_about(&self, mean: f64, lot: &Lot, deviate: f64) -> f64 {
        let own = lot.loading * self.difficulty + lot.own * deviate;
        let noise = lot.deviation * (self.root_common * lot.common + self.root_own * own);
        let most = self.count.count;
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
impl Draw {
    /// Challenges to each miner.
    pub(super) fn whole(&self) -> u32 {
        self.count.whole
    }

    /// Each slot's own luck.
    #[inline(always)]
    pub(super) fn deviates(&self, lots: &Columns, deviates: &mut [f64]) {
        for (noise, deviate) in lots.noise.iter().zip(deviates) {
            *deviate = self.normal.from_bits(self.own.at(*noise) as u32);
        }
    }

    /// Own luck becomes the sum of the values.
    #[inline(always)]
    pub(super) fn sums(&self, lots: &Columns, deviates: &mut [f64]) {
        if self.bias.is_some() {
            for (slot, deviate) in deviates.iter_mut().enumerate() {
                *deviate = self.sum(&lots.lot(slot), *deviate);
            }
            return;
        }
        let luck = lots.loading.iter().zip(&lots.own).zip(&lots.common);
        let answers = lots.mean.iter().zip(&lots.deviation);
        for (deviate, (((loading, own), common), (mean, deviation))) in
            deviates.iter_mut().zip(luck.zip(answers))
        {
            let lot = Lot {
                deviation: *deviation,
                common: *common,
                loading: *loading,
                own: *own,
                ..Lot::default()
            };
            *deviate = self.sum_about(*mean, &lot, *deviate);
        }
    }

    /// Answers in time.
    pub(super) fn in_time(&self, lots: &Columns, slot: usize) -> u32 {
        self.count.in_time(lots.in_time[slot])
    }
}

/// The sums of an epoch's values, given theirs and how their variance deviates.
#[inline(always)]
fn count_up(lot: &Lot, sum: f64, of_variance: f64, count: &Count) -> Tally {
    const BILLION: f64 = 1e9;
    const MILLION_SQUARED: f64 = 1e12;
    let variance = lot.deviation * lot.deviation * (1.0 + of_variance * count.of_variance);
    let squares = (sum * sum * count.inverse + count.degrees * variance.max(0.0)).min(count.count);
    Tally {
        count: count.whole,
        sum: (sum * BILLION) as i64,
        // Not negative, and below 2^63: a signed conversion is the faster one.
        squares: (squares * MILLION_SQUARED) as i64 as u64,
        in_time: count.in_time(lot.in_time),
    }
}
