//! Likeness over an epoch: how often a validator takes two miners for one, whether they are or not.
//!
//! The rule is that of the scoring code: two are one cluster if their answers were alike in the policy's share of the epoch's common
//! rounds, and whoever is alike with one of them joins. How often two answers of one operator's model are alike in a round was
//! measured by the real judge for every pair of kinds ([`PersonaFigures::alike`](weighhouse_types::profile::PersonaFigures::alike)), and
//! so was how often strangers' are. So a mixture is caught in some epochs and not in others, and a policy that asks for little
//! agreement takes honest miners for one another and pays them less.

use super::asking::EpochView;
use super::plan::SimulationPlan;
use super::registry::streams;
use super::rng::Stream;
use super::strategy::SILENT;
use weighhouse_scoring::policy::Fraction;
use weighhouse_scoring::share::Candidate;
use weighhouse_types::profile::{HONEST, PersonaFigures, Profile};

/// Chances below this are none, and as close to one as this are certain.
const NEGLIGIBLE: f64 = 1e-9;
/// Slightly rounded weights make the same mistakes as whole ones, where likeness was not measured.
const ROUNDED: [&str; 3] = [HONEST, "half", "int8"];
/// An answer that can't be compared, where likeness was not measured.
const UNCOMPARED: [&str; 2] = [SILENT, "nan"];
/// False alarms drawn for an epoch, per miner: as many join everybody.
const ALARMS_MOST: usize = 8;

/// What an identity does in an epoch, as far as likeness goes: work or rest, of even or odd number.
pub(super) type Habit = u8;

pub(super) fn habit(rests: bool, identity: u16) -> Habit {
    u8::from(rests) * 2 + (identity % 2) as u8
}

/// Chances that two identities of one operator are found alike over an epoch, by their habits.
pub(super) type Chances = [[f64; 4]; 4];

/// Shares of kinds in a mix, with their figures.
pub(super) type Shares<'a> = Vec<(f64, &'a PersonaFigures)>;

/// The rounds of an epoch and how many of them make a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounds {
    rounds: u32,
    needed: u32,
}

impl Rounds {
    pub(super) fn new(rounds: u32, agreement: Fraction) -> Self {
        let needed = (u64::from(rounds) * agreement.billionths()).div_ceil(Fraction::ONE.billionths());
        Self { rounds, needed: u32::try_from(needed.max(1)).unwrap_or(u32::MAX) }
    }

    /// The chance that an event of this chance in a round comes in as many as are needed.
    pub(super) fn chance(&self, each: f64) -> f64 {
        let chance = tail(self.rounds, self.needed, each);
        if chance < NEGLIGIBLE {
            0.0
        } else if chance > 1.0 - NEGLIGIBLE {
            1.0
        } else {
            chance
        }
    }
}

/// The chance of at least `least` successes in `count` tries.
fn tail(count: u32, least: u32, each: f64) -> f64 {
    if least > count || each <= 0.0 {
        return 0.0;
    }
    if each >= 1.0 {
        return 1.0;
    }
    let (n, p) = (f64::from(count), each);
    let log = |k: f64| {
        libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0)
            + k * libm::log(p)
            + (n - k) * libm::log1p(-p)
    };
    // The smaller side is summed, from its largest term outwards.
    let upper = f64::from(least) > n * p;
    let start = if upper { f64::from(least) } else { f64::from(least) - 1.0 };
    let (mut k, mut term, mut sum) = (start, libm::exp(log(start)), 0.0);
    while k >= 0.0 && k <= n && term > sum * 1e-17 {
        sum += term;
        if upper {
            term *= (n - k) / (k + 1.0) * p / (1.0 - p);
            k += 1.0;
        } else {
            term *= k / (n - k + 1.0) * (1.0 - p) / p;
            k -= 1.0;
        }
    }
    if upper { sum.min(1.0) } else { (1.0 - sum).max(0.0) }
}

/// The share of common rounds in which answers of two mixes of one operator are alike; 0 where none can be compared.
pub(super) fn share(profile: &Profile, one: &Shares<'_>, other: &Shares<'_>) -> f64 {
    let (mut alike, mut compared) = (0.0, 0.0);
    for (share, kind) in one {
        for (with, other) in other {
            if let Some(likeness) = likeness(profile, kind, other) {
                compared += share * with;
                alike += share * with * likeness;
            }
        }
    }
    if compared > 0.0 { alike / compared } else { 0.0 }
}

/// How often answers of these kinds are alike; `None` where either gives nothing to compare.
fn likeness(profile: &Profile, one: &PersonaFigures, other: &PersonaFigures) -> Option<f64> {
    if profile.likeness.is_some() {
        return one.alike.get(&other.name).copied();
    }
    let uncompared = |kind: &PersonaFigures| UNCOMPARED.contains(&kind.name.as_str());
    let rounded = |kind: &PersonaFigures| ROUNDED.contains(&kind.name.as_str());
    // Unmeasured: what is of one kind is alike, and twins are to each other.
    let same = one.name == other.name || (rounded(one) && rounded(other));
    let twins = [one, other].map(|kind| kind.name.as_str());
    let same = same || twins == ["noise", "mirror"] || twins == ["mirror", "noise"];
    (!uncompared(one) && !uncompared(other)).then_some(if same { 1.0 } else { 0.0 })
}

