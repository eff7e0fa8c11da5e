//! One worker at one job: the item that is out, the answer that comes, and how far it is.

use serde::Deserialize;
use serde_json::{Value, json};
use weighhouse_types::Digest;

use crate::aggregate::tally;
use crate::answer::Answer;
use crate::desk::{Desk, newest};
use crate::items::Content;
use crate::job::Job;
use crate::labels::{Labels, NewLabel, Worker};
use crate::statistics::of_workers;

use super::error::WorkError;

/// Longer than anybody looks at an item; a page that was left open says nothing of its time.
const LEAD_TIME_MAX: f64 = 3600.0;

/// An answer as the page sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    item: Digest,
    label: String,
    lead_time: Option<f64>,
}

#[derive(Debug)]
pub(super) struct Room {
    job: Job,
    labels: Labels,
    worker: Worker,
    current: Option<usize>,
}

impl Room {
    pub(super) fn new(job: Job, labels: Labels, worker: Worker) -> Self {
        Self { job, labels, worker, current: None }
    }

    /// What doesn't change: classes, guidelines, an example of each class.
    pub(super) fn about(&self) -> Value {
        let file = &self.job.file;
        let examples = file.examples.iter().filter_map(|(class, item)| {
            let mut shown = self.shown(self.job.items.at(item)?);
            shown["class"] = json!(class);
            Some(shown)
        });
        json!({
            "job": file.name,
            "worker": self.worker.name(),
            "classes": file.classes,
            "guidelines": self.job.guidelines,
            "examples": examples.collect::<Vec<_>>(),
        })
    }

    fn shown(&self, item: usize) -> Value {
        let item = &self.job.items.list()[item];
        match &item.content {
            Content::Text(text) => json!({"item": item.digest, "text": text}),
            Content::Image(_) => json!({"item": item.digest, "image": format!("image/{}", item.digest)}),
        }
    }

    /// The item that is out, or the next one; none where nothing is left for this worker.
    pub(super) fn now(&mut self) -> Result<Value, WorkError> {
        self.labels.refresh(&self.job.items)?;
        let desk = Desk::new(&self.job, &self.labels);
        if self.current.is_none() {
            self.current = desk.next(&self.job, &self.labels, self.worker.name());
        }
        let outcomes = tally(&self.job, &self.labels);
        let at = self.labels.workers.keys().position(|name| name == self.worker.name());
        let own = at.map(|at| of_workers(&self.job, &self.labels, &outcomes).swap_remove(at));
        let asked = self.job.gold.iter().filter(|gold| gold.is_none()).count();
        Ok(json!({
            "item": self.current.map(|item| self.shown(item)),
            "open": desk.open(),
            "asked": asked,
            "votes": own.as_ref().map_or(0, |own| own.votes),
            "unsure": own.as_ref().map_or(0, |own| own.unsure),
            "skipped": own.as_ref().map_or(0, |own| own.skipped),
            "seconds": own.as_ref().and_then(|own| own.seconds),
            "agreement": own.as_ref().and_then(|own| own.agreement_share()),
            "compared": own.as_ref().map_or(0, |own| own.agreement.1),
            "receipt": self.worker.head(),
        }))
    }

    /// Keeps an answer for the item that is out.
    pub(super) fn take(&mut self, sent: &Sent, at: u64) -> Result<Value, WorkError> {
        let item = self.current.filter(|item| self.job.items.list()[*item].digest == sent.item);
        let item = item.ok_or(WorkError::OtherItem)?;
        let answer =
            Answer::read(&sent.label, &self.job.file.classes).filter(|answer| *answer != Answer::Undo);
        let answer =
            answer.ok_or_else(|| WorkError::Answer(format!("{:?} is no class of the job", sent.label)))?;
        let lead_time = sent.lead_time.filter(|seconds| (0.0..=LEAD_TIME_MAX).contains(seconds));
        self.worker.add(&self.job, &[NewLabel { item, answer, lead_time, at: Some(at) }])?;
        self.current = None;
        self.now()
    }

    /// Takes this worker's newest answer back and gives its item out again.
    pub(super) fn undo(&mut self, at: u64) -> Result<Value, WorkError> {
        self.labels.refresh(&self.job.items)?;
        let (item, _) = newest(&self.labels, self.worker.name()).ok_or(WorkError::NothingToUndo)?;
        let new = NewLabel { item, answer: Answer::Undo, lead_time: None, at: Some(at) };
        self.worker.add(&self.job, &[new])?;
        self.current = Some(item);
        self.now()
    }

    /// An image's form and bytes.
    pub(super) fn image(&self, digest: &Digest) -> Result<(&'static str, Vec<u8>), WorkError> {
        let item = self.job.items.at(digest).map(|at| &self.job.items.list()[at]).ok_or(WorkError::Path)?;
        match item.content {
            Content::Image(kind) => Ok((kind.mime(), item.bytes(&self.job.dir)?)),
            Content::Text(_) => Err(WorkError::Path),
        }
    }
}
