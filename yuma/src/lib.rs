//! Yuma consensus: one epoch of one mechanism of a subnet, from stake and weights to emissions, bonds and permits.
//!
//! [`Workspace::epoch`] reads as the chain's list of steps, one module each. They work on the non-zeros, row after row, in
//! buffers that the next epoch reuses, and on plain integers whose bounds each step states.
//!
//! **Invariant.** The same integers as the chain's pallet, bit for bit: every product floors, every quotient truncates.
//! Tests replay epochs recorded from the pallet, and compare random ones with the same steps written down as the pallet
//! has them. No input panics.
//!
//! Source of all rules: opentensor/subtensor at spec 425, `pallets/subtensor/src/epoch/{run_epoch,math}.rs`, the sparse
//! path; the tests of the pallet's own dense path are no oracle.

#![cfg_attr(not(test), forbid(clippy::float_arithmetic))]

pub mod fixed;

mod average;
mod bonds;
mod cells;
mod consensus;
mod emission;
mod exact;
mod hyperparameters;
mod input;
mod liquid_alpha;
mod median;
mod permits;
mod stake;
mod tiles;
mod upscale;
mod workspace;

pub use hyperparameters::Hyperparameters;
pub use input::{EpochInput, InputError, Rules, UIDS_MAX};
pub use upscale::{check_vec_max_limited, max_upscale};
pub use workspace::Workspace;

/// Results of an epoch. Every vector has one entry per uid; a `u16` is a proportion times 65535, floored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Share of a validator's weight within consensus: vtrust.
    pub validator_trust: Vec<u16>,
    /// Earnings of each uid as a miner, in rao.
    pub server_emission: Vec<u64>,
    /// Earnings of each uid as a validator, in rao.
    pub validator_emission: Vec<u64>,
    /// Emission of a uid as the chain shows it, in rao: computed from the sum of both shares, so that it may exceed
    /// the sum of the two amounts by one.
    pub combined_emission: Vec<u64>,
    /// Permits to validate in the next epoch.
    pub new_permits: Vec<bool>,
    /// Bonds to store: rows of (uid, bond). Empty for uids without a new permit.
    pub new_bonds: Vec<Vec<(u16, u16)>>,
}

/// Runs one epoch. The chain feeds `new_permits` and `new_bonds` into the next one. For many epochs, a [`Workspace`].
pub fn epoch(rules: Rules, input: &EpochInput) -> Result<EpochOutput, InputError> {
    let mut workspace = Workspace::default();
    workspace.epoch(rules, input)?;
    Ok(workspace.into_output())
}

#[cfg(test)]
mod tests;
