//! A miner's statement from a journal's epochs: which epoch, whether its weights are public, and what it was paid.

use std::sync::Arc;

use weighhouse_scoring::path::PathError;
use weighhouse_scoring::statement::statement;
use weighhouse_types::{
    Block, Epoch, EpochContext, Hotkey, IntentState, PayStatement, Record, SubnetPay, Uid,
};

use crate::outcome::{files_that_tell, publication};

/// Epochs that are looked through for one whose weights are public, the newest first.
const EPOCHS_MAX: usize = 16;

/// A journal's epochs, for reading.
pub trait Journalled {
    type Error: std::error::Error;

    /// Ascending.
    fn epochs(&self) -> Vec<Epoch>;

    /// An epoch's records; blobs may be missing.
    fn records(&self, epoch: Epoch) -> Result<Arc<Vec<Record>>, Self::Error>;
}

/// Whose statement it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miner {
    Uid(Uid),
    /// As the epoch's metagraph shows it.
    Hotkey(Hotkey),
}

/// The epoch that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest that knows the miner.
    Newest,
    /// The newest that knows the miner and whose weights the chain shows.
    NewestPublished,
    This(Epoch),
    /// This one, if the chain shows its weights.
    ThisIfPublished(Epoch),
}

impl Which {
    fn must_be_published(self) -> bool {
        matches!(self, Self::NewestPublished | Self::ThisIfPublished(_))
    }
}

/// Why there is no statement.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError<E> {
    #[error("epoch {epoch} is not in this journal")]
    NoEpoch { epoch: Epoch },
    #[error("the chain doesn't show the weights of epoch {epoch} yet")]
    NotPublic { epoch: Epoch },
    #[error("there is no epoch yet whose weights the chain shows")]
    NonePublic,
    #[error("hotkey {hotkey} was not registered when epoch {epoch} was opened")]
    NotRegistered { hotkey: Hotkey, epoch: Epoch },
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Read(E),
}

/// Finds the statement.
///
/// # Errors
/// No such epoch, one whose weights aren't public, one that doesn't know the miner, or records that can't be read.
pub fn find<J: Journalled>(
    journal: &J,
    miner: Miner,
    which: Which,
) -> Result<PayStatement, FindError<J::Error>> {
    let epochs = journal.epochs();
    let asked = match which {
        Which::This(epoch) | Which::ThisIfPublished(epoch) => vec![epoch],
        Which::Newest | Which::NewestPublished => epochs.iter().rev().take(EPOCHS_MAX).copied().collect(),
    };
    // The newest epoch's reason is the one to tell.
    let mut first = None;
    for epoch in asked {
        match in_epoch(journal, &epochs, epoch, miner, which.must_be_published()) {
            Err(
                error @ (FindError::Path(PathError::Unknown { .. })
                | FindError::NotRegistered { .. }
                | FindError::NotPublic { .. }),
            ) => drop(first.get_or_insert(error)),
            found => return found,
        }
    }
    match (first, which) {
        (Some(FindError::NotPublic { .. }) | None, Which::NewestPublished) => Err(FindError::NonePublic),
        (Some(error), _) => Err(error),
        (None, _) => Err(FindError::NonePublic),
    }
}

fn in_epoch<J: Journalled>(
    journal: &J,
    epochs: &[Epoch],
    epoch: Epoch,
    miner: Miner,
    must_be_published: bool,
) -> Result<PayStatement, FindError<J::Error>> {
    let at = epochs.binary_search(&epoch).map_err(|_| FindError::NoEpoch { epoch })?;
    let read = |epoch: Epoch| journal.records(epoch).map_err(FindError::Read);
    // An open epoch is nobody's to see, whatever has been published of it.
    if must_be_published && at + 1 == epochs.len() {
        return Err(FindError::NotPublic { epoch });
    }
    let records = read(epoch)?;
    // A crash may have left a file without the record that opens its epoch.
    let Some(context) = context(&records) else { return Err(FindError::NoEpoch { epoch }) };
    let later = epochs[at + 1..].iter().take(files_that_tell(context).min(EPOCHS_MAX));
    let later: Vec<_> = later.map(|epoch| read(*epoch)).collect::<Result<_, _>>()?;
    let published = published(epoch, std::iter::once(&records).chain(&later));
    if must_be_published && published.is_none() {
        return Err(FindError::NotPublic { epoch });
    }
    let uid = match miner {
        Miner::Uid(uid) => uid,
        Miner::Hotkey(hotkey) => {
            let neuron = context.state.metagraph.by_hotkey(&hotkey);
            neuron.ok_or(FindError::NotRegistered { hotkey, epoch })?.uid
        }
    };
    let mut statement = statement(&records, uid)?;
    statement.published = published;
    // The chain pays an epoch's weights at the first epoch's end behind the block that showed them.
    let paid = later.iter().filter_map(|records| self::context(records));
    let mut paid = paid.filter(|context| published.is_some_and(|block| context.state.head.number >= block));
    statement.pay = paid
        .next()
        .and_then(|context| SubnetPay::of(context.epoch, &context.state.metagraph, &statement.who));
    Ok(statement)
}

fn context(records: &[Record]) -> Option<&EpochContext> {
    records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(&**context),
        _ => None,
    })
}

/// The block at which the chain showed an epoch's weights. News of them may stand in the records of later epochs.
fn published<'a>(epoch: Epoch, all: impl Iterator<Item = &'a Arc<Vec<Record>>>) -> Option<Block> {
    match publication(epoch, all.flat_map(|records| records.iter()))?.state {
        Some(IntentState::Published { block }) => Some(block),
        _ => None,
    }
}
