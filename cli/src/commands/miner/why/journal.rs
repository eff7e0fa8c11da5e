//! A statement from a journal's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_journal::{ReadError, read_segment};
use weighhouse_types::{Epoch, PayStatement, Record, Uid};
use weighhouse_validator::verdicts::{FindError, Journalled, Miner, Which, find};

use crate::commands::expand;
use crate::commands::policy::epochs::epochs;
use crate::failure::{Exit, Failure};

struct Files(Vec<(Epoch, PathBuf)>);

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
pub(super) fn statement(path: &Path, uid: Uid, epoch: Option<Epoch>) -> Result<PayStatement, Failure> {
    let path = expand(path);
    let files = Files(if path.is_file() { vec![(epoch_of(&path)?, path)] } else { epochs(&path)? });
    let find = |which| find(&files, Miner::Uid(uid), which);
    let found = match epoch {
        Some(epoch) => find(Which::This(epoch)),
        None => match find(super::public(None)) {
            Err(FindError::NonePublic) => find(Which::Newest),
            found => found,
        },
    };
    found.map_err(|error| match error {
        FindError::Read(error) => error.into(),
        error => Failure::new(Exit::Missing, error),
    })
}

fn epoch_of(file: &Path) -> Result<Epoch, Failure> {
    let opened = read_segment(file)?.into_iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.epoch),
        _ => None,
    });
    opened.ok_or_else(|| Failure::new(Exit::Data, format!("{}: no record opens an epoch", file.display())))
}
