//! A strategy as numbers in [0, 1], for an optimiser to move.
//!
//! One number per habit, in a fixed order, then one per kind of answer for work, then for rest. The lower half of the range
//! of an optional habit means that it is absent, the upper half its strength, so that a search crosses from one to the
//! other at a known place. A kind's share of a mix grows with the square of what its number exceeds one half by; a mix
//! without any is honest work.
//!
//! Only choices of the operator are habits: the cost factor stays 1, its sight at most what [`Genome::sight_most`] grants,
//! and the computing power behind several identities at most one honest miner's, or its profit could not be compared with
//! what that miner earns. Better work than honest is no attack.

use crate::sim::strategy::COPY;
use crate::sim::{Mix, Return, Strategy, Switch};
use weighhouse_types::profile::Profile;

use super::fold::{linear, logarithmic, step, step_middle, unlinear, unlogarithmic};

/// Numbers before the mixes.
const HABITS: usize = 16;
/// The middle of an absent habit's range.
const ABSENT: f64 = 0.25;
/// Longest wait, period and time of good conduct, in epochs.
const EPOCHS_MOST: f64 = 48.0;
const BACKEND: [f64; 2] = [0.05, 1.0];
/// No uid is given up before it could have been paid: where all have just registered, that would only push out those who
/// registered before, and no policy sees it.
const UNPAID_LEAST: f64 = 4.0;
const RELATIVE_MOST: f64 = 2.0;
const COPY_DELAYS: usize = 4;
/// Below this, a share is none.
const SHARE_LEAST: f64 = 1e-3;

/// Encoding of strategies as numbers, for one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Genome {
    kinds: Vec<String>,
    identities_most: u16,
    sight_most: f64,
    mirrors: bool,
}

impl Genome {
    /// Kinds of answer are those of the profile, and a copy where copies were measured.
    pub fn new(profile: &Profile, identities_most: u16, sight_most: f64) -> Self {
        // Mirrors go with a habit of their own, and better work is no attack.
        let is_answer = |name: &&str| !["mirror", "better"].contains(name);
        let mut kinds: Vec<String> = profile
            .personas
            .iter()
            .map(|kind| kind.name.as_str())
            .filter(is_answer)
            .map(str::to_owned)
            .collect();
        if Strategy::plain(COPY, COPY).is_measured(profile) {
            kinds.push(COPY.to_owned());
        }
        let mirrors = ["noise", "mirror"].iter().all(|kind| profile.persona(kind).is_ok());
        Self { kinds, identities_most: identities_most.max(1), sight_most, mirrors }
    }

    /// Numbers of one strategy.
    pub fn dimensions(&self) -> usize {
        HABITS + 2 * self.kinds.len()
    }

    /// Best accuracy with which an attacker tells judged requests from others.
    pub fn sight_most(&self) -> f64 {
        self.sight_most
    }

