//! Why a validator can't be moved.

use std::io;

use weighhouse_journal::{JournalError, SegmentError};

use super::container::CONTAINER_VERSION;
use super::mark::MarkError;

#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    #[error(transparent)]
    Marked(#[from] MarkError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(
        "there is no journal in this folder: nothing was ever judged on it, so start the new machine as it is"
    )]
    NoJournal,
    #[error("the {what} is {found}, where the configuration has {expected}")]
    Foreign { what: &'static str, found: String, expected: String },
    #[error("{folder}: it was not moved: there is nothing to take back")]
    NotMoved { folder: String },
    #[error(
        "{folder}: it holds a journal already, the newest file is {newest}; name an empty folder in journal.dir"
    )]
    HoldsJournal { folder: String, newest: String },
    #[error("{folder}: it holds {name}; name an empty folder in journal.dir")]
    NotEmpty { folder: String, name: String },
    #[error("it is no file of `weighhouse validator export`")]
    NoContainer,
    #[error(
        "it has version {found} and this program reads version {CONTAINER_VERSION}: import it with the weighhouse that exported it"
    )]
    Version { found: u16 },
    #[error("it ends early: copy it again")]
    CutShort,
    #[error("it is damaged: {0}; copy it again")]
    Damaged(String),
    #[error("{file}: {source}")]
    Segment { file: String, source: SegmentError },
    #[error("can't read {file}: {source}")]
    Read { file: String, source: io::Error },
    #[error("can't write {file}: {source}")]
    Write { file: String, source: io::Error },
    #[error("the file: {0}")]
    Io(#[from] io::Error),
}
