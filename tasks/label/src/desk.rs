//! What a worker is given next, and when an item needs nobody any more.

use weighhouse_types::{Digest, Hasher};

use crate::answer::Answer;
use crate::job::Job;
use crate::labels::{Labels, WorkerLabels};
use crate::rule;

/// How far a job is.
#[derive(Clone, Debug)]
pub struct Desk {
    /// By item: votes so far.
    votes: Vec<usize>,
    /// By item: whether it is given out.
    open: Vec<bool>,
}

impl Desk {
    /// Looks at all labels there are. An item is given out until it has `overlap` votes or its posterior is sure; gold and examples
    /// are not labelled.
    pub fn new(job: &Job, labels: &Labels) -> Self {
        let count = job.items.list().len();
        let record = rule::gold_record(job, labels);
        let mut votes: Vec<Vec<(usize, f64)>> = vec![Vec::new(); count];
        for (labels, (right, asked)) in labels.workers.values().zip(record) {
            let accuracy = rule::accuracy(job.file.worker_accuracy, right, asked);
            for (item, (answer, _)) in &labels.holds {
                if let Some(class) = answer.class() {
                    votes[*item].push((class, accuracy));
                }
            }
        }
        let classes = job.file.classes.len();
        let is_open = |(item, votes): (usize, &Vec<(usize, f64)>)| {
            let is_sure = || {
                let posterior = rule::posterior(classes, votes.iter().copied());
                posterior.into_iter().any(|value| value >= job.file.sure)
            };
            job.gold[item].is_none()
                && !job.examples.contains(&item)
                && votes.len() < job.file.overlap
                && (votes.is_empty() || !is_sure())
        };
        let open = votes.iter().enumerate().map(is_open).collect();
        Self { open, votes: votes.iter().map(Vec::len).collect() }
    }

    /// Items that still need votes.
    pub fn open(&self) -> usize {
        self.open.iter().filter(|open| **open).count()
    }

    /// The next item for a worker: one with the fewest votes, in an order of the worker's own; now and then hidden gold.
    pub fn next(&self, job: &Job, labels: &Labels, worker: &str) -> Option<usize> {
        let none = WorkerLabels::default();
        let held = &labels.workers.get(worker).unwrap_or(&none).holds;
        let place = |item: usize| order(job, worker, job.items.list()[item].digest.as_bytes());
        let open = (0..self.open.len()).filter(|item| self.open[*item] && !held.contains_key(item));
        let next = open.min_by_key(|item| (self.votes[*item], place(*item)))?;
        let drawn = order(job, worker, &(held.len() as u64).to_le_bytes());
        let drawn = u32::from_le_bytes([drawn.0[0], drawn.0[1], drawn.0[2], drawn.0[3]]);
        if f64::from(drawn) < job.file.gold_rate * f64::from(u32::MAX) {
            let gold = job.hidden_gold().map(|(item, _)| item).filter(|item| !held.contains_key(item));
            return gold.min_by_key(|item| place(*item)).or(Some(next));
        }
        Some(next)
    }
}

/// The item of a worker's newest answer that holds.
pub fn newest(labels: &Labels, worker: &str) -> Option<(usize, Answer)> {
    let held = &labels.workers.get(worker)?.holds;
    held.iter().max_by_key(|(_, (_, line))| *line).map(|(item, (answer, _))| (*item, *answer))
}

fn order(job: &Job, worker: &str, of: &[u8]) -> Digest {
    Hasher::new("weighhouse/label/order/1")
        .part(job.digest.as_bytes())
        .part(worker.as_bytes())
        .part(of)
        .finish()
}
