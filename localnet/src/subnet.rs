//! A subnet's folder, as `weighhouse init subnet` writes it: a task, a policy, miners, and a judge that runs beside the
//! localnet.
//!
//! The task pins the judge's files as they are now, not as `task.toml` says: while a subnet is worked at they change with
//! every save. A judge is taken up only once it has listened and drawn a challenge.

mod running;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weighhouse_ask::judges::JudgeAddressError;
use weighhouse_judge::judge_digest;
use weighhouse_tasks::{TaskError, TaskLoader, with_judge};
use weighhouse_types::Digest;

use self::running::RunningJudge;
use crate::guests::{GuestError, Guests};
use crate::program::ProgramError;
use crate::troubles::Troubles;

const TASK: &str = "task.toml";
const POLICY: &str = "policy.toml";
/// Their models are miners.
const MINERS: [&str; 2] = ["miner.py", "personas.py"];
/// A judge of one file, or of a folder: a package of Python's or a crate.
const JUDGES: [&str; 2] = ["judge.py", "judge"];

/// A failure to take up a subnet's folder.
#[derive(Debug, thiserror::Error)]
pub enum SubnetError {
    #[error("{path}: {source}")]
    File { path: String, source: io::Error },
    #[error("there is no folder {folder}; `weighhouse init subnet NAME` writes one")]
    NoFolder { folder: String },
    #[error("{folder} has no judge.py and no folder judge; `weighhouse init subnet` writes one")]
    NoJudge { folder: String },
    #[error("{path} pins no judge: it needs kind = \"judge\" and, in [judge], a digest")]
    NoPin { path: String },
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("the judge's files changed while it was started; save once more")]
    Changed,
    #[error(transparent)]
    Address(#[from] JudgeAddressError),
    #[error("{path}: {source}")]
    Task { path: String, source: TaskError },
    #[error("{path}: {source}")]
    Draw { path: String, source: TaskError },
    #[error("{path}: one seed was drawn twice and gave two challenges: use only rng for chance")]
    Unsteady { path: String },
}

/// The digests of what was taken up: the judge's files, and the task that pins them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedJudge {
    pub judge: Digest,
    pub task: Digest,
}

/// The folder, and the Python that runs what is in it.
#[derive(Clone, Debug)]
pub struct SubnetFolder {
    pub path: PathBuf,
    pub python: PathBuf,
}

/// A subnet whose judge runs.
#[derive(Debug)]
pub struct Subnet {
    folder: SubnetFolder,
    pub(crate) policy: Vec<u8>,
    judge: RunningJudge,
    troubles: Arc<Troubles>,
    /// The task with a judge that could not be taken up: tried again once it is saved again.
    refused: Option<String>,
}

impl Subnet {
    /// Starts the judge and has it draw a challenge.
    ///
    /// # Errors
    /// A folder without its files, and a judge that doesn't do what the task says of it.
    pub async fn start(folder: SubnetFolder) -> Result<Self, SubnetError> {
        if !folder.path.is_dir() {
            return Err(SubnetError::NoFolder { folder: folder.path.display().to_string() });
        }
        let policy = read(&folder.path.join(POLICY))?;
        let judge = folder.start().await?;
        Ok(Self { folder, policy, judge, troubles: Arc::default(), refused: None })
    }

    /// The folder, for people.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }

    /// The task, which pins the judge that runs.
    pub fn task_file(&self) -> &str {
        &self.judge.task_file
    }

    /// The way to the judge.
    pub fn loader(&self) -> Arc<dyn TaskLoader> {
        Arc::new(self.judge.at_hand.noted_in(self.troubles()))
    }

    /// What the judge fails at, from now on.
    pub(crate) fn troubles(&self) -> Arc<Troubles> {
        Arc::clone(&self.troubles)
    }

    /// Starts the judge anew where its files or the task were saved since; the digest of those that run then.
    pub(crate) async fn renew(&mut self) -> Result<Option<Digest>, SubnetError> {
        let saved = self.folder.pinned()?;
        if saved == self.judge.task_file || self.refused.as_ref() == Some(&saved) {
            return Ok(None);
        }
        // Before the start: a judge that fails is tried again only once it was saved again.
        self.refused = Some(saved);
        self.judge = self.folder.start().await?;
        Ok(Some(self.judge.digest))
    }

    /// Lets the folder's miners join: whoever does the work, and those who would earn without. Blocks until they listen.
    ///
    /// # Errors
    /// See [`Guests::join_all_of`].
    pub fn cast(&self, guests: &mut Guests) -> Result<(), GuestError> {
        let SubnetFolder { path, python } = &self.folder;
        MINERS.iter().try_for_each(|file| guests.join_all_of(python, &path.join(file)))
    }
}

impl SubnetFolder {
    /// The task as it is now, with the digest that the judge's files have now.
    pub(crate) fn pinned(&self) -> Result<String, SubnetError> {
        let (path, judge) = (self.path.join(TASK), self.judge()?);
        let digest = judge_digest(&judge)
            .map_err(|source| SubnetError::File { path: judge.display().to_string(), source })?;
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        with_judge(&text, digest).ok_or_else(|| SubnetError::NoPin { path: path.display().to_string() })
    }

    /// Starts the judge, and works out the task that pins it.
    async fn start(&self) -> Result<RunningJudge, SubnetError> {
        let folder = self.clone();
        let started = tokio::task::spawn_blocking(move || RunningJudge::start(&folder));
        started.await.map_err(|error| SubnetError::File {
            path: self.path.display().to_string(),
            source: io::Error::other(error),
        })?
    }

    fn judge(&self) -> Result<PathBuf, SubnetError> {
        let judge = Some(judge_of(&self.path)).filter(|path| path.exists());
        judge.ok_or_else(|| SubnetError::NoJudge { folder: self.path.display().to_string() })
    }
}

/// The judge in a subnet's folder, which may not be there.
pub fn judge_of(folder: &Path) -> PathBuf {
    let [file, package] = JUDGES.map(|name| folder.join(name));
    if file.exists() { file } else { package }
}

fn read(path: &Path) -> Result<Vec<u8>, SubnetError> {
    std::fs::read(path).map_err(|source| SubnetError::File { path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests;
