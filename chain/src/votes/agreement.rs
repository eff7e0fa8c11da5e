//! Two rows of weights beside each other.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_types::Uid;

/// Each uid's share of a row's weights, in [0, 1]; zeros are left out.
pub fn shares(row: &[(Uid, u16)]) -> BTreeMap<Uid, f64> {
    let total: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let paid = row.iter().filter(|(_, weight)| *weight > 0);
    paid.map(|(uid, weight)| (*uid, f64::from(*weight) / total as f64)).collect()
}

/// How far two rows are from each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The sum of all differences between shares: 0 for equal rows, 2 for rows that have nothing in common.
    pub l1: f64,
    /// The share of their weight that both rows give to the same uids, in [0, 1].
    pub agreement: f64,
    /// The largest first.
    pub differences: Vec<UidDifference>,
}

/// One uid's share in both rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct UidDifference {
    pub uid: Uid,
    pub first: f64,
    pub second: f64,
}

impl UidDifference {
    /// What the second row gives beyond the first.
    pub fn gain(&self) -> f64 {
        self.second - self.first
    }
}

impl Agreement {
    pub fn of(first: &[(Uid, u16)], second: &[(Uid, u16)]) -> Self {
        let (one, other) = (shares(first), shares(second));
        let both: BTreeMap<Uid, (f64, f64)> = one
            .keys()
            .chain(other.keys())
            .map(|uid| {
                let share = |row: &BTreeMap<Uid, f64>| row.get(uid).copied().unwrap_or(0.0);
                (*uid, (share(&one), share(&other)))
            })
            .collect();
        let l1 = both.values().map(|(first, second)| (second - first).abs()).sum();
        let agreement = both.values().map(|(first, second)| first.min(*second)).sum();
        let difference = |(uid, (first, second)): (Uid, (f64, f64))| UidDifference { uid, first, second };
        let mut differences: Vec<UidDifference> =
            both.into_iter().map(difference).filter(|difference| difference.gain() != 0.0).collect();
        let by_size = |a: &UidDifference, b: &UidDifference| {
            b.gain().abs().total_cmp(&a.gain().abs()).then(a.uid.cmp(&b.uid))
        };
        differences.sort_by(by_size);
        Self { l1, agreement, differences }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_shares_agree_whatever_they_sum_to_and_the_largest_difference_comes_first() {
        let row = |weights: &[(u16, u16)]| weights.iter().map(|(uid, w)| (Uid(*uid), *w)).collect::<Vec<_>>();
        let same = Agreement::of(&row(&[(1, 10), (2, 30)]), &row(&[(1, 100), (2, 300), (3, 0)]));
        assert_eq!((same.l1, same.agreement, same.differences.len()), (0.0, 1.0, 0));
        let apart = Agreement::of(&row(&[(1, 5)]), &row(&[(2, 5)]));
        assert_eq!((apart.l1, apart.agreement), (2.0, 0.0));
        let moved = Agreement::of(&row(&[(1, 50), (2, 30), (3, 20)]), &row(&[(1, 20), (2, 50), (3, 30)]));
        let order: Vec<u16> = moved.differences.iter().map(|difference| difference.uid.0).collect();
        assert_eq!(order, [1, 2, 3]);
        assert!((moved.l1 - 0.6).abs() < 1e-12 && (moved.agreement - 0.7).abs() < 1e-12, "{moved:?}");
        assert_eq!(Agreement::of(&[], &[]).l1, 0.0);
    }
}
