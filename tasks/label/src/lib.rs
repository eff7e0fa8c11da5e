//! A customer's data set, labelled: the job's folder, people's and models' labels, and the data set that comes of them.
//!
//! A job is a folder: `job.toml` says what is asked, `items.jsonl` what is labelled, `labels/` has one file of each worker, to
//! which labels are only appended. Each label has a receipt: a hash over itself and the receipt before, so that a label that was
//! changed or taken away afterwards is told by name. What is built of a job follows from these files alone, to the byte.
//!
//! **Invariants.** An item's name is its content's digest. A label is on the disk before it is confirmed. Nothing decides by the
//! clock, by a file's place in a folder, or by chance.

mod limits;

mod files;

mod error;

mod answer;
mod job;

mod items;
mod source;

mod label;

mod labels;

pub mod rule;

mod aggregate;

mod formats;

mod statistics;

mod desk;

pub mod plan;

mod work;

pub mod ask;

mod dataset;

pub use aggregate::{Outcome, aggregate, review};
pub use answer::{Answer, RESERVED};
pub use dataset::{Built, Difference, Verified, build, verify};
pub use desk::{Desk, newest};
pub use error::JobError;
pub use formats::{Format, Imported, classes_of_config, export, import};
pub use items::{Content, Item, Items};
pub use job::{Init, Job, JobFile, Method};
pub use label::{Label, Receipt};
pub use labels::{Labels, NewLabel, Worker};
pub use source::{Source, read_source};
pub use statistics::{WorkerStatistics, alpha, of_workers};
pub use work::Work;

#[cfg(test)]
mod tests;
