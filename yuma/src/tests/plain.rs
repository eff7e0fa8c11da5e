//! The epoch as the pallet writes it: the oracle for the engine.
//!
//! [`epoch`] reads as the chain's list of steps; each step is a small pure function in its own module, and the primitives
//! (`weighted_median`, `col_clip_sparse`, ...) carry the names that the pallet gives them. Every sum runs in the order of
//! the uids, in saturating arithmetic.

pub(super) mod bonds;
pub(super) mod consensus;
pub(super) mod emission;
pub(super) mod liquid_alpha;
pub(super) mod permits;
pub(super) mod sparse;
pub(super) mod stake;
pub(super) mod vector;
pub(super) mod weights;

use super::{EpochInput, EpochOutput, Rules};
use crate::fixed::I32F32;
use sparse::{Sparse, row_sum_sparse};
use vector::fixed_proportion_to_u16;

/// One epoch of a valid input.
pub(in crate::tests) fn epoch(rules: Rules, input: &EpochInput) -> EpochOutput {
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
    EpochOutput {
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
    }
}

/// Only uids with a new permit keep a row.
fn stored_bonds(bonds: &Sparse, new_permits: &[bool]) -> Vec<Vec<(u16, u16)>> {
    let store = |(row, permitted): (&sparse::Row, &bool)| match permitted {
        true => row.iter().map(|&(uid, bond)| (uid, fixed_proportion_to_u16(bond))).collect(),
        false => Vec::new(),
    };
    bonds.iter().zip(new_permits).map(store).collect()
}

pub(in crate::tests) fn to_u16(values: &[I32F32]) -> Vec<u16> {
    values.iter().copied().map(fixed_proportion_to_u16).collect()
}
