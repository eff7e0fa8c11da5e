//! Errors that end a step of the validator; `fault` says what follows.

use weighhouse_chain::ChainError;
use weighhouse_journal::JournalError;
use weighhouse_scoring::{PolicyError, WeighError};
use weighhouse_seams::PoolError;
use weighhouse_tasks::TaskError;
use weighhouse_types::{Hotkey, Netuid};

/// An error that ends a step, or keeps a validator from opening.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    #[error(
        "hotkey {hotkey} is not registered in subnet {netuid}; register it with `weighhouse chain register --netuid {netuid} \
         --wallet WALLET --hotkey HOTKEY`"
    )]
    NotRegistered { hotkey: Hotkey, netuid: Netuid },
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the journal can't be weighed: {0}")]
    Weigh(#[from] WeighError),
    #[error("policy: {0}")]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Pool(#[from] PoolError),
}
