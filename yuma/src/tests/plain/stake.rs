//! Activity of uids, and the weight of their stake.

use super::vector::{inplace_mask_vector, inplace_normalize};
use crate::fixed::{I32F32, I64F64};
use crate::input::{EpochInput, Rules};

/// Active until `activity_cutoff` blocks after the last update, inclusive.
pub(in crate::tests) fn active(last_update: &[u64], activity_cutoff: u64, block: u64) -> Vec<bool> {
    last_update.iter().map(|updated| updated.saturating_add(activity_cutoff) >= block).collect()
}

/// Each uid's share of the stake that is not below the threshold, truncated first at 2^-64 and then at 2^-32.
pub(in crate::tests) fn normalized(rules: Rules, input: &EpochInput) -> Vec<I32F32> {
    let exempt = input.owner_uid.filter(|_| rules == Rules::Spec425).map(usize::from);
    let counted = |(uid, &rao): (usize, &u64)| {
        let stake = I64F64::from_u64(rao);
        let below = stake.to_u64() < input.hyperparameters.stake_threshold && Some(uid) != exempt;
        if below { I64F64::ZERO } else { stake }
    };
    let stake: Vec<I64F64> = input.stake.iter().enumerate().map(counted).collect();
    let total: I64F64 = stake.iter().copied().sum();
    stake.iter().map(|stake| stake.safe_div(total).to_i32f32()).collect()
}

/// Shares among the active validators with a permit; zero for all others.
pub(in crate::tests) fn active_stake(stake: &[I32F32], active: &[bool], permits: &[bool]) -> Vec<I32F32> {
    let silent: Vec<bool> =
        active.iter().zip(permits).map(|(&active, &permit)| !(active && permit)).collect();
    let mut active_stake = stake.to_vec();
    inplace_mask_vector(&silent, &mut active_stake);
    inplace_normalize(&mut active_stake);
    active_stake
}
