//! The attack matrix as lines and columns.

use super::verdict::worst;
use crate::attack::MatrixCell;

/// One attack under one policy.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) attack: &'a str,
    rows: Vec<&'a MatrixCell>,
}

impl<'a> Line<'a> {
    /// Its rows at this fraction; more than one if the matrix repeats itself.
    pub(super) fn at(&self, fraction: f64) -> impl Iterator<Item = &'a MatrixCell> {
        self.rows.iter().copied().filter(move |row| same(row.fraction, fraction))
    }
}

/// All fractions of a matrix, ascending.
pub(super) fn fractions(matrix: &[MatrixCell]) -> Vec<f64> {
    let mut all: Vec<f64> = matrix.iter().map(|row| row.fraction).collect();
    all.sort_by(f64::total_cmp);
    all.dedup_by(|one, other| same(*one, *other));
    all
}

/// 0.1 * 3 and 0.3 are one fraction.
pub(super) fn same(one: f64, other: f64) -> bool {
    // NaN counts as one fraction too, or each of its rows would get a column of its own.
    one == other || (one - other).abs() < 1e-9 || (one.is_nan() && other.is_nan())
}

/// One policy's attacks, those that pay most under any policy first, so that two policies' lines stand alike.
pub(super) fn lines<'a>(matrix: &'a [MatrixCell], policy: &str, detectable: bool) -> Vec<Line<'a>> {
    let of = |row: &&MatrixCell| row.detectable == detectable;
    let mut attacks: Vec<&str> = Vec::new();
    for row in matrix.iter().filter(of) {
        if !attacks.contains(&row.attack.as_str()) {
            attacks.push(&row.attack);
        }
    }
    let key = |attack: &str| {
        let worst = worst(matrix.iter().filter(of).filter(|row| row.attack == attack));
        worst.and_then(|row| row.profit_ratio).unwrap_or(f64::NEG_INFINITY)
    };
    // Worked out once per attack and not in each comparison, as it goes over all rows.
    let mut keyed: Vec<(f64, &str)> = attacks.into_iter().map(|attack| (key(attack), attack)).collect();
    keyed.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let line = |attack: &'a str| {
        let mine = |row: &&MatrixCell| row.policy == policy && row.attack == attack;
        Line { attack, rows: matrix.iter().filter(of).filter(mine).collect() }
    };
    keyed.into_iter().map(|(_, attack)| line(attack)).filter(|line| !line.rows.is_empty()).collect()
}
