//! A worker's file, held by one process while it labels.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::PathBuf;

use rand::Rng as _;
use weighhouse_seams::Entropy;
use weighhouse_types::Digest;

use crate::answer::Answer;
use crate::error::JobError;
use crate::job::{Job, LABELS_FOLDER};
use crate::label::{Label, Receipt};

use super::{Labels, check_worker, file_of};

/// An answer that is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct NewLabel {
    pub item: usize,
    pub answer: Answer,
    pub lead_time: Option<f64>,
    pub at: Option<u64>,
}

/// A worker who labels.
#[derive(Debug)]
pub struct Worker {
    name: String,
    path: PathBuf,
    file: File,
    head: Receipt,
    job: Digest,
    entropy: Entropy,
}

impl Worker {
    /// Takes the worker's file, which is made if need be.
    ///
    /// # Errors
    /// A name that can't be, or a file that another process holds.
    pub fn open(job: &Job, labels: &mut Labels, name: &str, entropy: Entropy) -> Result<Self, JobError> {
        check_worker(name)?;
        let path = job.dir.join(LABELS_FOLDER).join(file_of(name));
        let io = || JobError::io(&path);
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(io())?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JobError::Busy { path: path.clone(), worker: name.to_owned() },
            TryLockError::Error(source) => JobError::Io { path: path.clone(), source },
        })?;
        // A new file is in its folder's data, which a crash could lose although the file was synced.
        File::open(job.dir.join(LABELS_FOLDER)).and_then(|folder| folder.sync_all()).map_err(io())?;
        labels.refresh(&job.items)?;
        // A label that a crash cut off was never confirmed.
        let whole = labels.read.get(&file_of(name)).copied().unwrap_or(0);
        file.set_len(whole as u64).map_err(io())?;
        let head = labels.workers.get(name).map(|labels| labels.head).unwrap_or_default();
        Ok(Self { name: name.to_owned(), path, file, head, job: job.digest, entropy })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The newest receipt.
    pub fn head(&self) -> Receipt {
        self.head
    }

    /// Appends labels; they are on the disk when this returns.
    ///
    /// # Errors
    /// A disk that fails.
    pub fn add(&mut self, job: &Job, new: &[NewLabel]) -> Result<Receipt, JobError> {
        let mut text = String::new();
        let mut head = self.head;
        for NewLabel { item, answer, lead_time, at } in new {
            let mut salt = [0; 32];
            self.entropy.clone().fill_bytes(&mut salt);
            let mut label = Label {
                item: job.items.list()[*item].digest,
                worker: self.name.clone(),
                label: answer.word(&job.file.classes).to_owned(),
                lead_time: lead_time.filter(|seconds| seconds.is_finite()),
                at: *at,
                salt: Digest(salt),
                receipt: Digest::default(),
            };
            label.receipt = label.expected(&self.job, &head);
            head = label.receipt;
            text.push_str(&label.line());
        }
        let writing = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        writing.map_err(JobError::io(&self.path))?;
        self.head = head;
        Ok(head)
    }
}