    /// The kinds of answer, in the order of their numbers.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(String::as_str)
    }

    pub(super) fn identities_most(&self) -> u16 {
        self.identities_most
    }

    pub(super) fn mirrors(&self) -> bool {
        self.mirrors
    }

    /// The strategy that `at` stands for; numbers that are missing count as absent habits.
    pub fn decode(&self, at: &[f64]) -> Strategy {
        let unit = |habit: usize| at.get(habit).copied().unwrap_or(ABSENT);
        let strength = |habit: usize| (unit(habit) > 0.5).then(|| (2.0 * unit(habit) - 1.0).min(1.0));
        let epochs = |habit: usize| strength(habit).map_or(0, |unit| rounded(unit, 1.0, EPOCHS_MOST));
        let identities = rounded(unit(0), 1.0, f64::from(self.identities_most)) as u16;
        let decoys = strength(1).map_or(0.0, |part| part * f64::from(identities)) as u16;
        let rests = strength(3).is_some();
        let rest_above = strength(4).map(|unit| linear(unit, 0.0, RELATIVE_MOST));
        let unpaid_epochs = strength(15).map_or(0, |unit| rounded(unit, UNPAID_LEAST, EPOCHS_MOST));
        let comes_back =
            strength(14).map(|unit| Return { after_epochs: rounded(unit, 1.0, EPOCHS_MOST), unpaid_epochs });
        Strategy {
            name: "red team".to_owned(),
            identities,
            // At least one identity answers.
            decoys: decoys.min(identities - 1),
            backend: strength(2)
                .map(|unit| logarithmic(unit, BACKEND[0], BACKEND[1]))
                .or((identities > 1).then_some(BACKEND[1])),
            cost_factor: 1.0,
            work: self.mix(at, HABITS),
            rest: rests.then(|| self.mix(at, HABITS + self.kinds.len())),
            switch: Switch {
                rest_above,
                // Never above `rest_above`: between the two it would have to rest and work at once.
                work_below: rest_above.map_or(0.0, |above| unit(5) * above),
                period: epochs(6),
                // Without a period, a duty says nothing.
                duty: if epochs(6) > 0 { unit(7) } else { 0.0 },
                work_first: epochs(8),
            },
            sight: strength(9).map(|unit| unit * self.sight_most),
            served_stake: strength(10).map_or(1.0, |unit| 1.0 - unit),
            late: strength(11).map_or(0.0, |unit| unit * unit),
            copy_delay: step(unit(12), COPY_DELAYS) as u32,
            mirrored: self.mirrors && strength(13).is_some(),
            comes_back,
        }
    }

    fn mix(&self, at: &[f64], first: usize) -> Mix {
        let mut mix = Mix::default();
        for (kind, unit) in self.kinds.iter().zip(at.iter().skip(first)) {
            let strength = 2.0 * (unit - 0.5);
            if strength > 0.0 && strength * strength > SHARE_LEAST {
                mix.0.insert(kind.clone(), strength * strength);
            }
        }
        if mix.0.is_empty() { Mix::only("honest") } else { mix }
    }

    /// The numbers that stand for `strategy`, as nearly as they can: habits beyond their range end at it.
    pub fn encode(&self, strategy: &Strategy) -> Vec<f64> {
        // A little above the middle, so that a weak habit is not read back as an absent one.
        let present = |strength: Option<f64>| strength.map_or(ABSENT, |unit| 0.5 + 0.5 * unit.max(0.02));
        let epochs =
            |epochs: u32| present((epochs > 0).then(|| unlogarithmic(f64::from(epochs), 1.0, EPOCHS_MOST)));
        let switch = &strategy.switch;
        let above = switch.rest_above;
        let ratio = above.map_or(0.5, |above| unlinear(switch.work_below, 0.0, above));
        let back = strategy.comes_back;
        // The middle of what is read back as this number.
        let decoys = f64::from(strategy.decoys) + 0.5;
        let partly = |part: f64| present((part > 0.0).then_some(part));
        let mut at = vec![
            unlogarithmic(f64::from(strategy.identities), 1.0, f64::from(self.identities_most)),
            present((strategy.decoys > 0).then(|| (decoys / f64::from(strategy.identities)).min(1.0))),
            present(strategy.backend.map(|backend| unlogarithmic(backend, BACKEND[0], BACKEND[1]))),
            present(strategy.rest.as_ref().map(|_| 0.5)),
            present(above.map(|above| unlinear(above, 0.0, RELATIVE_MOST))),
            ratio,
            epochs(switch.period),
            switch.duty,
            epochs(switch.work_first),
            present(strategy.sight.map(|sight| unlinear(sight, 0.0, self.sight_most))),
            partly(1.0 - strategy.served_stake),
            partly(libm::sqrt(strategy.late)),
            step_middle((strategy.copy_delay as usize).min(COPY_DELAYS - 1), COPY_DELAYS),
            present(strategy.mirrored.then_some(0.5)),
            present(back.map(|back| unlogarithmic(f64::from(back.after_epochs.max(1)), 1.0, EPOCHS_MOST))),
            present(
                back.filter(|back| back.unpaid_epochs > 0)
                    .map(|back| unlogarithmic(f64::from(back.unpaid_epochs), UNPAID_LEAST, EPOCHS_MOST)),
            ),
        ];
        for mix in [&strategy.work, strategy.rest.as_ref().unwrap_or(&Mix::default())] {
            let sum: f64 = mix.0.values().sum();
            for kind in &self.kinds {
                let share = mix.0.get(kind).map_or(0.0, |share| share / sum);
                at.push(if share > 0.0 { 0.5 + 0.5 * libm::sqrt(share) } else { ABSENT });
            }
        }
        at
    }
}

/// A whole number from `low` to `high` with equal factors for equal steps.
fn rounded(unit: f64, low: f64, high: f64) -> u32 {
    libm::round(logarithmic(unit, low, high)) as u32
}

#[cfg(test)]
mod tests;
