//! The chain's rules as pure functions: what the ledger applies, and what a client can check before it signs.
//!
//! Nothing here changes state; figures and orders are those of the chain's runtime (spec 425).

pub(crate) mod children;
pub(crate) mod emission;
pub(crate) mod hyperparameters;
pub(crate) mod mechanisms;
pub(crate) mod pruning;
pub(crate) mod registration_price;
pub mod reveal;
pub(crate) mod schedule;
pub(crate) mod weights;

pub use weights::{Caller, WeightsView, check_commit, check_content, check_set_weights};
