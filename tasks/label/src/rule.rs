//! The rule of stopping early, which `plan` foretells: each vote counts by its worker's accuracy.
//!
//! A worker of accuracy `a` over `k` classes is taken to be wrong in each of the others alike; the prior is flat. Accuracy begins
//! as the job's `worker_accuracy`, which weighs as much as [`PRIOR_GOLD`] gold items, and moves by what the worker said of gold.

use crate::job::Job;
use crate::labels::Labels;

/// Gold items that the accuracy assumed of a worker is worth.
pub const PRIOR_GOLD: f64 = 8.0;
/// No worker is taken to be more accurate, or more surely wrong.
const ACCURACY_MAX: f64 = 0.99;
const ACCURACY_MIN: f64 = 0.01;

/// What is taken to be a worker's accuracy.
pub fn accuracy(assumed: f64, right: usize, asked: usize) -> f64 {
    let found = (PRIOR_GOLD * assumed + right as f64) / (PRIOR_GOLD + asked as f64);
    found.clamp(ACCURACY_MIN, ACCURACY_MAX)
}

/// By worker, in the labels' order: right answers on hidden gold, and answers on it.
pub fn gold_record(job: &Job, labels: &Labels) -> Vec<(usize, usize)> {
    let of = |labels: &crate::labels::WorkerLabels| {
        let asked = job.hidden_gold().filter_map(|(item, class)| {
            let (answer, _) = labels.holds.get(&item)?;
            answer.class().map(|said| said == class)
        });
        asked.fold((0, 0), |(right, all), is_right| (right + usize::from(is_right), all + 1))
    };
    labels.workers.values().map(of).collect()
}

/// The posterior of votes, each with its worker's accuracy.
pub fn posterior(classes: usize, votes: impl IntoIterator<Item = (usize, f64)>) -> Vec<f64> {
    let mut logs = vec![0.0; classes];
    for (class, accuracy) in votes {
        let others = (1.0 - accuracy) / (classes - 1) as f64;
        logs[class] += libm::log(accuracy / others);
    }
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for log in &mut logs {
        *log = libm::exp(*log - most);
    }
    let total: f64 = logs.iter().sum();
    logs.into_iter().map(|value| value / total).collect()
}
