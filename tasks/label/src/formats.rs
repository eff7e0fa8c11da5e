//! Labels as other tools write and read them.

mod config;
mod label_studio;
mod tables;
mod time;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use weighhouse_seams::Entropy;

use crate::aggregate::Outcome;
use crate::answer::Answer;
use crate::error::JobError;
use crate::files;
use crate::job::Job;
use crate::labels::{Labels, NewLabel, Worker};
use crate::limits::TABLE_BYTES_MAX;

pub(crate) use time::write as time_text;

pub use config::classes_of_config;

/// A form in which labels are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// All that is known of each answer, a row each.
    Csv,
    /// The same, a JSON object each.
    Jsonl,
    /// crowd-kit's table: `task`, `worker`, `label`; votes alone.
    CrowdKit,
    /// Label Studio's tasks with annotations, and the posterior as predictions.
    LabelStudio,
    /// Label Studio's labelling config of the job.
    LabelStudioConfig,
}

/// One answer as it comes from elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given {
    pub(crate) item: usize,
    pub(crate) worker: String,
    pub(crate) answer: Answer,
    pub(crate) lead_time: Option<f64>,
    pub(crate) at: Option<u64>,
}

/// What a file of labels has.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) given: Vec<Given>,
    /// Items with the class that the file calls true.
    pub(crate) gold: Vec<(usize, usize)>,
    /// Models' guesses, which are no labels.
    pub(crate) predictions: usize,
}

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub labels: usize,
    /// Answers that the job had already.
    pub known: usize,
    pub workers: usize,
    pub gold: usize,
    /// Models' guesses, which were passed over.
    pub predictions: usize,
}

/// Hands labels out.
///
/// # Errors
/// Items of a form that the format has no place for.
pub fn export(job: &Job, labels: &Labels, outcomes: &[Outcome], format: Format) -> Result<String, JobError> {
    match format {
        Format::Csv => Ok(tables::csv(job, labels)),
        Format::Jsonl => Ok(tables::jsonl(job, labels)),
        Format::CrowdKit => Ok(tables::crowd_kit(job, labels)),
        Format::LabelStudio => Ok(label_studio::write(job, labels, outcomes)),
        Format::LabelStudioConfig => Ok(config::write(job)),
    }
}

/// Takes the labels of a file over; an answer that the job has already isn't added again.
///
/// # Errors
/// A file of another form, or one that speaks of items or classes that the job doesn't have.
pub fn import(
    job: &mut Job,
    labels: &mut Labels,
    path: &Path,
    entropy: &Entropy,
) -> Result<Imported, JobError> {
    let bytes = files::read(path, TABLE_BYTES_MAX)?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let found = match extension.as_str() {
        "csv" => tables::read_csv(job, path, &bytes)?,
        "jsonl" | "ndjson" => tables::read_jsonl(job, path, &files::text(path, bytes)?)?,
        "json" => label_studio::read(job, path, &bytes)?,
        other => {
            let why = format!("labels are .csv, .jsonl or .json (Label Studio's tasks); not .{other}");
            return Err(JobError::wrong(path, why));
        }
    };
    let mut imported = Imported { predictions: found.predictions, ..Imported::default() };
    if !found.gold.is_empty() {
        let before = job.gold.iter().flatten().count();
        job.add_gold(&found.gold)?;
        imported.gold = job.gold.iter().flatten().count() - before;
    }
    // The last of several answers of one worker for one item is the one that holds, here as everywhere.
    let mut by_worker: BTreeMap<&str, BTreeMap<usize, NewLabel>> = BTreeMap::new();
    for Given { item, worker, answer, lead_time, at } in &found.given {
        let new = NewLabel { item: *item, answer: *answer, lead_time: *lead_time, at: *at };
        by_worker.entry(worker).or_default().insert(*item, new);
    }
    for (name, given) in by_worker {
        let held = labels.workers.get(name);
        let is_new = |new: &NewLabel| {
            held.and_then(|labels| labels.holds.get(&new.item)).is_none_or(|(held, _)| *held != new.answer)
        };
        let new: Vec<NewLabel> = given.values().filter(|new| is_new(new)).copied().collect();
        imported.known += given.len() - new.len();
        if new.is_empty() {
            continue;
        }
        imported.labels += new.len();
        imported.workers += 1;
        Worker::open(job, labels, name, entropy.clone())?.add(job, &new)?;
    }
    labels.refresh(&job.items)?;
    Ok(imported)
}
