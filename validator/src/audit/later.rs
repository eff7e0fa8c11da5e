//! Challenges of earlier epochs as an auditor checks them: taken over whole, closed, and resolved by a truth on record.

use weighhouse_tasks::kind::Timing;
use weighhouse_tasks::{Reference, Task};
use weighhouse_types::{CarriedChallenge, ChallengePhase, Digest, PhaseChange, Record, StageRecord};

use super::walk::{Finding, Walk};
use crate::resolve;

impl<'a> Walk<'a> {
    /// Checks a challenge of an earlier epoch: it is the validator's own draw, and its answers are the miners'.
    pub(super) fn check_carried(&mut self, carried: &'a CarriedChallenge) -> Result<(), Finding> {
        let name = format!("challenge {} of epoch {}", carried.asked.challenge, carried.asked.epoch);
        // Of another task's challenges nothing is known here but that they lapse.
        let is_this = self.task.as_ref().is_some_and(|task| task.digest() == carried.task);
        if is_this && !self.truth_comes_later() {
            return Err(format!("{name}: the truth about it was known at once").into());
        }
        // Its complaint is returned last: the answers have to be noted in any case,
        // or each would be one more complaint.
        let drawn = self.check_challenge(&carried.asked, Some(carried));
        for answered in &carried.answers {
            let part = (answered.challenge, answered.who);
            if answered.challenge != carried.asked.challenge
                || !self.is_of(carried.asked.scope, &answered.who)
            {
                return Err(
                    format!("{name}: an answer of uid {} is to another challenge", answered.uid).into()
                );
            }
            if let Ok(exchange) = &answered.outcome {
                self.check_exchange(&name, part, answered.stage, exchange)?;
            }
            self.answered.entry(part).or_default().push(answered);
        }
        drawn
    }

    /// A challenge ends as the rules say, and the truth is the one that can be worked out, where it can.
    pub(super) fn check_phase(&mut self, change: &'a PhaseChange) -> Result<(), Finding> {
        let name = format!("challenge {} of epoch {}", change.challenge, change.asked_in);
        if change.asked_in == self.epoch() && !self.truth_comes_later() {
            return Err(format!("{name}: the truth about it was known at once").into());
        }
        match &change.phase {
            ChallengePhase::Closed => self.seen(&name, &change.challenge).map(|_| ()).map_err(Finding::from),
            ChallengePhase::Lapsed { .. } => self.check_lapsed(&name, change.challenge),
            ChallengePhase::Resolved { truth } => {
                let word = Reference::from_bytes(self.blob(&name, truth)?);
                let word = word.map_err(|error| format!("{name}: its truth: {error}"))?;
                let seen = self.seen(&name, &change.challenge)?;
                let carried = seen.carried.ok_or_else(|| format!("{name}: it was not taken over"))?;
                let again = match (&self.task, &seen.challenge) {
                    (Some(task), Some(drawn)) => {
                        task.resolve(&[drawn], resolve::age(carried), &self.context.beacon)
                    }
                    _ => Ok(Vec::new()),
                };
                // Noted even if it rests on somebody's word: the verdicts that follow were reached by it.
                self.truths.insert(change.challenge, word.clone());
                match again.map_err(|error| Finding::of(&name, error))?.pop().flatten() {
                    Some(truth) if truth.word == word => Ok(()),
                    Some(_) => Err(format!("{name}: its truth is another").into()),
                    None => Err(match change.fields.operator() {
                        Some(operator) => Finding::OnTrust(format!(
                            "truths about earlier challenges: the word of {operator}"
                        )),
                        None => Finding::NotAtHand("truths about earlier challenges".to_owned()),
                    }),
                }
            }
        }
    }

    /// True as well where the kind isn't at hand.
    fn truth_comes_later(&self) -> bool {
        self.task.as_ref().is_none_or(|task| matches!(task.timing(), Timing::Later { .. }))
    }

    fn check_lapsed(&self, name: &str, challenge: Digest) -> Result<(), Finding> {
        let carried = self.challenges.get(&challenge).and_then(|seen| seen.carried);
        // One that was not taken over lapsed beyond the limits,
        // which only the file of the epoch before can show.
        let may_lapse = |task: &Task| carried.is_none_or(|carried| resolve::lapses(task, carried).is_some());
        match &self.task {
            Some(task) if !may_lapse(task) => Err(format!("{name}: it lapsed before its time").into()),
            _ => Ok(()),
        }
    }

    /// Tells whether an answer without a verdict is owed one: not while its truth is awaited, or when it came to none, or when
    /// its miner no longer holds the registration.
    pub(super) fn is_owed(&self, challenge: Digest, last: &StageRecord) -> bool {
        let mut phases = self.records.iter().filter_map(|record| match record {
            Record::PhaseChange(change) if change.challenge == challenge => Some(&change.phase),
            _ => None,
        });
        let is_resolved = phases.clone().any(|phase| matches!(phase, ChallengePhase::Resolved { .. }));
        let is_later = phases.next().is_some()
            || self.challenges.get(&challenge).is_some_and(|seen| seen.carried.is_some());
        let neuron = self.context.state.metagraph.neuron(last.uid);
        let stays = neuron.is_some_and(|neuron| neuron.registration() == last.who);
        if is_later { is_resolved && stays } else { self.is_decided() }
    }

    /// Tells whether the epoch was weighed, after which no verdict can follow.
    fn is_decided(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::EpochClosed(_)))
    }
}
