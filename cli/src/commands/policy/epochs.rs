//! The epochs of a journal, for the commands that replay and explain them.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use weighhouse_journal::ReadError;
use weighhouse_types::{Epoch, Record};

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
    weighhouse_journal::read_in_order(&files, |at, records| {
        if shutdown.is_cancelled() {
            return Err(Failure::internal("interrupted"));
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
