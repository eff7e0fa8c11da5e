//! Verdict of the attack matrix on a policy, in one sentence.
//!
//! An attack pays if its profit exceeds that of honest work by more than chance explains; it does not if the opposite is
//! as certain; between the two the report says that it doesn't know.

use super::data::{Data, Figure};
use super::number::{among, percent, precise};
use crate::attack::MatrixCell;

/// Profit over that of honest work above which attacking pays.
pub const PAR: f64 = 1.0;

/// Share of attacking miners up to which a policy answers for it.
pub const FRACTION_MAX: f64 = 0.4;

/// True if attacking pays. Ascending by how bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// One policy's worst detectable attack, up to [`FRACTION_MAX`].
#[derive(Clone, Debug, PartialEq)]
pub struct RunVerdict {
    pub policy: String,
    pub worst: Option<MatrixCell>,
    pub standing: RunStanding,
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
    /// In words.
    pub fn sentence(&self) -> String {
        let Some(worst) = &self.worst else {
            return "No detectable attack was tried.".to_owned();
        };
        let MatrixCell { attack, .. } = worst;
        let (ratio, bad) = (precise(worst.profit_ratio), among(worst.fraction));
        match self.standing {
            RunStanding::Unknown => "No detectable attack has a profit to compare.".to_owned(),
            RunStanding::Loses => {
                let limit = percent(Some(FRACTION_MAX));
                format!("No detectable attack pays, up to {limit} bad miners.")
            }
            RunStanding::Unclear => {
                format!("Too close to call: {attack} earns {ratio} × honest work {bad}.")
            }
            RunStanding::Pays => {
                format!("Attacking pays: {attack} earns {ratio} × honest work {bad}.")
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
        let judged = |policy: &str| {
            let worst = self.worst(policy, true).cloned();
            let standing = worst.as_ref().map_or(RunStanding::Unknown, MatrixCell::standing);
            RunVerdict { policy: policy.to_owned(), worst, standing }
        };
        self.policies().into_iter().map(judged).collect()
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
