//! One posterior for each item, of everybody's votes.

use crate::answer::Answer;
use weighhouse_tasks::label::{Iterations, TOLERANCE, Vote, Votes, dawid_skene};

use crate::job::{Job, Method};
use crate::labels::Labels;
use crate::rule;

/// What became of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// By class.
    pub posterior: Vec<f64>,
    /// Votes by class.
    pub votes: Vec<usize>,
    pub unsure: usize,
    pub skipped: usize,
    /// The class that the customer knew.
    pub gold: Option<usize>,
}

impl Outcome {
    /// The likeliest class, the first among equals; none where nobody voted and nothing is known.
    pub fn label(&self) -> Option<usize> {
        let is_known = self.gold.is_some() || self.votes.iter().any(|count| *count > 0);
        let better = |best: usize, class: usize| {
            if self.posterior[class] > self.posterior[best] { class } else { best }
        };
        is_known.then(|| (0..self.posterior.len()).reduce(better)).flatten()
    }

    /// The posterior of the likeliest class.
    pub fn certainty(&self) -> f64 {
        self.posterior.iter().copied().fold(0.0, f64::max)
    }

    pub fn vote_count(&self) -> usize {
        self.votes.iter().sum()
    }
}

/// Counts every item's votes; the posteriors are flat still.
pub(crate) fn tally(job: &Job, labels: &Labels) -> Vec<Outcome> {
    let classes = job.file.classes.len();
    let none = |gold: &Option<usize>| Outcome {
        posterior: vec![1.0 / classes as f64; classes],
        votes: vec![0; classes],
        unsure: 0,
        skipped: 0,
        gold: *gold,
    };
    let mut outcomes: Vec<Outcome> = job.gold.iter().map(none).collect();
    for (_, item, answer, _) in labels.answers() {
        let outcome = &mut outcomes[item];
        match answer {
            Answer::Class(class) => outcome.votes[class] += 1,
            Answer::Unsure => outcome.unsure += 1,
            Answer::Skip => outcome.skipped += 1,
            Answer::Undo => {}
        }
    }
    outcomes
}

/// Works every item's posterior out.
pub fn aggregate(job: &Job, labels: &Labels) -> Vec<Outcome> {
    let classes = job.file.classes.len();
    let mut outcomes = tally(job, labels);
    let mut votes = Vec::new();
    for (worker, labels) in labels.workers.values().enumerate() {
        for (item, (answer, _)) in &labels.holds {
            votes.extend(answer.class().map(|class| (*item, worker, class)));
        }
    }
    let posteriors = match job.file.method {
        Method::Accuracy => by_accuracy(job, labels, &votes),
        Method::DawidSkene => by_dawid_skene(job, labels.workers.len(), &votes),
    };
    for (outcome, posterior) in outcomes.iter_mut().zip(posteriors) {
        match outcome.gold {
            Some(class) => {
                (0..classes).for_each(|at| outcome.posterior[at] = f64::from(u8::from(at == class)))
            }
            None if outcome.vote_count() > 0 => outcome.posterior = posterior,
            None => {}
        }
    }
    outcomes
}

/// The items that a person should look at first: the flattest posteriors, and among equals those that somebody was unsure of.
pub fn review(outcomes: &[Outcome]) -> Vec<usize> {
    let mut items: Vec<usize> = (0..outcomes.len()).filter(|item| outcomes[*item].gold.is_none()).collect();
    items.sort_by(|a, b| {
        let (a_outcome, b_outcome) = (&outcomes[*a], &outcomes[*b]);
        let by_certainty = a_outcome.certainty().total_cmp(&b_outcome.certainty());
        by_certainty.then(b_outcome.unsure.cmp(&a_outcome.unsure)).then(a.cmp(b))
    });
    items
}

fn by_accuracy(job: &Job, labels: &Labels, votes: &[(usize, usize, usize)]) -> Vec<Vec<f64>> {
    let record = rule::gold_record(job, labels);
    let accuracy = |worker: usize| {
        let (right, asked) = record[worker];
        rule::accuracy(job.file.worker_accuracy, right, asked)
    };
    let mut of_items: Vec<Vec<(usize, f64)>> = vec![Vec::new(); job.items.list().len()];
    for (item, worker, class) in votes {
        of_items[*item].push((*class, accuracy(*worker)));
    }
    of_items.into_iter().map(|votes| rule::posterior(job.file.classes.len(), votes)).collect()
}

/// Of the fit, at most; it ends earlier where nothing more is gained.
const ITERATIONS: Iterations = Iterations { max: 100, tolerance: Some(TOLERANCE) };

fn by_dawid_skene(job: &Job, workers: usize, votes: &[(usize, usize, usize)]) -> Vec<Vec<f64>> {
    let votes = votes.iter().map(|&(item, worker, class)| Vote { item, worker, class }).collect();
    let votes = Votes::new(job.gold.len(), workers, job.file.classes.len(), votes)
        .expect("answers that were read, of this job's items and classes");
    let fitted = dawid_skene(&votes, &job.gold, ITERATIONS);
    fitted.posterior.rows().into_iter().map(|row| row.to_vec()).collect()
}
