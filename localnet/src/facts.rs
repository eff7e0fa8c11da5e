//! Facts of all epochs since genesis, from the journal of the largest honest validator.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use weighhouse_scoring::{Decision, Explainer, Explanation, weigh};
use weighhouse_types::{
    ChallengePhase, Epoch, LaterAnswers, Mark, Outcome, PhaseChange, Reason, Record, Uid, VerdictRecord,
    VoidCause,
};

use crate::error::LocalnetError;

/// Rounds in which nobody was judged, through one cause of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VoidRounds {
    pub cause: VoidCause,
    pub rounds: usize,
    /// The trouble that the last of them had.
    pub why: String,
}

/// Facts of a validator's journal, counted over all epochs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Rounds that were asked or are void.
    pub rounds: usize,
    pub void: Vec<VoidRounds>,
    /// Answers that await their truth.
    pub awaiting: usize,
    /// Those of them that would have lapsed, had nobody failed when the truth was asked for.
    pub overdue: usize,
    /// Challenges that lapsed without a truth, and why the last of them did.
    pub lapsed: Option<(usize, String)>,
    /// Why the last epoch has no weights.
    pub abstains: Option<String>,
    pub(crate) explanations: Vec<Explanation>,
    /// The first verdict that refused a miner's answer, in words.
    pub(crate) refused: BTreeMap<Uid, String>,
    /// This run's epochs.
    run: RunRounds,
}

/// Rounds of the run under way.
#[derive(Clone, Copy, Debug, Default)]
struct RunRounds {
    all: usize,
    void: usize,
    /// A well-formed answer was judged in one of them.
    judged: bool,
}

impl Facts {
    /// Reads all epochs up to the last one; the run under way began with `first`. A challenge whose truth comes later is judged
    /// or lapses within `truth_within` epochs.
    pub(crate) fn gather(
        (first, last): (Epoch, Epoch),
        truth_within: Option<u64>,
        read: impl Fn(Epoch) -> Result<Vec<Record>, LocalnetError>,
    ) -> Result<Self, LocalnetError> {
        let (mut facts, mut explainer) = (Self::default(), Explainer::default());
        for epoch in (0..last.0).map(Epoch) {
            let records = read(epoch)?;
            explainer.count(&records)?;
            facts.count(&records, epoch >= first);
        }
        let records = read(last)?;
        facts.count(&records, last >= first);
        facts.explanations = explainer.explain(&records)?;
        let awaiting = LaterAnswers::of(&records).awaiting;
        let is_overdue = |asked_in: Epoch| truth_within.is_some_and(|within| asked_in.0 + within < last.0);
        facts.overdue = awaiting.iter().filter(|answer| is_overdue(answer.asked_in)).count();
        facts.awaiting = awaiting.len();
        facts.abstains = match weigh(&records)? {
            Decision::Abstain { why, .. } => Some(why.to_string()),
            Decision::Weights { .. } => None,
        };
        Ok(facts)
    }

    /// Why no answer of this run was judged, where the reason is ours and no miner's.
    pub fn fault(&self) -> Option<String> {
        let RunRounds { all, void, judged } = self.run;
        if judged {
            return None;
        }
        if let Some(last) = self.void.last().filter(|_| all > 0 && all == void) {
            let cause = last.cause.name();
            return Some(format!("{void} of {all} rounds are void ({cause}): {}", last.why));
        }
        if self.overdue > 0 {
            let overdue = self.overdue;
            return Some(format!(
                "asking for the truth about {overdue} answers failed; RUST_LOG=warn tells how"
            ));
        }
        self.lapsed.as_ref().map(|(_, why)| format!("the challenges lapsed: {why}"))
    }

    fn count(&mut self, records: &[Record], is_of_run: bool) {
        let (mut rounds, mut run) = (BTreeSet::new(), RunRounds::default());
        for record in records {
            match record {
                Record::Asked(asked) => drop(rounds.insert(asked.round)),
                Record::VoidRound(round) => {
                    run.void += 1;
                    rounds.insert(round.round);
                    self.count_void(round.cause, &round.why);
                }
                Record::Judged(judged) => {
                    run.judged |= is_well_formed(judged);
                    if let Some(refused) = refused(judged) {
                        self.refused.entry(judged.uid).or_insert(refused);
                    }
                }
                Record::PhaseChange(PhaseChange { phase: ChallengePhase::Lapsed { why }, .. }) => {
                    let lapsed = self.lapsed.take().map_or(0, |(lapsed, _)| lapsed);
                    self.lapsed = Some((lapsed + 1, why.clone()));
                }
                _ => {}
            }
        }
        self.rounds += rounds.len();
        if is_of_run {
            self.run.all += rounds.len();
            self.run.void += run.void;
            self.run.judged |= run.judged;
        }
    }

    fn count_void(&mut self, cause: VoidCause, why: &str) {
        let mut rounds = 1;
        if let Some(at) = self.void.iter().position(|void| void.cause == cause) {
            rounds += self.void.remove(at).rounds;
        }
        self.void.push(VoidRounds { cause, rounds, why: why.to_owned() });
    }
}

/// Tells whether a verdict is on an answer that needed a judge.
fn is_well_formed(judged: &VerdictRecord) -> bool {
    let mut outcomes = judged.judgement.reasons.iter().map(Reason::outcome);
    outcomes.all(|outcome| !matches!(outcome, Outcome::Silent | Outcome::Malformed))
}

/// An unpaid verdict that complains of something, in words. A mark of 0 alone is no complaint.
fn refused(judged: &VerdictRecord) -> Option<String> {
    let VerdictRecord { judgement, asked_in, round, .. } = judged;
    if judgement.mark > Mark::ZERO {
        return None;
    }
    let complaint = judgement.reasons.iter().find(|reason| !reason.outcome().is_praise())?;
    let first = if complaint.outcome() == Outcome::Silent { "first silent" } else { "first refused" };
    Some(format!("{first} in epoch {asked_in}, round {round}: {}", complaint.gist()))
}

#[cfg(test)]
mod tests;
