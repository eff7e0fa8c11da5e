//! Activity of uids, and the weight of their stake.

use super::exact::{Bits, normalize};
use super::input::{EpochInput, Rules};
use crate::fixed::I64F64;

/// Active until `activity_cutoff` blocks after the last update, inclusive.
pub(super) fn active(active: &mut Vec<bool>, input: &EpochInput) {
    let cutoff = input.hyperparameters.activity_cutoff;
    active.clear();
    active.extend(input.last_update.iter().map(|updated| updated.saturating_add(cutoff) >= input.block));
}

/// Each uid's share of the stake that is not below the threshold, truncated at 2^-32. Each is at most 1.
pub(super) fn normalized(stake: &mut Vec<Bits>, rules: Rules, input: &EpochInput) {
    let exempt = input.owner_uid.filter(|_| rules == Rules::Spec425).map(usize::from);
    let counted = |(uid, &rao): (usize, &u64)| {
        // The chain compares what an I64F64 holds.
        let below = rao.min(i64::MAX as u64) < input.hyperparameters.stake_threshold;
        if below && Some(uid) != exempt { 0 } else { rao }
    };
    stake.clear();
    stake.extend(input.stake.iter().enumerate().map(counted));
    let total: u128 = stake.iter().copied().map(u128::from).sum();
    // The chain sums in I64F64, which holds what an i64 does.
    match i64::try_from(total) {
        Ok(_) => {
            for share in stake.iter_mut().filter(|share| **share != 0) {
                *share = ((u128::from(*share) << 32) / total) as Bits;
            }
        }
        Err(_) => saturated_shares(stake),
    }
}

/// Shares where the sum does not fit the chain's I64F64: no real supply comes near it, and the shares may add up to more than 1.
fn saturated_shares(stake: &mut [u64]) {
    let total: I64F64 = stake.iter().copied().map(I64F64::from_u64).sum();
    for share in stake {
        *share = I64F64::from_u64(*share).safe_div(total).to_i32f32().to_bits().unsigned_abs();
    }
}

/// Shares among the active validators with a permit; zero for all others.
pub(super) fn active_stake(active_stake: &mut Vec<Bits>, stake: &[Bits], active: &[bool], permits: &[bool]) {
    let counted = stake.iter().zip(active.iter().zip(permits));
    active_stake.clear();
    active_stake.extend(counted.map(|(&stake, (&active, &permit))| if active && permit { stake } else { 0 }));
    normalize(active_stake);
}
