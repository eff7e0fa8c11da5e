//! Why a miner can't be judged before it goes live.

use std::time::Duration;

use weighhouse_chain::ChainError;
use weighhouse_chain::ledger::GenesisError;
use weighhouse_journal::ReadError;
use weighhouse_miner::MinerError;
use weighhouse_scoring::path::PathError;
use weighhouse_validator::ValidatorError;

use crate::error::LocalnetError;

/// Until the miner and the servers behind it answer.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(60);

/// No fault of an answer's.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error("the truth about this task's answers comes epochs later, which no trial waits for")]
    Later,
    #[error("this task judges answers together: one miner's marks depend on the others'")]
    Together,
    #[error("{rounds} rounds are void: {why}")]
    Void { rounds: usize, why: String },
    #[error("the miner, or a server behind it, isn't ready after {} s", READY_WITHIN.as_secs())]
    NotReady,
    #[error("the miner: {0}")]
    Miner(#[from] MinerError),
    #[error("the judge: {0}")]
    Validator(#[from] ValidatorError),
    #[error("the trial's ledger: {0}")]
    Ledger(#[from] ChainError),
    #[error("the trial's genesis: {0}")]
    Genesis(#[from] GenesisError),
    #[error("binding a port: {0}")]
    Port(#[source] std::io::Error),
    #[error(transparent)]
    Folder(#[from] LocalnetError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Statement(#[from] PathError),
    #[error("a task of the miner panicked")]
    Panicked,
    #[error("interrupted")]
    Interrupted,
}
