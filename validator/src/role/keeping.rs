//! The journal's folder as it grows: how large it is, and whether there is room.

use std::sync::PoisonError;

use tracing::{info, warn};
use weighhouse_journal::segment_name;
use weighhouse_types::Epoch;

use super::Validator;
use crate::config::ByteSize;
use crate::error::ValidatorError;
use crate::metrics;

/// Its name where people are told of it.
const DISK: &str = "journal's disk";

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
            self.remove_old_answers().await?;
            self.measure().await?;
            self.kept_in = open;
        }
        self.watch_space().await
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
        let (journal, storage) = (self.journal.clone(), self.parts.storage.clone());
        let look = move || journal.lock().unwrap_or_else(PoisonError::into_inner).check_present();
        self.parts.cpu.run(look).await??;
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
                     validator. Make room, or set journal.keep_answers_epochs or journal.keep_epochs to have old evidence removed"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_short_until_there_is_clearly_more_than_the_minimum() {
        assert!(is_short(false, 99, 100) && !is_short(false, 100, 100));
        assert!(is_short(true, 109, 100) && !is_short(true, 110, 100));
        assert!(!is_short(false, 0, 0) && !is_short(true, 0, 0));
    }
}
