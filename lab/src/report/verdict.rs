//! Verdict of the attack matrix on a policy, in one sentence.
//!
//! An attack pays if its profit exceeds that of honest work by more than chance explains; it does not if the opposite is
//! as certain; between the two the report says that it doesn't know.

use serde::Serialize;

use super::data::{Data, Figure};
use super::number::{among, percent, precise};
use crate::attack::MatrixCell;

pub use crate::attack::FRACTION_MAX;

/// Profit over that of honest work above which attacking pays.
pub const PAR: f64 = 1.0;

/// Profit over that of honest work that a policy is asked to keep every attack below.
pub const LIMIT: f64 = 1.05;

/// True if attacking pays. Ascending by how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStanding {
    /// Nothing to judge by.
    Unknown,
    /// The whole confidence interval is at most par.
    Loses,
    /// Par lies within it.
    Unclear,
    /// All of it is above par.
    Pays,
}

/// What all attacks together say of one policy, up to [`FRACTION_MAX`]. Whether answers give an attack away changes nothing: what
/// pays, pays.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunVerdict {
    pub policy: String,
    pub standing: RunStanding,
    pub worst: Option<MatrixCell>,
    /// The highest upper end of an interval.
    pub most: Option<f64>,
    /// Attacks that were tried.
    pub attacks: usize,
    /// Names of those that pay, the worst first.
    pub paying: Vec<String>,
    /// Cells without a profit to compare, as honest work earns nothing there.
    pub unknown: usize,
}

impl MatrixCell {
    /// True if this attack pays. Without a confidence interval the ratio decides alone.
    pub fn standing(&self) -> RunStanding {
        let Some(ratio) = self.profit_ratio.filter(|ratio| ratio.is_finite()) else {
            return RunStanding::Unknown;
        };
        let [least, most] = self.interval().unwrap_or([ratio, ratio]);
        if least > PAR {
            RunStanding::Pays
        } else if most > PAR {
            RunStanding::Unclear
        } else {
            RunStanding::Loses
        }
    }

    /// The confidence interval, if it is one.
    pub fn interval(&self) -> Option<[f64; 2]> {
        self.ci95.filter(|[least, most]| least.is_finite() && most.is_finite() && least <= most)
    }

    /// True if a policy answers for that many bad miners.
    pub fn counts(&self) -> bool {
        // 0.1 * 4 is a little more than 0.4.
        self.fraction <= FRACTION_MAX + 1e-9
    }
}

impl RunVerdict {
    fn of(policy: &str, matrix: &[MatrixCell]) -> Self {
        let mut counted: Vec<&MatrixCell> =
            matrix.iter().filter(|row| row.policy == policy && row.counts()).collect();
        let worst = worst(counted.iter().copied()).cloned();
        let upper = |row: &&MatrixCell| row.interval().map(|[_, most]| most).or(row.profit_ratio);
        let most = counted.iter().filter_map(upper).reduce(f64::max);
        let unknown = counted.iter().filter(|row| row.standing() == RunStanding::Unknown).count();
        let standing = match worst.as_ref().map_or(RunStanding::Unknown, MatrixCell::standing) {
            // An attack that can't be compared may pay.
            RunStanding::Loses | RunStanding::Unclear if unknown > 0 => RunStanding::Unknown,
            standing => standing,
        };
        counted.sort_by(|one, other| {
            other.profit_ratio.unwrap_or(0.0).total_cmp(&one.profit_ratio.unwrap_or(0.0))
        });
        let (mut attacks, mut paying): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
        for row in counted {
            if !attacks.contains(&row.attack.as_str()) {
                attacks.push(&row.attack);
            }
            if row.standing() == RunStanding::Pays && !paying.contains(&row.attack) {
                paying.push(row.attack.clone());
            }
        }
        Self { policy: policy.to_owned(), standing, worst, most, attacks: attacks.len(), paying, unknown }
    }

    /// True if every attack is shown to earn at most `limit` times honest profit: the upper ends of all intervals are.
    pub fn holds(&self, limit: f64) -> bool {
        self.unknown == 0 && self.most.is_some_and(|most| most <= limit)
    }

    /// In words.
    pub fn sentence(&self) -> String {
        let Some(worst) = &self.worst else {
            let limit = percent(Some(FRACTION_MAX));
            return format!("No attack was tried at up to {limit} bad miners.");
        };
        let MatrixCell { attack, .. } = worst;
        let (ratio, bad) = (precise(worst.profit_ratio), among(worst.fraction));
        match self.standing {
            RunStanding::Unknown => {
                "Honest work earns nothing in some worlds, so that attacks can't be compared with it."
                    .to_owned()
            }
            RunStanding::Loses => {
                let limit = percent(Some(FRACTION_MAX));
                format!("None of {} attacks pays, up to {limit} bad miners.", self.attacks)
            }
            RunStanding::Unclear => {
                format!("Too close to call: {attack} earns {ratio} × honest work {bad}.")
            }
            RunStanding::Pays => {
                let others = match self.paying.len() {
                    0 | 1 => String::new(),
                    count => format!(" {count} of {} attacks pay: {}.", self.attacks, self.paying.join(", ")),
                };
                format!("Attacking pays: {attack} earns {ratio} × honest work {bad}.{others}")
            }
        }
    }
}

impl Data {
    /// The matrix's policies in the order in which they appear.
    pub fn policies(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.matrix {
            if !names.contains(&row.policy.as_str()) {
                names.push(&row.policy);
            }
        }
        names
    }

    /// One verdict per policy of the matrix.
    pub fn verdicts(&self) -> Vec<RunVerdict> {
        self.policies().into_iter().map(|policy| RunVerdict::of(policy, &self.matrix)).collect()
    }

    /// The worst attack under a policy that is, or isn't, detectable, up to [`FRACTION_MAX`].
    pub fn worst(&self, policy: &str, detectable: bool) -> Option<&MatrixCell> {
        let of = |row: &&MatrixCell| row.policy == policy && row.detectable == detectable && row.counts();
        worst(self.matrix.iter().filter(of))
    }

    /// Figures that meet their goal, and figures that have one.
    pub fn goals(&self) -> (usize, usize) {
        let met: Vec<bool> = self.figures.iter().filter_map(Figure::met).collect();
        (met.iter().filter(|met| **met).count(), met.len())
    }
}

/// The row that pays most certainly, then the one that pays most; the first of equals.
pub(super) fn worst<'a>(rows: impl Iterator<Item = &'a MatrixCell>) -> Option<&'a MatrixCell> {
    let key = |row: &MatrixCell| (row.standing(), row.profit_ratio.unwrap_or(f64::NEG_INFINITY));
    // Not `max_by`, which gives the last of equals.
    rows.fold(None, |worst, row| match worst {
        Some(other) => {
            let ((standing, ratio), (most, largest)) = (key(row), key(other));
            let above = standing.cmp(&most).then(ratio.total_cmp(&largest)).is_gt();
            Some(if above { row } else { other })
        }
        None => Some(row),
    })
}

#[cfg(test)]
mod tests;
