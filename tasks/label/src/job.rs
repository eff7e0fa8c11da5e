//! A job: what is asked, in a folder.

mod gold;
mod init;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use weighhouse_types::{Digest, Hasher, config};

use crate::answer::RESERVED;
use crate::error::JobError;
use crate::files;
use crate::items::Items;
use crate::limits::{CLASSES_MAX, GUIDELINES_BYTES_MAX, NAME_BYTES_MAX, TABLE_BYTES_MAX};

pub use init::Init;

pub(crate) const JOB_FILE: &str = "job.toml";
pub(crate) const GUIDELINES_FILE: &str = "guidelines.md";
pub(crate) const GOLD_FILE: &str = "gold.csv";
/// The folder of workers' files.
pub(crate) const LABELS_FOLDER: &str = "labels";

/// How a posterior is made of the votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Each worker's confusion matrix is fitted to all votes; gold items are clamped to their class.
    DawidSkene,
    /// The rule of `plan` and of stopping early: votes are weighed by each worker's accuracy on gold, from `worker_accuracy` on.
    Accuracy,
}

impl Method {
    /// Its name with the version of the computation.
    pub fn version(self) -> &'static str {
        match self {
            Self::DawidSkene => "dawid-skene/1",
            Self::Accuracy => "accuracy/1",
        }
    }
}

/// `job.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFile {
    pub name: String,
    /// In the order of the keys 1 to 9.
    pub classes: Vec<String>,
    /// The most votes that an item gets.
    pub overlap: usize,
    /// The posterior from which an item isn't given out again.
    pub sure: f64,
    /// What a worker's accuracy is taken to be before gold says more.
    pub worker_accuracy: f64,
    /// The share of gold among what a worker is given.
    pub gold_rate: f64,
    pub method: Method,
    pub items: usize,
    pub items_sha256: Digest,
    pub guidelines_sha256: Digest,
    /// By class, the item that is shown as its example and never asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub examples: BTreeMap<String, Digest>,
}

impl JobFile {
    /// Checks what stands in it.
    ///
    /// # Errors
    /// Classes or numbers that can't be.
    pub fn check(&self) -> Result<(), JobError> {
        let wrong = |why: String| Err(JobError::Config(why));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= NAME_BYTES_MAX
                && name.trim() == name
                && !name.chars().any(char::is_control)
        };
        if !is_name(&self.name) {
            return wrong(format!("{:?} can't name a job", self.name));
        }
        if !(2..=CLASSES_MAX).contains(&self.classes.len()) {
            return wrong(format!("a job has 2 to {CLASSES_MAX} classes; here are {}", self.classes.len()));
        }
        for (at, class) in self.classes.iter().enumerate() {
            if !is_name(class) {
                return wrong(format!("{class:?} can't name a class"));
            }
            if RESERVED.contains(&class.as_str()) {
                return wrong(format!("{class:?} is an answer of its own and no class"));
            }
            if self.classes[..at].contains(class) {
                return wrong(format!("the class {class:?} stands twice"));
            }
        }
        if self.overlap == 0 {
            return wrong("overlap is at least 1".to_owned());
        }
        let chance = 1.0 / self.classes.len() as f64;
        if !(self.sure > chance && self.sure <= 1.0) {
            return wrong(format!("sure lies above chance ({chance:.3}) and is at most 1"));
        }
        if !(self.worker_accuracy > chance && self.worker_accuracy < 1.0) {
            return wrong(format!("worker_accuracy lies between chance ({chance:.3}) and 1"));
        }
        if !(0.0..=0.5).contains(&self.gold_rate) {
            return wrong("gold_rate lies between 0 and 0.5".to_owned());
        }
        match self.examples.keys().find(|class| !self.classes.contains(class)) {
            Some(class) => wrong(format!("an example of {class:?}, which is no class")),
            None => Ok(()),
        }
    }

    /// What labels are given for: another name, class, item, example or guideline is another job.
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new("weighhouse/label/job/1")
            .part(self.name.as_bytes())
            .part(self.items_sha256.as_bytes())
            .part(self.guidelines_sha256.as_bytes())
            .part(&(self.classes.len() as u64).to_le_bytes());
        for class in &self.classes {
            hasher = hasher.part(class.as_bytes());
        }
        for (class, item) in &self.examples {
            hasher = hasher.part(class.as_bytes()).part(item.as_bytes());
        }
        hasher.finish()
    }

    pub(crate) fn to_toml(&self) -> String {
        toml::to_string(self).expect("a job file is plain values")
    }
}

/// A job that was read and checked.
#[derive(Clone, Debug)]
pub struct Job {
    pub dir: PathBuf,
    pub file: JobFile,
    pub items: Items,
    pub guidelines: String,
    /// By item: its class where the customer knows it.
    pub gold: Vec<Option<usize>>,
    /// The items that are examples.
    pub examples: Vec<usize>,
    pub digest: Digest,
}

impl Job {
    /// Opens a job's folder.
    ///
    /// # Errors
    /// Files that are missing, or not what `job.toml` says.
    pub fn open(dir: &Path) -> Result<Self, JobError> {
        let path = dir.join(JOB_FILE);
        let file: JobFile = config::parse(&files::read_text(&path, GUIDELINES_BYTES_MAX)?)
            .map_err(|error| JobError::wrong(&path, error.message))?;
        file.check().map_err(|error| JobError::wrong(&path, error.to_string()))?;
        let items = Items::read(dir)?;
        if items.digest() != file.items_sha256 || items.list().len() != file.items {
            return Err(JobError::wrong(&path, "items.jsonl has other items than this job"));
        }
        let path = dir.join(GUIDELINES_FILE);
        let guidelines = files::read_text(&path, GUIDELINES_BYTES_MAX)?;
        if Digest::of(guidelines.as_bytes()) != file.guidelines_sha256 {
            return Err(JobError::wrong(&path, "these are other guidelines than those of the job"));
        }
        let mut examples = Vec::new();
        for (class, item) in &file.examples {
            let at = items.at(item);
            examples
                .push(at.ok_or_else(|| JobError::Config(format!("the example of {class:?} is no item")))?);
        }
        let path = dir.join(GOLD_FILE);
        let gold = match files::read_if_any(&path, TABLE_BYTES_MAX)? {
            Some(bytes) => gold::read(&path, &bytes, &items, &file.classes)?,
            None => vec![None; items.list().len()],
        };
        let digest = file.digest();
        Ok(Self { dir: dir.to_owned(), file, items, guidelines, gold, examples, digest })
    }

    /// The gold that is hidden among what workers are given; examples are shown, and so are none.
    pub fn hidden_gold(&self) -> impl Iterator<Item = (usize, usize)> {
        let known = self.gold.iter().enumerate().filter_map(|(item, class)| Some((item, (*class)?)));
        known.filter(|(item, _)| !self.examples.contains(item))
    }

    /// Adds what the customer knows of further items.
    ///
    /// # Errors
    /// An item that has another class already, or a file that can't be written.
    pub fn add_gold(&mut self, known: &[(usize, usize)]) -> Result<(), JobError> {
        for (item, class) in known {
            if self.gold[*item].is_some_and(|before| before != *class) {
                let digest = self.items.list()[*item].digest;
                return Err(JobError::Config(format!("item {digest} is gold of another class already")));
            }
            self.gold[*item] = Some(*class);
        }
        files::write(&self.dir.join(GOLD_FILE), self.gold_csv().as_bytes())
    }

    /// The gold as its file has it; empty without any.
    pub(crate) fn gold_csv(&self) -> String {
        gold::write(&self.gold, &self.items, &self.file.classes)
    }
}
