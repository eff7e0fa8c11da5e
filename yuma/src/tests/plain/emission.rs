//! Emission: miners are paid by incentive, validators by dividends, out of one sum.

use super::vector::{inplace_normalize, inplace_normalize_using_sum, is_zero};
use crate::fixed::{I32F32, I96F32};

/// Shares of the epoch's emission, per uid.
pub(in crate::tests) struct Shares {
    pub(in crate::tests) server: Vec<I32F32>,
    pub(in crate::tests) validator: Vec<I32F32>,
    pub(in crate::tests) combined: Vec<I32F32>,
}

/// Incentive and dividends over the sum of both. Where nobody earned either, validators share by active stake, or by all
/// stake if none is active.
pub(in crate::tests) fn shares(
    incentive: &[I32F32],
    dividends: &[I32F32],
    stake: &[I32F32],
    active_stake: &[I32F32],
) -> Shares {
    let mut combined: Vec<I32F32> = incentive
        .iter()
        .zip(dividends)
        .map(|(server, &validator)| server.saturating_add(validator))
        .collect();
    let sum: I32F32 = combined.iter().copied().sum();
    let mut server = incentive.to_vec();
    let mut validator = dividends.to_vec();
    inplace_normalize_using_sum(&mut server, sum);
    inplace_normalize_using_sum(&mut validator, sum);
    inplace_normalize(&mut combined);
    if sum == I32F32::ZERO {
        validator = if is_zero(active_stake) { stake.to_vec() } else { active_stake.to_vec() };
        combined.clone_from(&validator);
    }
    Shares { server, validator, combined }
}

/// floor(share x `emission_rao`).
pub(in crate::tests) fn to_rao(shares: &[I32F32], emission_rao: u64) -> Vec<u64> {
    let emission = I96F32::from_u64(emission_rao);
    shares.iter().map(|&share| I96F32::from(share).saturating_mul(emission).to_u64()).collect()
}
