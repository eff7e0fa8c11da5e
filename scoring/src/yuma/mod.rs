//! Yuma consensus: one epoch of one mechanism of a subnet, from stake and weights to emissions, bonds and permits.
//!
//! [`epoch`] reads as the chain's list of steps; each step is a small pure function in its own module, and the primitives
//! (`weighted_median`, `col_clip_sparse`, ...) carry the names that the pallet gives them.
//!
//! **Invariant.** The same integers as the chain's pallet, bit for bit: every sum runs in the order of the uids, every
//! product floors, every quotient truncates. Tests replay epochs recorded from the pallet. No input panics.
//!
//! Source of all rules: opentensor/subtensor at spec 425, `pallets/subtensor/src/epoch/{run_epoch,math}.rs`, the sparse
//! path; the tests of the pallet's own dense path are no oracle.

#![cfg_attr(not(test), forbid(clippy::float_arithmetic))]

mod bonds;
mod consensus;
mod emission;
mod input;
mod liquid_alpha;
mod permits;
mod sparse;
mod stake;
mod upscale;
mod vector;
mod weights;

pub use input::{EpochInput, Hyperparameters, InputError, Rules, UIDS_MAX};
pub use upscale::{check_vec_max_limited, vec_u16_max_upscale_to_u16};

use crate::fixed::I32F32;
use sparse::{Sparse, row_sum_sparse};
use vector::fixed_proportion_to_u16;

/// What an epoch leaves behind. Every vector has one entry per uid; a `u16` is a proportion times 65535, floored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochOutput {
    /// Set weights (or committed to some) within the activity cutoff.
    pub active: Vec<bool>,
    /// Share of the subnet's stake, after the stake threshold.
    pub stake_weight: Vec<u16>,
    /// The stake-weighted median weight per miner.
    pub consensus: Vec<u16>,
    /// Share of the miners' half.
    pub incentive: Vec<u16>,
    /// Share of the validators' half.
    pub dividends: Vec<u16>,
    /// How much of a validator's weight lies within consensus: vtrust.
    pub validator_trust: Vec<u16>,
    /// What each uid earns as a miner, in rao.
    pub server_emission: Vec<u64>,
    /// What each uid earns as a validator, in rao.
    pub validator_emission: Vec<u64>,
    /// What the chain shows as a uid's emission, in rao: computed from the sum of both shares, so that it may exceed
    /// the sum of the two amounts by one.
    pub combined_emission: Vec<u64>,
    /// Who may validate in the next epoch.
    pub new_permits: Vec<bool>,
    /// Bonds to store: rows of (uid, bond). Empty for uids without a new permit.
    pub new_bonds: Vec<Vec<(u16, u16)>>,
}

/// Runs one epoch. The chain feeds `new_permits` and `new_bonds` into the next one.
pub fn epoch(rules: Rules, input: &EpochInput) -> Result<EpochOutput, InputError> {
    input.validate()?;
    let uids = input.stake.len();
    let hyper = &input.hyperparameters;

    let active = stake::active(&input.last_update, hyper.activity_cutoff, input.block);
    let stake = stake::normalized(rules, input);

    let permits = permits::current(rules, input);
    let new_permits = permits::next(rules, input, &stake);
    let active_stake = stake::active_stake(&stake, &active, &permits);

    let weights = weights::masked(input, &permits);
    let kappa = I32F32::u16_ratio(hyper.kappa);
    let consensus = consensus::weighted_median_col_sparse(&active_stake, &weights, uids, kappa);
    let clipped = consensus::col_clip_sparse(&weights, &consensus);
    let validator_trust = row_sum_sparse(&clipped);
    let incentive = consensus::incentive(&clipped, &active_stake);

    let penalty = I32F32::u16_ratio(hyper.bonds_penalty);
    let bond_weights = bonds::interpolate_sparse(&weights, &clipped, uids, penalty);
    let bonded = if hyper.yuma3 {
        bonds::yuma3(input, &bond_weights, &consensus, &incentive, &active_stake)
    } else {
        bonds::yuma2(input, &bond_weights, &incentive, &active_stake)
    };

    let shares = emission::shares(&incentive, &bonded.dividends, &stake, &active_stake);
    Ok(EpochOutput {
        active,
        stake_weight: to_u16(&stake),
        consensus: to_u16(&consensus),
        incentive: to_u16(&incentive),
        dividends: to_u16(&bonded.dividends),
        validator_trust: to_u16(&validator_trust),
        server_emission: emission::to_rao(&shares.server, input.emission_rao),
        validator_emission: emission::to_rao(&shares.validator, input.emission_rao),
        combined_emission: emission::to_rao(&shares.combined, input.emission_rao),
        new_bonds: stored_bonds(&bonded.bonds, &new_permits),
        new_permits,
    })
}

/// Only uids with a new permit keep a row.
fn stored_bonds(bonds: &Sparse, new_permits: &[bool]) -> Vec<Vec<(u16, u16)>> {
    let store = |(row, permitted): (&sparse::Row, &bool)| match permitted {
        true => row.iter().map(|&(uid, bond)| (uid, fixed_proportion_to_u16(bond))).collect(),
        false => Vec::new(),
    };
    bonds.iter().zip(new_permits).map(store).collect()
}

fn to_u16(values: &[I32F32]) -> Vec<u16> {
    values.iter().copied().map(fixed_proportion_to_u16).collect()
}

#[cfg(test)]
mod tests;
