//! What the journal's folder no longer keeps: old epochs' answers, and then their files.
//!
//! **Invariant.** A file is removed only if everything before it has been, and nobody needs it: no publication under way, no
//! challenge that awaits its truth, and neither of the newest two. Of the same files alone are answers removed.

use std::sync::PoisonError;

use tracing::{info, warn};
use weighhouse_journal::{Journal, JournalError};
use weighhouse_types::Epoch;

use super::Validator;
use crate::config::ByteSize;
use crate::error::ValidatorError;
use crate::later::pending;

/// Files removed at one epoch's beginning: a folder of years takes a few epochs.
const REMOVED_MAX: usize = 64;
/// Files that lose their answers at one epoch's beginning: each is read whole and written anew.
const WITHOUT_ANSWERS_MAX: usize = 16;

impl Validator {
    pub(super) async fn remove_old(&self) -> Result<(), ValidatorError> {
        let Some(keep) = self.parts.retention.keep_epochs else { return Ok(()) };
        let epochs = self.journal.lock().unwrap_or_else(PoisonError::into_inner).epochs();
        let mut old = removable(&epochs, keep, self.needed_from());
        old.truncate(REMOVED_MAX);
        self.remove("old epochs were removed (journal.keep_epochs)", old, Journal::remove_epoch).await
    }

    /// Once in a process for each file: one that has lost them before is small, and is read once more.
    pub(super) async fn remove_old_answers(&mut self) -> Result<(), ValidatorError> {
        let Some(keep) = self.parts.retention.keep_answers_epochs else { return Ok(()) };
        let epochs = self.journal.lock().unwrap_or_else(PoisonError::into_inner).epochs();
        let mut old = removable(&epochs, keep, self.needed_from());
        old.retain(|epoch| self.answers_kept_from.is_none_or(|from| *epoch >= from));
        old.truncate(WITHOUT_ANSWERS_MAX);
        let Some(last) = old.last().copied() else { return Ok(()) };
        let what = "answers of old epochs were removed (journal.keep_answers_epochs)";
        self.remove(what, old, remove_answers).await?;
        self.answers_kept_from = Some(Epoch(last.0.saturating_add(1)));
        Ok(())
    }

    async fn remove(
        &self,
        what: &'static str,
        old: Vec<Epoch>,
        remove: fn(&mut Journal, Epoch) -> Result<u64, JournalError>,
    ) -> Result<(), ValidatorError> {
        let Some((first, last)) = old.first().copied().zip(old.last().copied()) else { return Ok(()) };
        let journal = self.journal.clone();
        let removing = move || {
            // The lock is taken anew for each: a validator's own reads come between.
            old.into_iter().try_fold(0, |bytes, epoch| {
                remove(&mut journal.lock().unwrap_or_else(PoisonError::into_inner), epoch)
                    .map(|removed| bytes + removed)
            })
        };
        match self.parts.cpu.run(removing).await? {
            Ok(0) => {}
            Ok(bytes) => info!(%first, %last, "{what}: {}", ByteSize(bytes)),
            // What can't be removed takes room and harms nothing else.
            Err(error @ JournalError::Io { .. }) => warn!(%error, "old evidence stays"),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The oldest epoch that something under way needs.
    fn needed_from(&self) -> Option<Epoch> {
        let open = self.open.as_ref().map(|open| open.context().epoch);
        let awaited = self.open.as_ref().and_then(|open| {
            let pending = pending(open.records(), open.context().epoch);
            pending.iter().map(|carried| carried.asked.epoch).min()
        });
        [awaited, self.publications.oldest_under_way(), open].into_iter().flatten().min()
    }
}

/// A damaged file stays as it is, and those behind it don't wait for it.
fn remove_answers(journal: &mut Journal, epoch: Epoch) -> Result<u64, JournalError> {
    match journal.remove_blobs(epoch) {
        Err(error @ JournalError::Damaged { .. }) => {
            warn!(%error, "the epoch's answers stay: its file is damaged");
            Ok(0)
        }
        removed => removed,
    }
}

/// The epochs that may go, of all that there are in their order; everything from `needed_from` on is needed.
fn removable(epochs: &[Epoch], keep: usize, needed_from: Option<Epoch>) -> Vec<Epoch> {
    // The open one, and at least the one before it.
    let kept = keep.max(1).saturating_add(1);
    let old = &epochs[..epochs.len().saturating_sub(kept)];
    let is_done = |epoch: &&Epoch| needed_from.is_none_or(|needed| **epoch < needed);
    old.iter().take_while(is_done).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_old_and_done_is_removed() {
        let epochs: Vec<Epoch> = (1..=10).map(Epoch).collect();
        let removed = |keep, needed: Option<u64>| {
            removable(&epochs, keep, needed.map(Epoch)).into_iter().map(|epoch| epoch.0).collect::<Vec<_>>()
        };
        assert_eq!(removed(7, Some(10)), [1, 2]);
        assert_eq!(removed(7, Some(2)), [1]);
        assert_eq!(removed(7, Some(1)), [0; 0]);
        assert_eq!(removed(9, None), [0; 0]);
        assert_eq!(removed(1_000, None), [0; 0]);
        // The open one and the one before stay, whatever is asked for.
        assert_eq!(removed(0, None), (1..=8).collect::<Vec<_>>());
        assert_eq!(removed(usize::MAX, None), [0; 0]);
        assert_eq!(removable(&[], 1, None), []);
    }
}
