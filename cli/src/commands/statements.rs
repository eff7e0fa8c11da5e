//! Statements of one miner from a journal's files, as `miner why` and `explain` tell them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_journal::{ReadError, read_segment};
use weighhouse_types::{Epoch, PayStatement, Record};
use weighhouse_validator::verdicts::{FindError, Journalled, Miner, Which, find};

use super::expand;
use super::policy::epochs::epochs;
use crate::failure::{Exit, Failure};

/// A journal's files, or one of them.
pub(crate) struct Files(Vec<(Epoch, PathBuf)>);

impl Files {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let path = expand(path);
        Ok(Self(if path.is_file() { vec![(epoch_of(&path)?, path)] } else { epochs(&path)? }))
    }

    /// The newest epoch first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = Epoch> {
        self.0.iter().rev().map(|(epoch, _)| *epoch)
    }
}

impl Journalled for Files {
    type Error = ReadError;

    fn epochs(&self) -> Vec<Epoch> {
        self.0.iter().map(|(epoch, _)| *epoch).collect()
    }

    fn records(&self, epoch: Epoch) -> Result<Arc<Vec<Record>>, ReadError> {
        let file = self.0.iter().find(|(other, _)| *other == epoch).map(|(_, file)| file);
        let mut records = read_segment(file.expect("one of the epochs that were listed"))?;
        records.retain(|record| !matches!(record, Record::Blob(_)));
        Ok(Arc::new(records))
    }
}

/// Reads the newest epoch that knows the miner, one whose weights were published if there is one.
pub(crate) fn newest(files: &Files, miner: Miner) -> Result<PayStatement, Failure> {
    match find(files, miner, Which::NewestPublished) {
        Err(FindError::NonePublic) => find(files, miner, Which::Newest),
        found => found,
    }
    .map_err(failure)
}

/// Reads one epoch, whether or not its weights are public.
pub(crate) fn of_epoch(files: &Files, miner: Miner, epoch: Epoch) -> Result<PayStatement, Failure> {
    find(files, miner, Which::This(epoch)).map_err(failure)
}

fn failure(error: FindError<ReadError>) -> Failure {
    match error {
        FindError::Read(error) => error.into(),
        error => Failure::new(Exit::Missing, error),
    }
}

fn epoch_of(file: &Path) -> Result<Epoch, Failure> {
    let opened = read_segment(file)?.into_iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.epoch),
        _ => None,
    });
    opened.ok_or_else(|| Failure::new(Exit::Data, format!("{}: no record opens an epoch", file.display())))
}
