//! Marks of a trial: a verdict in one line, the checks behind it, and how long answers took.

use std::time::Duration;

use serde::Serialize;
use weighhouse_types::{JudgedAnswer, Loss, Mark, PayStatement};

use crate::failure::Failure;
use crate::output::{self, Table};

/// What a miner would earn of full marks, and why not more.
#[derive(Debug, Serialize)]
pub(super) struct Scored {
    verdict: String,
    /// The mean mark, in [-1, 1].
    mean: f64,
    /// What `weighhouse miner earnings --score` reads: marks below nothing are worth nothing.
    marks: f64,
    answers: u32,
    /// Answers whose mark is the highest that there is.
    full: usize,
    checks: Vec<Loss>,
    latency_ms: Option<Latencies>,
    deadline_ms: u64,
    verdicts: Vec<JudgedAnswer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Latencies {
    median: f64,
    /// Nine in ten are no longer.
    p90: f64,
    longest: f64,
}

impl Scored {
    pub(super) fn new(statement: PayStatement, deadline: Duration) -> Self {
        let PayStatement { answers, losses: checks, verdicts, accepted_worth, .. } = statement;
        let sum: i64 = verdicts.iter().map(|judged| judged.mark.billionths()).sum();
        let mean = sum as f64 / 1e9 / (verdicts.len().max(1) as f64);
        let full = verdicts.iter().filter(|judged| judged.mark == Mark::MAX).count();
        let latency_ms = Latencies::of(&verdicts);
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        let verdict = verdict(mean, answers, &checks, accepted_worth);
        Self { verdict, mean, marks: mean.max(0.0), answers, full, checks, latency_ms, deadline_ms, verdicts }
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        output::line(&self.verdict)?;
        if !self.checks.is_empty() {
            self.table().print()?;
        }
        output::line(format!("marks    mean {:+.4}, {} of {} full", self.mean, self.full, self.answers))?;
        let deadline = self.deadline_ms as f64 / 1e3;
        match self.latency_ms {
            Some(Latencies { median, p90, longest }) => output::line(format!(
                "latency  median {median:.1} ms, nine in ten {p90:.1} ms, longest {longest:.1} ms of {deadline} s"
            ))?,
            None => output::line(format!("latency  no answer within {deadline} s"))?,
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["<check", "answers", "marks", "<first example", "<means"]);
        for Loss { check, phrase, answers, marks, example, .. } in &self.checks {
            let example = example.as_ref().map(|first| format!("round {}: {}", first.round, first.text));
            table.row(vec![
                check.clone(),
                format!("{answers} of {}", self.answers),
                format!("{:+.2}", -(*marks as f64) / 1e9),
                example.unwrap_or_default(),
                phrase.clone(),
            ]);
        }
        table
    }
}

fn verdict(mean: f64, answers: u32, checks: &[Loss], accepted_worth: Mark) -> String {
    let earns = mean.max(0.0);
    match checks {
        [] if accepted_worth == Mark::MAX => {
            format!("would earn full marks: {answers} of {answers} answers accepted")
        }
        [] => format!(
            "would earn {earns:.2} of full marks: every answer accepted, for {accepted_worth} on average"
        ),
        checks => {
            let mut checks: Vec<&Loss> = checks.iter().collect();
            checks.sort_by_key(|loss| std::cmp::Reverse(loss.answers));
            let part = |loss: &&Loss| format!("{} of {answers} answers `{}`", loss.answers, loss.check);
            let parts: Vec<String> = checks.iter().map(part).collect();
            format!("would earn {earns:.2} of full marks: {}", parts.join(", "))
        }
    }
}

impl Latencies {
    fn of(verdicts: &[JudgedAnswer]) -> Option<Self> {
        let mut all: Vec<u64> = verdicts.iter().filter_map(|judged| judged.latency_us).collect();
        all.sort_unstable();
        let at = |share: usize| all.get((all.len() * share).div_ceil(100).saturating_sub(1)).copied();
        let ms = |microseconds: u64| microseconds as f64 / 1e3;
        Some(Self { median: ms(at(50)?), p90: ms(at(90)?), longest: ms(at(100)?) })
    }
}

#[cfg(test)]
mod tests;
