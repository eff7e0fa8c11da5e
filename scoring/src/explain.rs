//! Why each miner has the score it has, in one sentence made from the recorded reasons and nothing else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use weighhouse_types::{Failure, Judged, Mark, Neuron, Reason, Record, RegistrationId, Score, Uid};

use crate::rate::Rating;
use crate::standing::{Fold, Scored};
use crate::weigh::{WeighError, pick};

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
    let mut scores: BTreeMap<Uid, Option<Scored>> = fold.offered().map(|neuron| (neuron.uid, None)).collect();
    scores.extend(fold.scores().into_iter().map(|scored| (scored.uid, Some(scored))));
    let neurons = &fold.context.state.metagraph.neurons;
    let explained = |neuron: &Neuron| scores.get(&neuron.uid).map(|scored| one(&fold, neuron, *scored));
    Ok(neurons.iter().filter_map(explained).collect())
}

fn one(fold: &Fold<'_>, neuron: &Neuron, scored: Option<Scored>) -> Explanation {
    let who = neuron.registration();
    let verdicts = fold.verdicts(neuron.uid);
    let mut sentence =
        if verdicts.is_empty() { not_asked(fold, neuron.uid) } else { Tally::of(verdicts).sentence() };
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

fn rating_clause(fold: &Fold<'_>, scored: &Scored) -> String {
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

fn accepted(verdicts: &[&Judged]) -> usize {
    verdicts.iter().filter(|verdict| verdict.judgement.mark > Mark::ZERO).count()
}

/// One epoch's verdicts on one miner by kind.
#[derive(Default)]
struct Tally {
    attempts: usize,
    accepted: usize,
    conforming: usize,
    /// Taken unchecked.
    spared: usize,
    /// Completions that another model wrote, by how that was found.
    betrayed: Betrayed,
    convicted: usize,
    /// The first completion that contradicts itself, as an example.
    contradicting: Malformed,
    /// (answer, reference) of each verdict.
    skilled: Vec<(Mark, Mark)>,
    below: Vec<(Mark, Mark)>,
    deviating: Deviation,
    malformed: Malformed,
    unexplained: usize,
    /// Nothing came back, by cause.
    silent: BTreeMap<String, usize>,
    /// Something came back that is no answer, by kind.
    unusable: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Deviation {
    answers: usize,
    items: u64,
    outside: u64,
}

#[derive(Default)]
struct Betrayed {
    answers: usize,
    /// The first token that told, by (round, challenge).
    token: Option<u32>,
}

#[derive(Default)]
struct Malformed {
    answers: usize,
    /// The first by (round, challenge), as an example.
    first: Option<(u32, String)>,
}

impl Tally {
    fn of(verdicts: &[&Judged]) -> Self {
        let mut tally = Self { attempts: verdicts.len(), accepted: accepted(verdicts), ..Self::default() };
        for verdict in verdicts {
            tally.count(&verdict.judgement.reasons);
        }
        tally
    }

    /// Counts a verdict under its first complaint, or under its first reason when there is none.
    fn count(&mut self, reasons: &[Reason]) {
        let is_complaint = |reason: &&Reason| {
            let praise = matches!(
                reason,
                Reason::Conforms { .. }
                    | Reason::Skill { .. }
                    | Reason::Attested { .. }
                    | Reason::Spared { .. }
            );
            !praise
        };
        match reasons.iter().find(is_complaint).or(reasons.first()) {
            None => self.unexplained += 1,
            Some(Reason::Conforms { .. } | Reason::Attested { .. }) => self.conforming += 1,
            Some(Reason::Spared { .. }) => self.spared += 1,
            Some(Reason::Betrayed { token, .. } | Reason::Doubted { token, .. }) => {
                self.betrayed.answers += 1;
                self.betrayed.token.get_or_insert(*token);
            }
            Some(Reason::Convicted { .. }) => self.convicted += 1,
            Some(Reason::Contradicts { token, what }) => {
                self.contradicting.answers += 1;
                self.contradicting.first.get_or_insert_with(|| (*token, what.clone()));
            }
            Some(Reason::Skill { answer, reference }) => self.skilled.push((*answer, *reference)),
            Some(Reason::BelowReference { answer, reference }) => self.below.push((*answer, *reference)),
            Some(Reason::Deviates { items, outside, .. }) => {
                self.deviating.answers += 1;
                self.deviating.items += u64::from(*items);
                self.deviating.outside += u64::from(*outside);
            }
            Some(Reason::Malformed { item, what }) => {
                self.malformed.answers += 1;
                self.malformed.first.get_or_insert_with(|| (*item, what.clone()));
            }
            Some(Reason::Silent { failure }) => self.count_failure(failure),
        }
    }

    fn count_failure(&mut self, failure: &Failure) {
        let (causes, cause) = match failure {
            Failure::NoAxon => (&mut self.silent, "no axon to dial".to_owned()),
            Failure::Unreachable => (&mut self.silent, "unreachable".to_owned()),
            Failure::DeadlineExceeded => (&mut self.silent, "deadline exceeded".to_owned()),
            Failure::Status { code } => (&mut self.silent, format!("gRPC status {code}")),
            Failure::Oversized => (&mut self.unusable, "over the size cap".to_owned()),
            Failure::Undecodable => (&mut self.unusable, "not decodable".to_owned()),
            Failure::BadSignature => (&mut self.unusable, "without a valid signature".to_owned()),
        };
        *causes.entry(cause).or_default() += 1;
    }

    fn sentence(&self) -> String {
        let clauses = [self.praise(), self.complaints(), self.silences()];
        let clauses: Vec<String> = clauses.into_iter().flatten().collect();
        clauses.join("; ")
    }

    fn praise(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.conforming > 0 {
            parts.push(format!("{} of {} answers within tolerance", self.conforming, self.attempts));
        }
        if !self.skilled.is_empty() {
            let (count, skills) = (self.skilled.len(), skills(&self.skilled));
            parts
                .push(format!("{count} of {} answers no worse than the reference ({skills})", self.attempts));
        }
        if self.spared > 0 {
            parts.push(format!("{} of {} answers taken unchecked", self.spared, self.attempts));
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// What is said of completions.
    fn completions(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if let Betrayed { answers, token: Some(token) } = self.betrayed {
            parts.push(format!("{} not by the agreed model (first told by token {token})", counted(answers)));
        }
        if self.convicted > 0 {
            parts.push(format!("{} of a miner convicted by the sequential test", counted(self.convicted)));
        }
        if let Some((token, what)) = &self.contradicting.first {
            let answers = counted(self.contradicting.answers);
            parts.push(format!("{answers} contradicting themselves (token {token}: {what})"));
        }
        parts
    }

    fn complaints(&self) -> Option<String> {
        let mut parts = Vec::new();
        let Deviation { answers, items, outside } = self.deviating;
        if answers > 0 {
            parts.push(format!("{} outside tolerance ({outside} of {items} items)", counted(answers)));
        }
        if !self.below.is_empty() {
            let (count, skills) = (counted(self.below.len()), skills(&self.below));
            parts.push(format!("{count} below the reference ({skills})"));
        }
        if let Some((item, what)) = &self.malformed.first {
            parts.push(format!("{} malformed (item {item}: {what})", counted(self.malformed.answers)));
        }
        parts.extend(self.completions());
        parts.extend(self.unusable.iter().map(|(kind, count)| format!("{} {kind}", counted(*count))));
        if self.unexplained > 0 {
            parts.push(format!("{} without a reason", counted(self.unexplained)));
        }
        if parts.is_empty() {
            return None;
        }
        let parts = parts.join(", ");
        let praised = self.conforming + self.skilled.len() + self.spared > 0;
        Some(if praised {
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
