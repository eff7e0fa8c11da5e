//! A running validator's journal, as the service reads it: past epochs from their files, the newest from memory.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use weighhouse_journal::{Journal, JournalError, Segment, SegmentError, segment_name};
use weighhouse_seams::Storage;
use weighhouse_types::{Epoch, Record};

use super::find::Journalled;

/// Past epochs that are kept in memory, without their blobs: one, and those that tell what became of it.
const KEPT: usize = 5;

/// Why an epoch can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    #[error("{file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error("{file}: {source}")]
    Damaged { file: String, source: SegmentError },
    #[error("{file} is gone")]
    Gone { file: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
}

type Kept = (Epoch, Arc<Vec<Record>>);

/// See the module's text.
#[derive(Clone)]
pub struct Shelf {
    journal: Arc<Mutex<Journal>>,
    storage: Arc<dyn Storage>,
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("storage", &self.storage).finish_non_exhaustive()
    }
}

impl Shelf {
    pub(crate) fn new(journal: Arc<Mutex<Journal>>, storage: Arc<dyn Storage>) -> Self {
        Self { journal, storage, kept: Arc::default() }
    }

    /// Reads a file whose epoch is over, so that nobody writes it any more.
    fn read(&self, epoch: Epoch) -> Result<Vec<Record>, ShelfError> {
        let name = segment_name(epoch);
        let file = self.storage.describe(&name);
        let bytes = match self.storage.read(&name) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(ShelfError::Gone { file }),
            Err(source) => return Err(ShelfError::Io { file, source }),
        };
        let segment = Segment::read(&bytes).map_err(|source| ShelfError::Damaged { file, source })?;
        let mut records = segment.into_records();
        records.retain(|record| !matches!(record, Record::Blob(_)));
        Ok(records)
    }
}

impl Journalled for Shelf {
    type Error = ShelfError;

    fn epochs(&self) -> Vec<Epoch> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).epochs()
    }

    fn records(&self, epoch: Epoch) -> Result<Arc<Vec<Record>>, ShelfError> {
        {
            let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            if journal.current_epoch() == Some(epoch) {
                // The open epoch tells what became of earlier ones, and what those were paid; its verdicts are no one's yet.
                let tells = |record: &&Record| {
                    matches!(record, Record::EpochOpened(_) | Record::Intent(_) | Record::IntentUpdate(_))
                };
                return Ok(Arc::new(journal.records().iter().filter(tells).cloned().collect()));
            }
        }
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, records)) = kept().iter().find(|(other, _)| *other == epoch) {
            return Ok(records.clone());
        }
        let records = Arc::new(self.read(epoch)?);
        let mut kept = kept();
        kept.push_back((epoch, records.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(records)
    }
}