/// Clusters as one validator finds them in one epoch.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    /// By slot: another of its cluster, or itself.
    leaders: Vec<u32>,
    /// Slots of registered miners, by operator.
    by_operator: Vec<(u32, usize)>,
}

impl Clusters {
    /// True if every validator finds the same ones.
    pub(super) fn are_certain(plan: &SimulationPlan) -> bool {
        let certain = |chance: &f64| *chance == 0.0 || *chance == 1.0;
        plan.strangers == 0.0 && plan.groups.iter().all(|group| group.alike.iter().flatten().all(certain))
    }

    /// Numbers the clusters among these candidates, who hold these slots.
    pub(super) fn find(
        &mut self,
        plan: &SimulationPlan,
        now: &EpochView<'_>,
        validator: usize,
        slots: &[usize],
        candidates: &mut [Candidate],
    ) {
        self.leaders.clear();
        self.leaders.extend(0..plan.miner_slots as u32);
        let stream = Stream::new(now.seed, &[streams::LIKENESS, u64::from(now.epoch), validator as u64]);
        let stake_above = plan.validators[validator].stake_above;
        self.operators(plan, now, &stream, stake_above, slots);
        self.strangers(plan, &stream, slots);
        for (candidate, &slot) in candidates.iter_mut().zip(slots) {
            candidate.cluster = None;
            let leader = self.leader(slot as u32);
            if leader as usize != slot {
                candidate.cluster = Some(leader);
            }
        }
        // A leader is of its cluster too, wherever it stands.
        let led: Vec<u32> = candidates.iter().filter_map(|candidate| candidate.cluster).collect();
        for (candidate, &slot) in candidates.iter_mut().zip(slots) {
            if led.contains(&(slot as u32)) {
                candidate.cluster = Some(slot as u32);
            }
        }
    }

    /// Joins identities of one operator whose answers give them away.
    fn operators(
        &mut self,
        plan: &SimulationPlan,
        now: &EpochView<'_>,
        stream: &Stream,
        stake_above: f64,
        slots: &[usize],
    ) {
        let mut by_operator = std::mem::take(&mut self.by_operator);
        by_operator.clear();
        for &slot in slots {
            let Some(registration) = now.registry.registration(slot) else { continue };
            if plan.groups[usize::from(registration.group)].strategy.identities > 1 {
                by_operator.push((registration.operator, slot));
            }
        }
        by_operator.sort_unstable();
        for one in by_operator.chunk_by(|one, other| one.0 == other.0) {
            for (at, &(_, slot)) in one.iter().enumerate() {
                for &(_, other) in &one[at + 1..] {
                    let chance = pair_chance(plan, now, stake_above, [slot, other]);
                    let pair = (slot * plan.miner_slots + other) as u64;
                    if chance >= 1.0 || (chance > 0.0 && stream.uniform(pair) < chance) {
                        self.join(slot as u32, other as u32);
                    }
                }
            }
        }
        self.by_operator = by_operator;
    }

    /// Joins miners who have nothing in common: as many pairs as are expected, the odd part by chance.
    fn strangers(&mut self, plan: &SimulationPlan, stream: &Stream, slots: &[usize]) {
        if plan.strangers == 0.0 || slots.len() < 2 {
            return;
        }
        let miners = slots.len();
        // Counters that no pair of slots has.
        let first = (plan.miner_slots * plan.miner_slots) as u64;
        let expected = (miners * (miners - 1) / 2) as f64 * plan.strangers;
        let alarms = ((expected + stream.uniform(first)) as usize).min(miners * ALARMS_MOST);
        for alarm in 0..alarms as u64 {
            let pick = |at: u64| slots[(stream.uniform(first + 1 + 2 * alarm + at) * miners as f64) as usize];
            self.join(pick(0) as u32, pick(1) as u32);
        }
    }

    fn leader(&self, mut slot: u32) -> u32 {
        while self.leaders[slot as usize] != slot {
            slot = self.leaders[slot as usize];
        }
        slot
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.leader(one), self.leader(other));
        self.leaders[one.max(other) as usize] = one.min(other);
    }
}

fn pair_chance(plan: &SimulationPlan, now: &EpochView<'_>, stake_above: f64, slots: [usize; 2]) -> f64 {
    let [one, other] = slots.map(|slot| now.distributions.habit_towards(slot, stake_above));
    let (Some(one), Some(other)) = (one, other) else { return 0.0 };
    let Some(registration) = now.registry.registration(slots[0]) else { return 0.0 };
    plan.groups[usize::from(registration.group)].alike[usize::from(one)][usize::from(other)]
}

#[cfg(test)]
mod tests;
