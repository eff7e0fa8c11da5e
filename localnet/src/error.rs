//! Ways in which a localnet fails to open or to go on.

use std::io;

use tokio::task::JoinError;
use weighhouse_chain::ChainError;
use weighhouse_journal::SegmentError;
use weighhouse_miner::MinerError;
use weighhouse_scoring::WeighError;
use weighhouse_tasks::TaskError;
use weighhouse_types::Block;
use weighhouse_validator::ValidatorError;

/// An error of a localnet.
#[derive(Debug, thiserror::Error)]
pub enum LocalnetError {
    #[error("can't use {dir}: {source}")]
    Folder { dir: String, source: io::Error },
    #[error("{path}: this state was made with {made_with}; resume with the same or use another folder")]
    OtherState { path: String, made_with: String },
    #[error("{path} is damaged; restore it or use another folder: {source}")]
    DamagedState { path: String, source: serde_json::Error },
    #[error("the ledger can't be opened: {0}")]
    OpenLedger(#[source] ChainError),
    #[error("the ledger: {0}")]
    Ledger(#[from] ChainError),
    #[error("binding a port: {0}")]
    Port(#[source] io::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("a built-in part does not load: {0}")]
    BuiltIn(String),
    #[error("no persona {name:?} to pretend by: the task knows {known}")]
    NoPretence { name: String, known: String },
    #[error("the task: {0}")]
    Task(#[from] TaskError),
    #[error("miner {persona}: {source}")]
    Miner { persona: String, source: MinerError },
    #[error("validator {persona} can't be opened: {source}")]
    OpenValidator { persona: String, source: ValidatorError },
    #[error("validator {persona}: {source}")]
    Validator { persona: String, source: ValidatorError },
    #[error("a role panicked: {0}")]
    Panicked(#[from] JoinError),
    #[error("a validator was not done with block {block} in {seconds} s")]
    Stalled { block: Block, seconds: u64 },
    #[error("the miners didn't publish their axons")]
    NoAxons,
    #[error("{path}: {source}")]
    Journal { path: String, source: SegmentError },
    #[error("weighing the journal: {0}")]
    Weigh(#[from] WeighError),
}
