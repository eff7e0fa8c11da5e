//! A simulated subnet: miners with strategies, validators who judge, weigh and publish by the code that ships, and the
//! chain's own consensus, for many epochs.
//!
//! [`Scenario`] is a world as data, [`Simulator`] runs it from a seed, [`SimulationOutcome`] is what came of it. What answers cost and
//! how they are marked comes from a [profile](weighhouse_types::profile), measured on the real task.
//!
//! **Invariant.** An outcome is a function of scenario and seed: no clock, no thread count, no platform arithmetic. Two
//! scenarios that share a seed share every random number that both draw, so their difference is the scenarios'.

pub mod error;
pub mod scenario;
pub mod strategy;

pub mod copying;
pub mod outcome;
pub mod rng;

mod likeness;
mod plan;
mod registry;

mod asking;
mod chain;
mod judges;
mod lanes;

mod accounts;
mod rank;

mod run;

pub use copying::{BreakEven, copy_break_even};
pub use error::ScenarioError;
pub use outcome::{MinerOutcome, Newcomers, SimulationOutcome, ValidatorOutcome};
pub use plan::SimulationPlan;
pub use run::{Simulator, run, run_all, run_each};
pub use scenario::{
    Economy, Judging, MinerGroup, Registration, Scenario, ScenarioSubnet, ScenarioValidator, ValidatorGroup,
};
pub use strategy::{Mix, Return, Strategy, Switch};

#[cfg(test)]
pub(crate) mod fixture;
