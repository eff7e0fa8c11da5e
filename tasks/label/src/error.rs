//! Ways in which a job, its files or its labels are not what they should be.

use std::io;
use std::path::{Path, PathBuf};

use weighhouse_types::Digest;

#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: it has more than {bytes_max} bytes", path.display())]
    Large { path: PathBuf, bytes_max: u64 },
    #[error("{}: {why}", path.display())]
    Wrong { path: PathBuf, why: String },
    #[error("{0}")]
    Config(String),
    /// An item's content isn't what its name says.
    #[error("item {item}: its content has the digest {found}")]
    Item { item: Digest, found: Digest },
    #[error("{}: {worker} is labelling in another process", path.display())]
    Busy { path: PathBuf, worker: String },
    #[error(
        "{}: line {line}: the receipt of {worker}'s label for item {item} doesn't fit: it or a label before was changed, or given for another job",
        path.display()
    )]
    Receipt { path: PathBuf, line: usize, worker: String, item: Digest },
}

impl JobError {
    pub(crate) fn wrong(path: &Path, why: impl Into<String>) -> Self {
        Self::Wrong { path: path.to_owned(), why: why.into() }
    }

    pub(crate) fn line(path: &Path, line: usize, why: impl std::fmt::Display) -> Self {
        Self::wrong(path, format!("line {line}: {why}"))
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
