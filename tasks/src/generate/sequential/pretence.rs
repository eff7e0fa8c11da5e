//! What pretending is worth: the chance that a cheat is convicted times what it then loses, against what it saves.
//!
//! Amounts are in units of a settled miner's pay for one answer. An honest answer is taken to cost all of that: whatever
//! share of its pay a miner spends, what a cheat saves is then no more than said here, and gains and losses are linear in
//! that share.
//!
//! Whoever is convicted is a newcomer again: it serves `newcomer_checks` answers unpaid, as a fresh hotkey would have to.
//! That is the loss. What it loses of the epoch in which it is found comes on top, and is left out.

mod bounds;
mod epoch;
mod examination;
mod strategies;

use serde::{Deserialize, Serialize};

use super::file::Budget;
use bounds::rate_at_least;
pub(crate) use bounds::rate_at_most;
pub use examination::{Examination, ExaminedPretence, NearStrategy, StrategyFigures};
pub use strategies::{Strategies, Strategy, StrategyWorth};

/// Times that the expected loss has to be the expected gain.
const MARGIN: f64 = 2.0;
/// False convictions of an honest miner in an epoch at most.
const FALSE_CONVICTIONS_MAX: f64 = 1e-6;
/// The share of its pay that an honest miner may lose by them.
const HONEST_LOSS_MAX: f64 = 1e-3;
/// The smallest share of checks that a calibration sets: they cost less than a hundredth of the miners' work even where those
/// generate in batches.
const DRAWN_LEAST_PERCENT: u32 = 2;
/// Epochs that a newcomer serves unpaid, at most: an immunity period of 4096 blocks is 11 tempos.
const WAIT_MOST_EPOCHS: u32 = 10;
/// Checks without a conviction after which a way of pretending is taken for conforming, and the share of them that the judge
/// may reject.
const CONFORMING_CHECKS: u32 = 100;
const CONFORMING_REJECTED_MAX: f64 = 0.01;

/// A way of pretending, as a calibration measured it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretence {
    pub name: String,
    /// Cost of an answer over that of an honest one.
    pub cost: f64,
    /// Answers that were checked, one after the other until the sequential test was sure, and how many of them convicted.
    #[serde(default)]
    pub checks: u32,
    #[serde(default)]
    pub convicted: u32,
    /// The share of answers that are worth nothing by their form, which is looked at in every answer.
    #[serde(default)]
    pub refused: f64,
    /// The share of the checked answers that the judge rejects, each by itself.
    #[serde(default)]
    pub rejected: f64,
}

/// The figures of one way of pretending under a budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PretenceFigures {
    pub name: String,
    /// The lower 95 % bound on convictions per drawn answer.
    pub detection: f64,
    /// What an answer saves.
    pub gain: f64,
    /// Expected loss of an answer, and its expected gain.
    pub expected: [f64; 2],
    pub verdict: PretenceVerdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PretenceVerdict {
    /// The loss is twice the gain at least.
    Loses,
    /// Its answers are within what honest miners may answer: no check of answers tells it.
    Conforms,
    /// The loss is less than twice the gain.
    Pays,
}

impl PretenceFigures {
    /// Strategies around it are followed: it saves something, and isn't what honest miners may answer.
    fn is_followed(&self) -> bool {
        self.gain > 0.0 && self.verdict != PretenceVerdict::Conforms
    }
}

/// Terms of newcomers under which no way of pretending pays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DrawTerms {
    /// The share of a settled miner's answers that are checked.
    pub drawn: f64,
    /// Answers that checks have to accept before a newcomer is settled.
    pub checks: u64,
}

impl DrawTerms {
    /// The cheapest ones under which newcomers are paid before their immunity ends: with few rounds an epoch, more is drawn.
    pub fn of(cheats: &[Pretence], rounds: u32) -> Self {
        let checks =
            |drawn| cheats.iter().filter_map(|cheat| cheat.newcomer_checks(drawn)).max().unwrap_or(1);
        let most = u64::from(WAIT_MOST_EPOCHS) * u64::from(rounds.max(1));
        let shares = (DRAWN_LEAST_PERCENT..100).map(|percent| f64::from(percent) / 100.0);
        let mut terms = shares.map(|drawn| Self { drawn, checks: checks(drawn) });
        terms.find(|terms| terms.checks <= most).unwrap_or_else(|| Self { drawn: 1.0, checks: checks(1.0) })
    }
}

