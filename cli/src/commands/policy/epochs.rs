//! The epochs of a journal, for the commands that replay and explain them.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use weighhouse_journal::ReadError;
use weighhouse_types::{Epoch, Hotkey, Record};

use crate::commands::expand;
use crate::failure::{Context, Exit, Failure};
use crate::output;

/// Seconds after which somebody who watches is told how far the reading is.
const QUIET_SECONDS: u64 = 2;

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let exit = match &error {
            ReadError::Io { .. } => Exit::Missing,
            ReadError::Damaged { .. } => Exit::Data,
        };
        Self::new(exit, error)
    }
}

/// The journal's files, by epoch.
pub(crate) fn epochs(dir: &Path) -> Result<Vec<(Epoch, PathBuf)>, Failure> {
    let dir = expand(dir);
    let files = weighhouse_journal::segments(&dir).exit(Exit::Missing, dir.display())?;
    if files.is_empty() {
        let message = format!("{}: no epochs here; name a validator's journal folder", dir.display());
        return Err(Failure::new(Exit::Missing, message));
    }
    Ok(files)
}

/// Hands every opened epoch over in order, and shows how far it is.
pub(super) fn each_epoch(
    dir: &Path,
    shutdown: &CancellationToken,
    mut take: impl FnMut(&[Record]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let files = epochs(dir)?;
    let began = std::time::Instant::now();
    let mut sequence = Sequence::default();
    weighhouse_journal::read_in_order(&files, |at, records| {
        if shutdown.is_cancelled() {
            return Err(Failure::internal("interrupted"));
        }
        if let Some(note) = sequence.next(records) {
            output::note(note);
        }
        take(records)?;
        if began.elapsed().as_secs() >= QUIET_SECONDS {
            output::live(format_args!("epoch {}: {} of {}", files[at].0, at + 1, files.len()));
        }
        Ok(())
    })?;
    output::live("");
    Ok(())
}

/// The epochs of one validator, one after the other: what is not so is told.
#[derive(Debug, Default)]
struct Sequence {
    last: Option<(Hotkey, Epoch)>,
}

impl Sequence {
    /// A note on the epoch that these records open.
    fn next(&mut self, records: &[Record]) -> Option<String> {
        let opened = records.iter().find_map(|record| match record {
            Record::EpochOpened(context) => Some((context.validator, context.epoch)),
            _ => None,
        })?;
        let (validator, epoch) = opened;
        let (before, last) = self.last.replace(opened)?;
        if before != validator {
            return Some(format!(
                "epoch {epoch} is validator {validator}'s, epoch {last} was {before}'s: averages aren't carried from one to the other"
            ));
        }
        (epoch.0 > last.0 + 1).then(|| {
            format!(
                "epochs {} to {} are missing: another policy's averages go on without their verdicts",
                last.0 + 1,
                epoch.0 - 1
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::{Block, sample};

    #[test]
    fn gaps_and_other_validators_are_told() {
        let opened = |epoch, validator: u8| {
            let mut context = sample::context(sample::subnet(Epoch(epoch), Block(100), Vec::new()));
            context.epoch = Epoch(epoch);
            context.validator = Hotkey([validator; 32]);
            [Record::EpochOpened(Box::new(context))]
        };
        let mut sequence = Sequence::default();
        assert_eq!(sequence.next(&opened(3, 1)), None);
        assert_eq!(sequence.next(&opened(4, 1)), None);
        assert!(sequence.next(&opened(7, 1)).expect("a gap").starts_with("epochs 5 to 6 are missing"));
        assert!(sequence.next(&opened(8, 2)).expect("another's").contains("averages aren't carried"));
        assert_eq!(sequence.next(&[]), None);
    }
}
