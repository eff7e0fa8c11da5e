//! Validator permits: those that govern this epoch, and those that it grants for the next.

use crate::fixed::I32F32;
use crate::input::{EpochInput, Rules};

/// The stored permits, with the owner's under spec 425.
pub(in crate::tests) fn current(rules: Rules, input: &EpochInput) -> Vec<bool> {
    with_owner(rules, input, input.validator_permit.clone())
}

/// Permits go to the largest non-zero stakes, and to the owner under spec 425.
pub(in crate::tests) fn next(rules: Rules, input: &EpochInput, stake: &[I32F32]) -> Vec<bool> {
    let seats = usize::from(input.hyperparameters.max_allowed_validators);
    with_owner(rules, input, is_topk_nonzero(stake, seats))
}

/// True for the `k` largest entries that are not zero. Of equal entries the later ones win, as the chain's stable
/// ascending sort has it.
pub(in crate::tests) fn is_topk_nonzero(values: &[I32F32], k: usize) -> Vec<bool> {
    let mut chosen: Vec<bool> = values.iter().map(|&value| value != I32F32::ZERO).collect();
    let mut ascending: Vec<usize> = (0..values.len()).collect();
    ascending.sort_by_key(|&index| values[index]);
    for &index in &ascending[..values.len().saturating_sub(k)] {
        chosen[index] = false;
    }
    chosen
}

fn with_owner(rules: Rules, input: &EpochInput, mut permits: Vec<bool>) -> Vec<bool> {
    if let (Rules::Spec425, Some(owner)) = (rules, input.owner_uid) {
        permits[usize::from(owner)] = true;
    }
    permits
}
