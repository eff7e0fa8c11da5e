//! The journal's folder as it grows: what is removed, and whether there is room.
//!
//! **Invariant.** A file is removed only if everything before it has been, and nobody needs it: no publication under way, no
//! challenge that awaits its truth, and neither of the newest two.

use std::sync::PoisonError;

use tracing::{info, warn};
use weighhouse_journal::{JournalError, segment_name};
use weighhouse_types::Epoch;

use super::Validator;
use crate::config::ByteSize;
use crate::error::ValidatorError;
use crate::later::pending;
use crate::metrics;

/// Its name where people are told of it.
const DISK: &str = "journal's disk";
/// Files removed at one epoch's beginning: a folder of years takes a few epochs.
const REMOVED_MAX: usize = 64;

/// How large the folder's files are.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    epochs: usize,
    all: u64,
    /// The newest epoch that is over.
    newest: Option<(Epoch, u64)>,
}

impl Validator {
    /// Once for each epoch: removes what is no longer kept, and measures what is. At each block: looks at the free space.
    pub(super) async fn keep_house(&mut self) -> Result<(), ValidatorError> {
        let open = self.open.as_ref().map(|open| open.context().epoch);
        if self.kept_in != open {
            self.remove_old().await?;
            self.measure().await?;
            self.kept_in = open;
        }
        self.watch_space().await
    }

    async fn remove_old(&self) -> Result<(), ValidatorError> {
        let Some(keep) = self.parts.retention.keep_epochs else { return Ok(()) };
        let epochs = self.journal.lock().unwrap_or_else(PoisonError::into_inner).epochs();
        let old = removable(&epochs, keep, self.needed_from());
        let Some((first, last)) = old.first().copied().zip(old.last().copied()) else { return Ok(()) };
        let (journal, count) = (self.journal.clone(), old.len());
        let removing = move || {
            // The lock is taken anew for each: a validator's own reads come between.
            old.into_iter().try_fold(0, |bytes, epoch| {
                let removed = journal.lock().unwrap_or_else(PoisonError::into_inner).remove_epoch(epoch);
                removed.map(|removed| bytes + removed)
            })
        };
        match self.parts.cpu.run(removing).await? {
            Ok(bytes) => {
                info!(%first, %last, count, "old epochs were removed (journal.keep_epochs): {}", ByteSize(bytes))
            }
            // What can't be removed takes room and harms nothing else.
            Err(error @ JournalError::Io { .. }) => warn!(%error, "old epochs stay"),
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

    async fn measure(&self) -> Result<(), ValidatorError> {
        let epochs = self.journal.lock().unwrap_or_else(PoisonError::into_inner).epochs();
        let storage = self.parts.storage.clone();
        let measuring = move || {
            let mut sizes = Sizes { epochs: epochs.len(), ..Sizes::default() };
            for (at, epoch) in epochs.iter().enumerate() {
                let file = storage.open_read(&segment_name(*epoch))?;
                let bytes = file.map_or(Ok(0), |file| file.size())?;
                sizes.all += bytes;
                if at + 1 < epochs.len() {
                    sizes.newest = Some((*epoch, bytes));
                }
            }
            Ok::<_, std::io::Error>(sizes)
        };
        match self.parts.cpu.run(measuring).await? {
            Ok(Sizes { epochs, all, newest }) => {
                metrics::journal_size(epochs, all, newest.map(|(_, bytes)| bytes));
                if let Some((epoch, bytes)) = newest {
                    info!(%epoch, "the epoch took {} on the disk, {epochs} epochs take {}", ByteSize(bytes), ByteSize(all));
                }
            }
            Err(error) => warn!(%error, "the journal's files can't be measured"),
        }
        Ok(())
    }

    async fn watch_space(&mut self) -> Result<(), ValidatorError> {
        let storage = self.parts.storage.clone();
        let free = match self.parts.cpu.run(move || storage.free_bytes()).await? {
            Ok(Some(free)) => free,
            // Whoever can't tell the room says so when a write fails.
            Ok(None) | Err(_) => return Ok(()),
        };
        let min = self.parts.retention.free_space_min;
        let is_short = is_short(self.disk_is_short, free, min);
        metrics::disk_short(is_short);
        if is_short != std::mem::replace(&mut self.disk_is_short, is_short) {
            let (left, wanted) = (ByteSize(free), ByteSize(min));
            if is_short {
                warn!(
                    state = DISK,
                    turned = "bad",
                    "{left} are left where the journal lies, less than {wanted} (journal.free_space_min): a full disk ends the \
                     validator. Make room, or set journal.keep_epochs to have old epochs removed"
                );
            } else {
                info!(state = DISK, turned = "good", "{left} are free again where the journal lies");
            }
        }
        Ok(())
    }
}

/// Short below the minimum, and until there is a tenth more: what hovers there would be told at each block.
fn is_short(was_short: bool, free: u64, min: u64) -> bool {
    free < if was_short { min.saturating_add(min / 10) } else { min }
}

/// The epochs to remove, of all that there are in their order; everything from `needed_from` on is needed.
fn removable(epochs: &[Epoch], keep: usize, needed_from: Option<Epoch>) -> Vec<Epoch> {
    // The open one, and at least the one before it.
    let kept = keep.max(1).saturating_add(1);
    let old = &epochs[..epochs.len().saturating_sub(kept)];
    let is_done = |epoch: &&Epoch| needed_from.is_none_or(|needed| **epoch < needed);
    old.iter().take(REMOVED_MAX).take_while(is_done).copied().collect()
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
        let many: Vec<Epoch> = (0..1_000).map(Epoch).collect();
        assert_eq!(removable(&many, 10, None).len(), REMOVED_MAX);
        assert_eq!(removable(&[], 1, None), []);
    }

    #[test]
    fn a_disk_is_short_until_there_is_clearly_more_than_the_minimum() {
        assert!(is_short(false, 99, 100) && !is_short(false, 100, 100));
        assert!(is_short(true, 109, 100) && !is_short(true, 110, 100));
        assert!(!is_short(false, 0, 0) && !is_short(true, 0, 0));
    }
}
