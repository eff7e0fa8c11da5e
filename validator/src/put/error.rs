//! Why weights aren't published.

use weighhouse_chain::{ChainError, Refusal};
use weighhouse_journal::JournalError;
use weighhouse_scoring::ConformError;
use weighhouse_types::{Block, Epoch, Hotkey, Netuid};

use crate::moving::MarkError;

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Moved(#[from] MarkError),
    #[error(
        "hotkey {hotkey} is not registered in subnet {netuid}; register it with `weighhouse chain register --netuid {netuid} \
         --wallet WALLET --hotkey HOTKEY`"
    )]
    NotRegistered { hotkey: Hotkey, netuid: Netuid },
    #[error(
        "{folder}: is the journal of a validator that judges by itself; give weights of other software a folder of their own"
    )]
    Judges { folder: String },
    #[error(transparent)]
    Weights(#[from] ConformError),
    #[error("the chain would refuse the weights: {0}")]
    Refused(Refusal),
    #[error(
        "other weights of epoch {epoch} are on their way: put those again, or resume without a file, and wait for the next epoch with these"
    )]
    UnderWay { epoch: Epoch },
    #[error("epoch {epoch} has its weights: others were published at block {block}; {}", after(*.next))]
    Published { epoch: Epoch, block: Block, next: Option<Block> },
}

impl PutError {
    /// Whether the next block may mend it.
    pub fn passes(&self) -> bool {
        match self {
            Self::Chain(error) => {
                !matches!(error, ChainError::WrongGenesis { .. } | ChainError::State { .. })
            }
            _ => false,
        }
    }
}

fn after(next: Option<Block>) -> String {
    match next {
        Some(block) => format!("the next epoch begins with block {block}"),
        None => "the subnet runs no epochs".to_owned(),
    }
}
