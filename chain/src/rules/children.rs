//! Child keys: hotkeys that speak for parts of other hotkeys' stake, and how dividends find their way back.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_types::{Child, Hotkey};

use crate::Refusal;

pub(crate) const CHILDREN_MAX: usize = 5;

/// Tempos until set children take effect; at the chain's default tempo 7200 blocks.
pub(crate) const COOLDOWN_TEMPOS: u64 = 20;

/// The largest take, as a fraction of 65535: 18 %.
pub(crate) const TAKE_MAX: u16 = 11_796;

/// Blocks between two settings of a hotkey's children.
pub(crate) const SET_CHILDREN_BLOCKS: u64 = 150;

/// Blocks after a change of a take until it can be raised.
pub(crate) const RAISE_TAKE_BLOCKS: u64 = 216_000;

/// Checks a hotkey's new children against its present parents.
pub(crate) fn check(hotkey: &Hotkey, children: &[Child], parents: &BTreeSet<Hotkey>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    if let Some(twice) = children.iter().find(|child| !seen.insert(child.hotkey)) {
        return Err(Refusal::DuplicateChild { hotkey: twice.hotkey });
    }
    if seen.contains(hotkey) {
        return Err(Refusal::InvalidChild);
    }
    if children.len() > CHILDREN_MAX {
        return Err(Refusal::TooManyChildren { maximum: 5 });
    }
    if children.iter().map(|child| u128::from(child.proportion)).sum::<u128>() > u128::from(u64::MAX) {
        return Err(Refusal::ProportionOverflow);
    }
    if seen.iter().any(|child| parents.contains(child)) {
        return Err(Refusal::ChildParentInconsistency);
    }
    Ok(())
}

/// The proportion of a stake, floored.
pub(crate) fn share(stake: u64, proportion: u64) -> u64 {
    // The chain's proportions are fractions of 2^64 - 1.
    let share = u128::from(stake) * u128::from(proportion) / u128::from(u64::MAX);
    u64::try_from(share).expect("a share is no larger than the stake, a u64")
}

/// A fraction of 65535 of an amount, floored.
pub(crate) fn take(amount: u64, take: u16) -> u64 {
    let taken = u128::from(amount) * u128::from(take) / u128::from(u16::MAX);
    u64::try_from(taken).expect("a take is no larger than the amount, a u64")
}

/// One parent of a hotkey that earned dividends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    pub(crate) hotkey: Hotkey,
    /// The stake that it lends.
    pub(crate) stake: u64,
    /// Owned by the same coldkey: of its dividends nothing is kept.
    pub(crate) same_owner: bool,
}

/// Divides what a hotkey earned among it and its parents, by the stake each put in. The hotkey keeps its take and what
/// rounding leaves; nothing is lost.
pub(crate) fn distribute(
    hotkey: Hotkey,
    own_stake: u64,
    childkey_take: u16,
    parents: &[Parent],
    dividends: u64,
) -> BTreeMap<Hotkey, u64> {
    let total = u128::from(own_stake) + parents.iter().map(|parent| u128::from(parent.stake)).sum::<u128>();
    let mut shares = BTreeMap::new();
    let mut left = dividends;
    for parent in parents.iter().filter(|_| total > 0) {
        let earned = u128::from(dividends) * u128::from(parent.stake) / total;
        let earned = u64::try_from(earned).expect("a part is no larger than the whole, a u64");
        let kept = if parent.same_owner { 0 } else { take(earned, childkey_take) };
        *shares.entry(parent.hotkey).or_default() += earned - kept;
        left -= earned - kept;
    }
    *shares.entry(hotkey).or_default() += left;
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Hotkey {
        Hotkey([byte; 32])
    }

    fn child(byte: u8, proportion: u64) -> Child {
        Child { proportion, hotkey: key(byte) }
    }

    #[test]
    fn each_check_refuses_by_its_own_name() {
        let parents = BTreeSet::from([key(9)]);
        let half = u64::MAX / 2;
        let cases = [
            (vec![child(1, 1), child(1, 1)], Err(Refusal::DuplicateChild { hotkey: key(1) })),
            (vec![child(0, 1)], Err(Refusal::InvalidChild)),
            ((1..=6).map(|byte| child(byte, 1)).collect(), Err(Refusal::TooManyChildren { maximum: 5 })),
            (vec![child(1, u64::MAX), child(2, 1)], Err(Refusal::ProportionOverflow)),
            (vec![child(9, 1)], Err(Refusal::ChildParentInconsistency)),
            (vec![child(1, half), child(2, half)], Ok(())),
            (Vec::new(), Ok(())),
        ];
        for (children, expected) in cases {
            assert_eq!(check(&key(0), &children, &parents), expected, "{children:?}");
        }
    }

    #[test]
    fn dividends_go_to_the_parents_less_the_take_and_none_is_lost() {
        let parent = |byte, stake, same_owner| Parent { hotkey: key(byte), stake, same_owner };
        let parents = [parent(1, 300, false), parent(2, 100, true)];
        let shares = distribute(key(0), 600, TAKE_MAX, &parents, 1_003);
        // Of 1003: 300 and 100 of 1000 parts; the first parent leaves 18 % with the child.
        assert_eq!(shares, BTreeMap::from([(key(0), 1_003 - 247 - 100), (key(1), 300 - 53), (key(2), 100)]));
        assert_eq!(distribute(key(0), 0, TAKE_MAX, &[], 7), BTreeMap::from([(key(0), 7)]));
        assert_eq!(distribute(key(0), 0, 0, &[parent(1, 0, false)], 7)[&key(0)], 7);
    }
}
