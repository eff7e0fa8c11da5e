//! The gate: every epoch and every primitive recorded from the chain's own code, exactly.

mod asserted;
mod differential;
mod math;
mod pallet;
mod plain;
mod random;
mod rejects;
mod runtime293;
mod vectors;

use super::*;

/// A quiet subnet: nobody staked, everybody active and permitted, no weights and no bonds, the chain's defaults.
fn quiet(uids: usize) -> EpochInput {
    EpochInput {
        block: 1,
        stake: vec![0; uids],
        last_update: vec![1; uids],
        block_at_registration: vec![0; uids],
        validator_permit: vec![true; uids],
        weights: vec![vec![]; uids],
        bonds: vec![vec![]; uids],
        hyperparameters: defaults(),
        earliest_commit_block: vec![None; uids],
        last_step_boundary_block: 1,
        owner_uid: None,
        emission_rao: 1_000_000_000,
    }
}

/// The pallet's defaults, with commit-reveal off.
fn defaults() -> Hyperparameters {
    Hyperparameters {
        kappa: 32767,
        bonds_penalty: u16::MAX,
        bonds_moving_average: 900_000,
        alpha_low: 45875,
        alpha_high: 58982,
        alpha_sigmoid_steepness: 1000,
        max_allowed_validators: 128,
        activity_cutoff: 5000,
        stake_threshold: 0,
        liquid_alpha: false,
        yuma3: false,
        commit_reveal: false,
    }
}