/// Loss by a conviction, and what leads to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stakes {
    /// The chance that a settled miner's answer is drawn for a check.
    pub drawn: f64,
    /// Rounds of an epoch.
    pub rounds: u32,
    /// Epochs that a newcomer serves unpaid.
    pub wait: u32,
}

impl Stakes {
    /// A newcomer is asked in `spot_rounds` more than a settled miner, and serves so much shorter. `None` under the terms of
    /// earlier task files, where a conviction is forgotten when its epoch ends.
    pub fn new(budget: &Budget, rounds: u32, spot_rounds: u32) -> Option<Self> {
        let rounds = rounds.max(1);
        let wait = budget.newcomer_checks()?.div_ceil(u64::from(rounds) + u64::from(spot_rounds));
        Some(Self { drawn: budget.drawn, rounds, wait: u32::try_from(wait).unwrap_or(u32::MAX) })
    }

    /// The profit lost until standing is back: every unpaid answer is one's pay lost.
    pub fn loss(&self) -> f64 {
        f64::from(self.wait) * f64::from(self.rounds)
    }
}

impl Pretence {
    pub fn is_sound(&self) -> bool {
        (0.0..=1.0).contains(&self.cost)
            && (0.0..=1.0).contains(&self.refused)
            && (0.0..=1.0).contains(&self.rejected)
            && self.convicted <= self.checks
    }

    /// The lower 95 % bound on convictions per checked answer.
    pub fn detection(&self) -> f64 {
        rate_at_least(self.checks, self.convicted)
    }

    /// The chance that an answer is well-formed, drawn and convicts, where it is drawn with this chance.
    fn caught(&self, drawn: f64) -> f64 {
        drawn * self.detection() * (1.0 - self.refused)
    }

    /// What an answer saves.
    pub fn gain(&self) -> f64 {
        1.0 - self.cost
    }

    /// Its answers are such as honest miners may give: neither the judge nor the test tells them.
    fn conforms(&self) -> bool {
        let is_told = self.convicted > 0 || self.refused > 0.0 || self.rejected > CONFORMING_REJECTED_MAX;
        self.checks >= CONFORMING_CHECKS && !is_told
    }

    /// Checked answers after which a newcomer has to be settled for this to lose, whatever the rounds of an epoch.
    pub fn newcomer_checks(&self, drawn: f64) -> Option<u64> {
        let caught = self.caught(drawn);
        let kept = (1.0 - self.refused) * (1.0 - caught);
        let lacking = MARGIN * kept * self.gain() - self.refused;
        match lacking > 0.0 {
            true if caught > 0.0 => Some((lacking / caught).ceil() as u64),
            true => None,
            false => Some(1),
        }
    }

    pub fn figures(&self, stakes: &Stakes) -> PretenceFigures {
        let (detection, gain) = (self.detection(), self.gain());
        let caught = self.caught(stakes.drawn);
        let loss = self.refused + caught * stakes.loss();
        let saved = (1.0 - self.refused) * (1.0 - caught) * gain;
        let verdict = match self.conforms() && gain > 0.0 {
            true => PretenceVerdict::Conforms,
            false if loss >= MARGIN * saved => PretenceVerdict::Loses,
            false => PretenceVerdict::Pays,
        };
        PretenceFigures { name: self.name.clone(), detection, gain, expected: [loss, saved], verdict }
    }
}

impl Budget {
    /// An upper bound on the chance that an honest miner is convicted in an epoch of so many rounds, all of them checked.
    /// By Wald's inequality a walk convicts with `false_alarm / (1 - miss)` at most, and no check begins more than one.
    pub fn false_convictions(&self, rounds: u32) -> f64 {
        f64::from(rounds) * self.false_alarm / (1.0 - self.miss)
    }
}

#[cfg(test)]
mod tests;
