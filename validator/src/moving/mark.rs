//! The mark in a journal's folder that keeps a validator from running on it.

use std::io;

use serde::{Deserialize, Serialize};
use weighhouse_seams::Storage;

use super::MovingError;

/// The name of the file.
const MARK: &str = "MOVED";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Mark {
    /// The journal goes on elsewhere, from this file.
    Moved { to: String },
    /// An import has begun and isn't whole yet.
    Importing,
}

/// Why a folder can't be run on.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    #[error(
        "{folder}: this validator was moved to another machine with the file {to}, and two with one hotkey would miss epochs; if that \
         file was imported nowhere, `weighhouse validator export --take-back` makes this folder usable again, otherwise export there \
         and import into an empty folder here"
    )]
    Moved { folder: String, to: String },
    #[error(
        "{folder}: an import into this folder was cut off; run `weighhouse validator import` again to make it whole"
    )]
    Importing { folder: String },
    #[error("{file}: {why}; it says whether this validator was moved: look at it before anything runs here")]
    Unreadable { file: String, why: String },
}

/// Refuses a folder whose validator was moved, or whose import was cut off.
///
/// # Errors
/// As [`MarkError`] says.
pub fn refuse_moved(storage: &dyn Storage) -> Result<(), MarkError> {
    let folder = storage.describe("");
    match read(storage)? {
        None => Ok(()),
        Some(Mark::Moved { to }) => Err(MarkError::Moved { folder, to }),
        Some(Mark::Importing) => Err(MarkError::Importing { folder }),
    }
}

pub(super) fn is_importing(storage: &dyn Storage) -> Result<bool, MovingError> {
    Ok(read(storage)? == Some(Mark::Importing))
}

pub(super) fn set(storage: &dyn Storage, mark: &Mark) -> Result<(), MovingError> {
    let failed = |source| MovingError::Write { file: storage.describe(MARK), source };
    let text = serde_json::to_vec(mark).map_err(|error| failed(io::Error::other(error)))?;
    storage.write_atomic(MARK, &text).map_err(failed)
}

pub(super) fn clear(storage: &dyn Storage) -> Result<(), MovingError> {
    storage.remove(MARK).map_err(|source| MovingError::Write { file: storage.describe(MARK), source })
}

pub(super) fn clear_moved(storage: &dyn Storage) -> Result<(), MovingError> {
    match read(storage)? {
        Some(Mark::Moved { .. }) => clear(storage),
        Some(Mark::Importing) => Err(MarkError::Importing { folder: storage.describe("") }.into()),
        None => Err(MovingError::NotMoved { folder: storage.describe("") }),
    }
}

fn read(storage: &dyn Storage) -> Result<Option<Mark>, MarkError> {
    let unreadable = |why: String| MarkError::Unreadable { file: storage.describe(MARK), why };
    let bytes = storage.read(MARK).map_err(|error| unreadable(error.to_string()))?;
    bytes
        .map(|bytes| serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string())))
        .transpose()
}
