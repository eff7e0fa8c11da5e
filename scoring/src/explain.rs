//! Why each miner has the score it has, in one sentence made from the recorded reasons and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use weighhouse_types::{
    Detail, Gist, Mark, Neuron, Outcome, Reason, Record, RegistrationId, Score, Uid, VerdictRecord,
};

use crate::error::WeighError;
use crate::rate::Rating;
use crate::standing::{Fold, ScoredMiner};
use crate::weigh::pick;

#[cfg(test)]
mod tests;

/// One miner's epoch in figures and in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub uid: Uid,
    pub who: RegistrationId,
    pub score: Score,
    /// Verdicts of this epoch.
    pub attempts: u64,
    /// Those with a mark above 0.
    pub accepted: u64,
    pub sentence: String,
}

/// Explains every miner of an epoch, ascending by uid: neurons that published an axon, were judged, or carry an
/// average; those that departed during the epoch too.
///
/// # Errors
/// As [`crate::weigh::weigh`].
pub fn explain(records: &[Record]) -> Result<Vec<Explanation>, WeighError> {
    let fold = Fold::new(pick(records)?)?;
    let mut scores: BTreeMap<Uid, Option<ScoredMiner>> =
        fold.offered().map(|neuron| (neuron.uid, None)).collect();
    scores.extend(fold.scores().into_iter().map(|scored| (scored.uid, Some(scored))));
    let neurons = &fold.context.state.metagraph.neurons;
    let explained = |neuron: &Neuron| scores.get(&neuron.uid).map(|scored| one(&fold, neuron, *scored));
    Ok(neurons.iter().filter_map(explained).collect())
}

fn one(fold: &Fold<'_>, neuron: &Neuron, scored: Option<ScoredMiner>) -> Explanation {
    let who = neuron.registration();
    let verdicts = fold.verdicts(neuron.uid);
    let mut sentence =
        if verdicts.is_empty() { not_asked(fold, neuron.uid) } else { ReasonTally::of(verdicts).sentence() };
    if let Some(scored) = scored {
        sentence.push_str(&rating_clause(fold, &scored));
    }
    if fold.has_departed(neuron) {
        sentence.push_str("; its registration ended before weighing, so it gets nothing");
    }
    Explanation {
        uid: neuron.uid,
        who,
        score: scored.map_or(Score::ZERO, |scored| scored.score),
        attempts: verdicts.len() as u64,
        accepted: accepted(verdicts) as u64,
        sentence,
    }
}

fn not_asked(fold: &Fold<'_>, uid: Uid) -> String {
    match fold.track(uid) {
        Some(track) => format!("not judged this epoch, last in epoch {}", track.judged_in),
        None => "never judged".to_owned(),
    }
}

fn rating_clause(fold: &Fold<'_>, scored: &ScoredMiner) -> String {
    let policy = &fold.policy;
    match scored.rating {
        Rating::Scored => String::new(),
        // Who earned nothing needs no word about the least mark.
        Rating::BelowMinMark => match fold.rated(scored.uid) {
            Some(rated) if rated.expressed > 0 => {
                let average = Score::clip(Mark::from_billionths(rated.expressed).unwrap_or_default());
                format!("; average {average} is below the least mark of {}", policy.floor())
            }
            _ => String::new(),
        },
        Rating::TooFewAttempts => {
            let attempts = fold.track(scored.uid).map_or(0, |track| track.attempts);
            format!("; {attempts} of {} verdicts needed before a weight", policy.min_attempts())
        }
        Rating::TooOld => {
            format!("; older than {} epochs, so it no longer counts", policy.max_age_epochs())
        }
        Rating::NoValue => "; the policy's expression has no value for it".to_owned(),
    }
}

fn accepted(verdicts: &[&VerdictRecord]) -> usize {
    verdicts.iter().filter(|verdict| verdict.judgement.mark > Mark::ZERO).count()
}

/// One epoch's verdicts on one miner, by what is said of them.
#[derive(Default)]
struct ReasonTally {
    attempts: usize,
    accepted: usize,
    /// Verdicts that say the same, by outcome and phrase.
    groups: BTreeMap<(Outcome, String), Group>,
    unexplained: usize,
    /// Nothing came back, by cause.
    silent: BTreeMap<String, usize>,
    /// Something came back that is no answer, by cause.
    unusable: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Group {
    answers: usize,
    /// The first by (round, challenge), as an example.
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
            (Some(example), ..) => format!(" ({example})"),
            (None, 1.., _) => format!(" ({} of {} items)", self.outside, self.items),
            (None, 0, [_, ..]) => format!(" ({})", skills(&self.skills)),
            (None, 0, []) => String::new(),
        }
    }
}

impl ReasonTally {
    fn of(verdicts: &[&VerdictRecord]) -> Self {
        let mut tally = Self { attempts: verdicts.len(), accepted: accepted(verdicts), ..Self::default() };
        for verdict in verdicts {
            tally.count(&verdict.judgement.reasons);
        }
        tally
    }

    /// Counts a verdict under its first complaint, or under its first reason when there is none.
    fn count(&mut self, reasons: &[Reason]) {
        // A verdict may praise one thing and fault another; the fault is what its miner can mend.
        let complaint = reasons.iter().find(|reason| !reason.outcome().is_praise());
        let Some(reason) = complaint.or(reasons.first()) else {
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

    fn sentence(&self) -> String {
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

fn counted(answers: usize) -> String {
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
