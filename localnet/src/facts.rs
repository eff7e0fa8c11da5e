//! Facts of all epochs since genesis, from the journal of the largest honest validator.

use std::collections::BTreeMap;

use serde::Serialize;
use weighhouse_scoring::{Decision, Explainer, Explanation, weigh};
use weighhouse_types::{
    ChallengePhase, Epoch, LaterAnswers, Mark, Outcome, PhaseChange, Reason, Record, Uid, VerdictRecord,
    VoidCause,
};

use crate::error::LocalnetError;
use crate::rounds::Rounds;

/// Rounds in which not everybody was judged, through one cause of our own.
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
    pub rounds: Rounds,
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
    /// The first verdict that refused a miner's answer.
    pub(crate) refused: BTreeMap<Uid, FirstRefusal>,
    /// The rounds of the run under way.
    pub run: Rounds,
    /// A well-formed answer was judged in one of them.
    is_run_judged: bool,
}

/// The first unpaid verdict on a miner that complains of something.
#[derive(Clone, Debug)]
pub(crate) struct FirstRefusal {
    pub(crate) text: String,
    /// Nothing came back.
    pub(crate) is_silence: bool,
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
        if self.is_run_judged {
            return None;
        }
        if let Some(last) = self.void.last().filter(|_| self.run.are_void()) {
            let (Rounds { all, void, .. }, cause) = (&self.run, last.cause.name());
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
        let rounds = Rounds::of(records);
        self.rounds.add(&rounds);
        if is_of_run {
            self.run.add(&rounds);
        }
        for record in records {
            match record {
                Record::VoidRound(round) => self.count_void(round.cause, &round.why),
                Record::Judged(judged) => {
                    self.is_run_judged |= is_of_run && is_well_formed(judged);
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

/// An unpaid verdict that complains of something. A mark of 0 alone is no complaint.
fn refused(judged: &VerdictRecord) -> Option<FirstRefusal> {
    let VerdictRecord { judgement, asked_in, round, .. } = judged;
    if judgement.mark > Mark::ZERO {
        return None;
    }
    let complaint = judgement.reasons.iter().find(|reason| !reason.outcome().is_praise())?;
    let is_silence = complaint.outcome() == Outcome::Silent;
    let first = if is_silence { "first silent" } else { "first refused" };
    let text = format!("{first} in epoch {asked_in}, round {round}: {}", complaint.gist());
    Some(FirstRefusal { text, is_silence })
}

#[cfg(test)]
mod tests;
