//! The log over all of a journal's files: where each begins in it, and the tree as far back as a proof needs it.

use weighhouse_merkle::{Frontier, GrownTree};
use weighhouse_types::{CertifiedKey, Digest, LogOpening, Record};

use crate::error::JournalError;
use crate::journal::Journal;

/// The end of a journal's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// The key that signs the log.
    pub key: CertifiedKey,
    pub frontier: Frontier,
}

/// Where the epoch of these records begins in the log; `None` where it is in none.
pub fn opening(records: &[Record]) -> Option<LogOpening> {
    records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => context.fields.log(),
        _ => None,
    })
}

impl Journal {
    /// The end of the log, behind every committed record; `None` where the newest opened epoch is in none.
    ///
    /// # Errors
    /// A file that has to be read for it and can't be.
    pub fn log_end(&self) -> Result<Option<LogEnd>, JournalError> {
        let end = |opening: LogOpening, leaves: &[Digest]| {
            let mut frontier = Frontier::from_parts(opening.size, opening.subtrees)?;
            frontier.extend(leaves.iter().copied());
            Some(LogEnd { key: opening.key, frontier })
        };
        let Some((records, leaves)) = self.current_leaves() else { return Ok(None) };
        if !leaves.is_empty() {
            return Ok(opening(records).and_then(|opening| end(opening, leaves)));
        }
        // A crash may have left the newest file without its opening.
        let Some(before) = self.epochs().iter().rev().nth(1).copied() else { return Ok(None) };
        let segment = self.segment(before)?;
        Ok(opening(segment.records()).and_then(|opening| end(opening, segment.leaves())))
    }

    /// The log's tree from the last file on that begins at `size` or before, so that it proves growth from there. `None` where there is
    /// no log, or none of its files reaches back so far.
    ///
    /// # Errors
    /// A file that has to be read for it and can't be.
    pub fn log_since(&self, size: u64) -> Result<Option<GrownTree>, JournalError> {
        let Some((records, leaves)) = self.current_leaves() else { return Ok(None) };
        let Some(mut begin) = opening(records) else { return Ok(None) };
        let mut files = vec![leaves.to_vec()];
        for epoch in self.epochs().into_iter().rev().skip(1) {
            if begin.size <= size {
                break;
            }
            let segment = self.segment(epoch)?;
            let Some(before) = opening(segment.records()) else { return Ok(None) };
            let is_before = before.key == begin.key
                && before.size.checked_add(segment.leaves().len() as u64) == Some(begin.size);
            if !is_before {
                return Ok(None);
            }
            files.push(segment.leaves().to_vec());
            begin = before;
        }
        if begin.size > size {
            return Ok(None);
        }
        let leaves = files.into_iter().rev().flatten().collect();
        let before = Frontier::from_parts(begin.size, begin.subtrees);
        Ok(before.map(|before| GrownTree::new(before, leaves)))
    }
}
