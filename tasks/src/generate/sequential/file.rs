//! The section `[budget]` of a task file.

use serde::Deserialize;

use super::pretence::Pretence;
use super::sprt::SequentialTest;

/// Bins that a histogram may have.
const BINS_MAX: usize = 64;
/// Ways of pretending that may be listed.
const CHEATS_MAX: usize = 64;
/// Earlier verdicts or checks that may be asked of a miner before it is taken for settled.
const SETTLED_AFTER_MAX: u64 = 1_000_000;

/// Budget of checks: the miners that are checked, and the errors that the test may make.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    pub test: SequentialTest,
    /// The share of a settled miner's answers that are checked.
    pub drawn: f64,
    pub terms: Terms,
    /// As declared.
    pub false_alarm: f64,
    pub miss: f64,
    /// Ways of pretending that were measured.
    pub cheats: Vec<Pretence>,
}

/// Terms of newcomers: when a miner is settled, so that its answers are only checked when they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// After so many verdicts of earlier epochs. Unchecked answers count in full, and a conviction is forgotten when its epoch
    /// ends: terms of earlier task files, under which pretending pays.
    Verdicts(u64),
    /// Once checks of earlier epochs accepted so many answers; whoever comes after others isn't paid before. Unchecked
    /// answers count what checked ones were worth, and a conviction makes a newcomer.
    Checks(u64),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBudget {
    false_alarm: f64,
    miss: f64,
    drawn: f64,
    settled_after: Option<u64>,
    newcomer_checks: Option<u64>,
    edges: Vec<f64>,
    honest: Vec<f64>,
    cheat: Vec<f64>,
    #[serde(default)]
    cheats: Vec<Pretence>,
}

/// Defect of a budget: the key, and what it should be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("budget.{key} {what}")]
pub struct BudgetError {
    key: &'static str,
    what: String,
}

impl Budget {
    /// Answers of a newcomer that checks have to accept before it is settled; `None` under the terms of earlier files.
    pub fn newcomer_checks(&self) -> Option<u64> {
        match self.terms {
            Terms::Checks(checks) => Some(checks),
            Terms::Verdicts(_) => None,
        }
    }
}

impl RawBudget {
    pub(crate) fn check(self) -> Result<Budget, BudgetError> {
        let refuse = |key, what: &str| Err(BudgetError { key, what: what.to_owned() });
        for (key, rate) in [("false_alarm", self.false_alarm), ("miss", self.miss)] {
            if !(1e-12..=0.5).contains(&rate) {
                return refuse(key, "is an error rate: 1e-12 to 0.5");
            }
        }
        if !(0.0..=1.0).contains(&self.drawn) {
            return refuse("drawn", "is a share: 0 to 1");
        }
        let terms = match (self.newcomer_checks, self.settled_after) {
            (Some(checks), None) if (1..=SETTLED_AFTER_MAX).contains(&checks) => Terms::Checks(checks),
            (None, Some(verdicts)) if verdicts <= SETTLED_AFTER_MAX => Terms::Verdicts(verdicts),
            (Some(_), None) => return refuse("newcomer_checks", "is 1 to 1000000"),
            (None, Some(_)) => return refuse("settled_after", "is at most 1000000"),
            (None, None) => return refuse("newcomer_checks", "is missing"),
            (Some(_), Some(_)) => {
                return refuse("settled_after", "is replaced by newcomer_checks: leave it out");
            }
        };
        let sorted = self.edges.is_sorted_by(|a, b| a < b);
        if self.edges.is_empty()
            || self.edges.len() >= BINS_MAX
            || !sorted
            || !self.edges.iter().all(|edge| *edge >= 0.0)
        {
            return refuse("edges", "are 1 to 63 margins, ascending from 0 or above");
        }
        for (key, shares) in [("honest", &self.honest), ("cheat", &self.cheat)] {
            // A share of 0 would give a bin infinite log-odds, and one token would decide alone.
            let sound = |share: &f64| (1e-12..=1.0).contains(share);
            if shares.len() != self.edges.len() + 1 || !shares.iter().all(sound) {
                return refuse(key, "has one share, above 0 and up to 1, for each bin: one more than edges");
            }
        }
        if self.cheats.len() > CHEATS_MAX || !self.cheats.iter().all(Pretence::is_sound) {
            return refuse(
                "cheats",
                "are at most 64, of cost, refused and rejected between 0 and 1, and no more convicted than checks",
            );
        }
        let test = SequentialTest::new(self.edges, &self.honest, &self.cheat, self.false_alarm, self.miss);
        if !test.can_convict() {
            return refuse("cheat", "is the same as budget.honest: nothing could be told apart");
        }
        Ok(Budget {
            test,
            drawn: self.drawn,
            terms,
            false_alarm: self.false_alarm,
            miss: self.miss,
            cheats: self.cheats,
        })
    }
}
