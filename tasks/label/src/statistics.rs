//! What labels show of those who gave them.

use crate::aggregate::Outcome;
use crate::answer::Answer;
use crate::job::Job;
use crate::labels::{Labels, WorkerLabels};
use crate::rule;

/// One worker's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerStatistics {
    pub votes: usize,
    pub unsure: usize,
    pub skipped: usize,
    /// The median of the answers' times.
    pub seconds: Option<f64>,
    /// Right answers on hidden gold, and answers on it.
    pub gold: (usize, usize),
    /// Others' votes for the items that the worker voted on that are the same, and all of these.
    pub agreement: (usize, usize),
}

impl WorkerStatistics {
    /// The share of others' votes that are the same; none where nobody else voted.
    pub fn agreement_share(&self) -> Option<f64> {
        let (same, all) = self.agreement;
        (all > 0).then(|| same as f64 / all as f64)
    }
}

/// By worker, in the labels' order.
pub fn of_workers(job: &Job, labels: &Labels, outcomes: &[Outcome]) -> Vec<WorkerStatistics> {
    let gold = rule::gold_record(job, labels);
    let workers = labels.workers.values().zip(gold);
    workers.map(|(labels, gold)| of_worker(labels, gold, outcomes)).collect()
}

fn of_worker(labels: &WorkerLabels, gold: (usize, usize), outcomes: &[Outcome]) -> WorkerStatistics {
    let answers = || labels.holds.values().map(|(answer, _)| *answer);
    let count = |wanted: Answer| answers().filter(|answer| *answer == wanted).count();
    let mut agreement = (0, 0);
    for (item, (answer, _)) in &labels.holds {
        if let Some(class) = answer.class() {
            agreement.0 += outcomes[*item].votes[class] - 1;
            agreement.1 += outcomes[*item].vote_count() - 1;
        }
    }
    let mut seconds: Vec<f64> =
        labels.holds.values().filter_map(|(_, line)| labels.lines[*line].lead_time).collect();
    seconds.sort_by(f64::total_cmp);
    WorkerStatistics {
        votes: answers().filter(|answer| answer.class().is_some()).count(),
        unsure: count(Answer::Unsure),
        skipped: count(Answer::Skip),
        seconds: seconds.get(seconds.len() / 2).copied(),
        gold,
        agreement,
    }
}

/// Krippendorff's alpha over nominal classes: 1 where all votes agree, 0 where they agree as chance would; none where nothing
/// can disagree.
pub fn alpha(outcomes: &[Outcome]) -> Option<f64> {
    let classes = outcomes.first()?.votes.len();
    let mut totals = vec![0_usize; classes];
    let mut observed = 0.0;
    for outcome in outcomes {
        let count = outcome.vote_count();
        if count < 2 {
            continue;
        }
        let differing: usize = outcome.votes.iter().map(|votes| votes * (count - votes)).sum();
        observed += differing as f64 / (count - 1) as f64;
        for (total, votes) in totals.iter_mut().zip(&outcome.votes) {
            *total += votes;
        }
    }
    let all: usize = totals.iter().sum();
    let differing: f64 = totals.iter().map(|total| *total as f64 * (all - total) as f64).sum();
    (differing > 0.0).then(|| 1.0 - observed * (all - 1) as f64 / differing)
}
