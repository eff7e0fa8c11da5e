//! Jobs over small data sets, from the items to the data set that is built.

mod ask;
mod dataset;
mod desk;
mod formats;
mod job;
mod plan;
mod work;

use std::path::Path;

use tempfile::TempDir;
use weighhouse_seams::Entropy;

use crate::{Answer, Init, Job, Labels, Method, NewLabel, Source, Worker, files};

pub(crate) const TEXTS: &str = "id,text\nr1,good\nr2,bad\nr3,\"fine, really\"\nr4,awful\nr5,good\nr6,so so\n";

pub(crate) fn init(dir: &Path, source: &Path) -> Init {
    Init {
        dir: dir.to_owned(),
        name: "reviews".to_owned(),
        classes: vec!["negative".to_owned(), "positive".to_owned()],
        source: Source { path: source.to_owned(), text: "text".to_owned(), id: Some("id".to_owned()) },
        guidelines: "# Reviews\n\nSay whether the writer is **pleased**.\n".to_owned(),
        gold: None,
        examples: Vec::new(),
        overlap: 3,
        sure: 0.95,
        worker_accuracy: 0.8,
        gold_rate: 0.2,
        method: Method::DawidSkene,
    }
}

/// A job of five texts, one of them given twice.
pub(crate) fn job() -> (TempDir, Job) {
    let dir = tempfile::tempdir().expect("a folder");
    let source = dir.path().join("texts.csv");
    files::write(&source, TEXTS.as_bytes()).expect("written");
    let job = init(&dir.path().join("job"), &source).run().expect("a job");
    (dir, job)
}

/// Has a worker give these answers, by items' names.
pub(crate) fn label(job: &Job, worker: &str, answers: &[(&str, Answer)]) {
    let mut labels = Labels::open(job).expect("labels");
    let seed = worker.bytes().fold([7; 32], |mut seed, byte| {
        seed[usize::from(byte) % 32] ^= byte;
        seed
    });
    let mut worker = Worker::open(job, &mut labels, worker, Entropy::seeded(seed)).expect("free");
    let new = answers.iter().map(|(name, answer)| NewLabel {
        item: job.items.find(name).expect("an item"),
        answer: *answer,
        lead_time: Some(1.5),
        at: Some(1_700_000_000_000),
    });
    worker.add(job, &new.collect::<Vec<_>>()).expect("added");
}
