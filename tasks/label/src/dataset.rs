//! The labelled data set: what it was made of, the table, the manifest and the datasheet, all following from the first.
//!
//! The folder is a job's folder and opens as one. What is derived (`items.parquet`, `datasheet.md`, `manifest.json`) is worked out
//! again by whoever verifies it, byte by byte, on any machine; the manifest names the digest of every other file, and its own
//! digest is the data set's name.

mod datasheet;
mod manifest;
mod rows;
mod table;
mod verify;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use weighhouse_types::Digest;

use crate::aggregate::{Outcome, aggregate};
use crate::error::JobError;
use crate::files;
use crate::items::{IMAGES_FOLDER, ITEMS_FILE};
use crate::job::{GOLD_FILE, GUIDELINES_FILE, JOB_FILE, Job, LABELS_FOLDER};
use crate::labels::{Labels, file_of};
use crate::limits::ITEM_BYTES_MAX;
use crate::statistics::{WorkerStatistics, of_workers};

use manifest::Listed;

pub use verify::{Difference, Verified, verify};

const TABLE_FILE: &str = "items.parquet";
const DATASHEET_FILE: &str = "datasheet.md";
const MANIFEST_FILE: &str = "manifest.json";

/// What was built.
#[derive(Clone, Debug, Serialize)]
pub struct Built {
    /// The digest of the manifest.
    pub digest: Digest,
    pub items: usize,
    pub labelled: usize,
    pub labels: usize,
    pub workers: usize,
    /// Mean posterior of the labels that were given.
    pub certainty: f64,
    pub bytes: u64,
}

/// All that the derived files are made of.
struct Subject<'a> {
    job: &'a Job,
    labels: &'a Labels,
    outcomes: Vec<Outcome>,
    workers: Vec<WorkerStatistics>,
}

impl<'a> Subject<'a> {
    fn new(job: &'a Job, labels: &'a Labels) -> Self {
        let outcomes = aggregate(job, labels);
        let workers = of_workers(job, labels, &outcomes);
        Self { job, labels, outcomes, workers }
    }

    /// The files that the others follow from, images aside.
    fn sources(&self) -> BTreeMap<String, Vec<u8>> {
        let job = self.job;
        let mut files = BTreeMap::from([
            (JOB_FILE.to_owned(), job.file.to_toml().into_bytes()),
            (GUIDELINES_FILE.to_owned(), job.guidelines.clone().into_bytes()),
            (ITEMS_FILE.to_owned(), job.items.to_jsonl().into_bytes()),
        ]);
        let gold = job.gold_csv();
        if !gold.is_empty() {
            files.insert(GOLD_FILE.to_owned(), gold.into_bytes());
        }
        for (name, labels) in &self.labels.workers {
            let text: String = labels.lines.iter().map(|label| label.line()).collect();
            files.insert(format!("{LABELS_FOLDER}/{}", file_of(name)), text.into_bytes());
        }
        files
    }

    /// The derived files but the manifest.
    fn derived(&self) -> Result<BTreeMap<String, Vec<u8>>, JobError> {
        Ok(BTreeMap::from([
            (TABLE_FILE.to_owned(), table::write(self)?),
            (DATASHEET_FILE.to_owned(), datasheet::write(self).into_bytes()),
        ]))
    }

    fn certainty(&self) -> f64 {
        let labelled = self.outcomes.iter().filter(|outcome| outcome.label().is_some());
        let (sum, count) =
            labelled.fold((0.0, 0), |(sum, count), outcome| (sum + outcome.certainty(), count + 1));
        if count == 0 { 0.0 } else { sum / f64::from(count) }
    }

    fn built(&self, manifest: &str, bytes: u64) -> Built {
        Built {
            digest: Digest::of(manifest.as_bytes()),
            items: self.outcomes.len(),
            labelled: self.outcomes.iter().filter(|outcome| outcome.label().is_some()).count(),
            labels: self.labels.workers.values().map(|labels| labels.lines.len()).sum(),
            workers: self.workers.len(),
            certainty: self.certainty(),
            bytes,
        }
    }
}

/// Builds a job's data set in an empty folder.
///
/// # Errors
/// An item whose content isn't what its name says, or a folder that can't be written.
pub fn build(job: &Job, out: &Path) -> Result<Built, JobError> {
    let labels = Labels::open(job)?;
    let subject = Subject::new(job, &labels);
    let mut listed = Vec::new();
    files::make_empty(out)?;
    for folder in [LABELS_FOLDER, IMAGES_FOLDER] {
        std::fs::create_dir(out.join(folder)).map_err(JobError::io(out))?;
    }
    for item in job.items.list() {
        item.check(&job.dir)?;
        if let Some(path) = item.file() {
            let bytes = files::read(&job.dir.join(&path), ITEM_BYTES_MAX)?;
            files::write(&out.join(&path), &bytes)?;
            listed.push(Listed::of(path, &bytes));
        }
    }
    for (path, bytes) in subject.sources().into_iter().chain(subject.derived()?) {
        files::write(&out.join(&path), &bytes)?;
        listed.push(Listed::of(path, &bytes));
    }
    listed.sort();
    let manifest = manifest::write(&subject, &listed);
    // Last: a folder without it is no data set.
    files::write(&out.join(MANIFEST_FILE), manifest.as_bytes())?;
    let bytes = listed.iter().map(|file| file.bytes).sum::<u64>() + manifest.len() as u64;
    Ok(subject.built(&manifest, bytes))
}
