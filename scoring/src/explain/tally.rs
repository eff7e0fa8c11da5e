//! Verdicts on one miner, counted by what is said of them, and the sentence that they make.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use weighhouse_types::{Detail, Gist, Mark, Outcome, VerdictRecord};

/// Verdicts on one miner, by what is said of them.
#[derive(Debug, Default)]
pub(super) struct ReasonTally {
    pub(super) attempts: usize,
    /// Verdicts with a mark above 0.
    pub(super) accepted: usize,
    /// Verdicts that say the same, by outcome and phrase.
    groups: BTreeMap<(Outcome, String), Group>,
    unexplained: usize,
    /// Nothing came back, by cause.
    silent: BTreeMap<String, usize>,
    /// Something came back that is no answer, by cause.
    unusable: BTreeMap<String, usize>,
}

#[derive(Debug, Default)]
struct Group {
    answers: usize,
    /// The first one's, as an example.
    example: Option<String>,
    items: u64,
    outside: u64,
    /// (answer, reference) of each verdict that compares them.
    skills: Vec<(Mark, Mark)>,
}

impl Group {
    fn count(&mut self, detail: Detail) {
        self.answers += 1;
        match detail {
            Detail::None => {}
            Detail::Example(text) => drop(self.example.get_or_insert(text)),
            Detail::Items { outside, items } => {
                self.items += u64::from(items);
                self.outside += u64::from(outside);
            }
            Detail::Skills { answer, reference } => self.skills.push((answer, reference)),
        }
    }

    /// In brackets, where there is something to say.
    fn detail(&self) -> String {
        // A kind's own word may be left empty.
        let example = self.example.as_deref().filter(|example| !example.is_empty());
        match (example, self.items, &self.skills[..]) {
            (Some(example), ..) if self.answers > 1 => format!(" (e.g. {example})"),
            (Some(example), ..) => format!(" ({example})"),
            (None, 1.., _) => format!(" ({} of {} items)", self.outside, self.items),
            (None, 0, [_, ..]) => format!(" ({})", skills(&self.skills)),
            (None, 0, []) => String::new(),
        }
    }
}

impl ReasonTally {
    /// Counts a verdict under its first complaint, or under its first reason when there is none.
    pub(super) fn count(&mut self, verdict: &VerdictRecord) {
        self.attempts += 1;
        self.accepted += usize::from(verdict.judgement.mark > Mark::ZERO);
        let reasons = &verdict.judgement.reasons;
        // A verdict may praise one thing and fault another; the fault is what its miner can mend.
        let Some(reason) = verdict.judgement.complaint().or(reasons.first()) else {
            self.unexplained += 1;
            return;
        };
        if let Some(failure) = reason.failure() {
            let causes = if failure.is_unusable() { &mut self.unusable } else { &mut self.silent };
            *causes.entry(failure.to_string()).or_default() += 1;
            return;
        }
        let Gist { phrase, detail } = reason.gist();
        self.groups.entry((reason.outcome(), phrase)).or_default().count(detail);
    }

    pub(super) fn sentence(&self) -> String {
        let clauses = [self.praise(), self.complaints(), self.silences()];
        let clauses: Vec<String> = clauses.into_iter().flatten().collect();
        clauses.join("; ")
    }

    fn groups(&self, praise: bool) -> impl Iterator<Item = (&str, &Group)> {
        let groups = self.groups.iter().filter(move |((outcome, _), _)| outcome.is_praise() == praise);
        groups.map(|((_, phrase), group)| (phrase.as_str(), group))
    }

    fn praise(&self) -> Option<String> {
        let part = |(phrase, group): (&str, &Group)| {
            format!("{} of {} answers {phrase}{}", group.answers, self.attempts, group.detail())
        };
        let parts: Vec<String> = self.groups(true).map(part).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn complaints(&self) -> Option<String> {
        let part = |(phrase, group): (&str, &Group)| {
            format!("{} {phrase}{}", counted(group.answers), group.detail())
        };
        let mut parts: Vec<String> = self.groups(false).map(part).collect();
        parts.extend(self.unusable.iter().map(|(cause, count)| format!("{} {cause}", counted(*count))));
        if self.unexplained > 0 {
            parts.push(format!("{} without a reason", counted(self.unexplained)));
        }
        if parts.is_empty() {
            return None;
        }
        let parts = parts.join(", ");
        let is_praised = self.groups(true).next().is_some();
        Some(if is_praised {
            parts
        } else {
            format!("{} of {} accepted: {parts}", self.accepted, self.attempts)
        })
    }

    fn silences(&self) -> Option<String> {
        let count: usize = self.silent.values().sum();
        if count == 0 {
            return None;
        }
        let mut clause = format!("silent {count} of {} times: ", self.attempts);
        for (at, (cause, times)) in self.silent.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            let times = if self.silent.len() > 1 { format!(" ({times})") } else { String::new() };
            // Writing to a string cannot fail.
            let _ = write!(clause, "{comma}{cause}{times}");
        }
        Some(clause)
    }
}

pub(super) fn counted(answers: usize) -> String {
    format!("{answers} {}", if answers == 1 { "answer" } else { "answers" })
}

fn skills(marks: &[(Mark, Mark)]) -> String {
    let mean = |side: fn(&(Mark, Mark)) -> Mark| {
        let sum: i64 = marks.iter().map(|pair| side(pair).billionths()).sum();
        i64::try_from(marks.len())
            .ok()
            .and_then(|count| Mark::from_billionths(sum.checked_div(count)?))
            .unwrap_or_default()
    };
    format!("mean skill {} to its {}", mean(|pair| pair.0), mean(|pair| pair.1))
}
