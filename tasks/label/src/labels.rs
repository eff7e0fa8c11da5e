//! Everybody's labels: a file of each worker, read further as they grow, and appended to by one process at a time.

mod worker;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use weighhouse_types::Digest;

use crate::answer::Answer;
use crate::error::JobError;
use crate::files;
use crate::items::Items;
use crate::job::{Job, LABELS_FOLDER};
use crate::label::{Label, Receipt};
use crate::limits::{NAME_BYTES_MAX, TABLE_BYTES_MAX};

pub use worker::{NewLabel, Worker};

/// One worker's labels so far.
#[derive(Clone, Debug, Default)]
pub struct WorkerLabels {
    /// In the order in which they were given.
    pub lines: Vec<Label>,
    /// By item: the last answer and its place among the lines. What was undone isn't here.
    pub holds: BTreeMap<usize, (Answer, usize)>,
    /// The newest receipt; zeros before the first.
    pub head: Receipt,
}

/// All workers' labels.
#[derive(Clone, Debug)]
pub struct Labels {
    dir: PathBuf,
    job: Digest,
    classes: Vec<String>,
    /// By name, and so in an order that doesn't hang on the folder's.
    pub workers: BTreeMap<String, WorkerLabels>,
    /// Bytes of each file that were read, and what they were read as.
    read: HashMap<String, usize>,
}

impl Labels {
    /// Reads them and checks every receipt.
    ///
    /// # Errors
    /// A line that is no label of this job, or doesn't fit the one before.
    pub fn open(job: &Job) -> Result<Self, JobError> {
        let mut labels = Self::none(job);
        labels.refresh(&job.items)?;
        Ok(labels)
    }

    pub(crate) fn none(job: &Job) -> Self {
        Self {
            dir: job.dir.join(LABELS_FOLDER),
            job: job.digest,
            classes: job.file.classes.clone(),
            workers: BTreeMap::new(),
            read: HashMap::new(),
        }
    }

    /// Reads what came since.
    ///
    /// # Errors
    /// As [`Labels::open`].
    pub fn refresh(&mut self, items: &Items) -> Result<(), JobError> {
        // A copy may have lost an empty folder.
        if !self.dir.is_dir() {
            return Ok(());
        }
        for name in files::names(&self.dir)? {
            let path = self.dir.join(&name);
            let Some(worker) = name.strip_suffix(".jsonl").and_then(worker_of) else {
                return Err(JobError::wrong(&path, "it is no worker's file of labels"));
            };
            let before = self.read.get(&name).copied().unwrap_or(0);
            let length = std::fs::metadata(&path).map_err(JobError::io(&path))?.len();
            if length == before as u64 {
                continue;
            }
            let bytes = files::read(&path, TABLE_BYTES_MAX)?;
            let new = bytes.get(before..).ok_or_else(|| JobError::wrong(&path, "it became shorter"))?;
            // Behind the last line's end a label is still being written.
            let whole = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let text = files::text(&path, new[..whole].to_vec())?;
            self.take(&path, &worker, &text, items)?;
            self.read.insert(name, before + whole);
        }
        Ok(())
    }

    /// Takes further lines of a worker's file.
    pub(crate) fn take(
        &mut self,
        path: &Path,
        worker: &str,
        text: &str,
        items: &Items,
    ) -> Result<(), JobError> {
        let labels = self.workers.entry(worker.to_owned()).or_default();
        for line in text.lines() {
            let number = labels.lines.len() + 1;
            let label: Label =
                serde_json::from_str(line).map_err(|error| JobError::line(path, number, error))?;
            if label.line().trim_end() != line {
                return Err(JobError::line(path, number, "it isn't written as labels are"));
            }
            let receipt = || JobError::Receipt {
                path: path.to_owned(),
                line: number,
                worker: worker.to_owned(),
                item: label.item,
            };
            if label.worker != worker || label.receipt != label.expected(&self.job, &labels.head) {
                return Err(receipt());
            }
            let item = items.at(&label.item);
            let item =
                item.ok_or_else(|| JobError::line(path, number, format!("{} is no item", label.item)))?;
            let answer = Answer::read(&label.label, &self.classes);
            let answer = answer
                .ok_or_else(|| JobError::line(path, number, format!("{:?} is no class", label.label)))?;
            match answer {
                Answer::Undo => labels.holds.remove(&item),
                answer => labels.holds.insert(item, (answer, number - 1)),
            };
            labels.head = label.receipt;
            labels.lines.push(label);
        }
        Ok(())
    }

    /// The answers that hold, by worker and item.
    pub fn answers(&self) -> impl Iterator<Item = (&str, usize, Answer, &Label)> {
        self.workers.iter().flat_map(|(name, labels)| {
            labels
                .holds
                .iter()
                .map(|(item, (answer, line))| (name.as_str(), *item, *answer, &labels.lines[*line]))
        })
    }
}

/// Whether a worker can be called that.
pub(crate) fn check_worker(name: &str) -> Result<(), JobError> {
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX / 3
        || name.trim() != name
        || name.chars().any(char::is_control)
    {
        return Err(JobError::Config(format!("{name:?} can't name a worker")));
    }
    Ok(())
}

/// A worker's file: bytes beyond letters, digits, `-` and `_` stand as `%` and two hexadecimal digits.
pub(crate) fn file_of(worker: &str) -> String {
    let mut name = String::new();
    for byte in worker.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02x}"));
        }
    }
    name + ".jsonl"
}

fn worker_of(stem: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = stem.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let worker = String::from_utf8(bytes).ok()?;
    (file_of(&worker).strip_suffix(".jsonl") == Some(stem)).then_some(worker)
}
