//! Validator permits: those that govern this epoch, and those that it grants for the next.

use super::exact::Bits;
use super::input::{EpochInput, Rules};

/// The stored permits, with the owner's under spec 425.
pub(super) fn current(permits: &mut Vec<bool>, rules: Rules, input: &EpochInput) {
    permits.clone_from(&input.validator_permit);
    add_owner(permits, rules, input);
}

/// Permits go to the largest non-zero stakes, and to the owner under spec 425. Of equal stakes the later ones win, as the
/// chain's stable ascending sort has it. `ranking` is a buffer.
pub(super) fn next(
    permits: &mut Vec<bool>,
    ranking: &mut Vec<(Bits, usize)>,
    rules: Rules,
    input: &EpochInput,
    stake: &[Bits],
) {
    let seats = usize::from(input.hyperparameters.max_allowed_validators);
    ranking.clear();
    ranking.extend(stake.iter().zip(0..).filter(|&(&share, _)| share != 0).map(|(&share, uid)| (share, uid)));
    let left_out = ranking.len().saturating_sub(seats);
    // Where nobody is left out there is nothing to select, and without seats the index would be out of range.
    if (1..ranking.len()).contains(&left_out) {
        ranking.select_nth_unstable(left_out);
    }
    permits.clear();
    permits.resize(stake.len(), false);
    ranking[left_out..].iter().for_each(|&(_, uid)| permits[uid] = true);
    add_owner(permits, rules, input);
}

fn add_owner(permits: &mut [bool], rules: Rules, input: &EpochInput) {
    if let (Rules::Spec425, Some(owner)) = (rules, input.owner_uid) {
        permits[usize::from(owner)] = true;
    }
}
