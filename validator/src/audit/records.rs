//! The records one by one, in their order, and then what is missing.

use std::collections::BTreeMap;

use weighhouse_types::Record;

use super::audited::AuditReport;
use super::walk::{Finding, Walk};

impl<'a> Walk<'a> {
    /// Checks the records one by one, in their order, and then what is missing.
    pub(super) fn check(mut self, audited: &mut AuditReport) {
        let (mut not_at_hand, mut on_trust) = (BTreeMap::new(), BTreeMap::new());
        for (at, record) in self.records.iter().enumerate() {
            match self.check_record(at, record, audited) {
                Ok(()) => {}
                Err(Finding::Problem(problem)) => audited.problems.push(problem),
                Err(Finding::NotAtHand(why)) => *not_at_hand.entry(why).or_insert(0) += 1,
                Err(Finding::OnTrust(what)) => *on_trust.entry(what).or_insert(0) += 1,
            }
        }
        audited.problems.extend(self.unjudged());
        self.check_references(audited);
        let counted = |(what, count): (String, u32)| format!("{count} {what}");
        audited.not_rederived.extend(not_at_hand.into_iter().map(counted));
        audited.on_trust.extend(on_trust.into_iter().map(counted));
    }

    fn check_record(
        &mut self,
        at: usize,
        record: &'a Record,
        audited: &mut AuditReport,
    ) -> Result<(), Finding> {
        match record {
            Record::Blob(blob) => {
                self.blobs.insert(blob.digest(), blob.bytes());
                Ok(())
            }
            Record::Asked(asked) => {
                self.check_challenge(asked, None)?;
                audited.challenges += 1;
                Ok(())
            }
            Record::CarriedChallenge(carried) => {
                self.check_carried(carried)?;
                audited.challenges += 1;
                Ok(())
            }
            Record::FollowUp(follow_up) => self.check_follow_up(follow_up),
            Record::Answered(answered) => {
                self.check_answered(answered)?;
                audited.answers += usize::from(answered.outcome.is_ok());
                Ok(())
            }
            Record::Judged(judged) => {
                let is_answer = self.check_part(judged)?;
                // An answer that stood on record before its verdict has been counted there.
                let is_new = !self.holds(&(judged.challenge, judged.who), judged.exchange.as_ref());
                audited.answers += usize::from(is_answer && is_new);
                let checked = self.check_verdict(judged);
                self.history.judged(judged);
                checked?;
                audited.verdicts += 1;
                Ok(())
            }
            Record::Evidence(said) => self.check_testimony(said),
            Record::CheckDraw(draw) => self.check_draw(draw),
            Record::Likeness(likeness) => self.check_likeness(likeness),
            Record::JudgedTogether(joint) => self.check_joint(at, joint),
            Record::PhaseChange(change) => self.check_phase(change),
            _ => Ok(()),
        }
    }

    /// The references' words on questions, worked out again where their model is at hand.
    fn check_references(&self, audited: &mut AuditReport) {
        let Some(task) = &self.task else { return };
        let said: Vec<_> = self
            .challenges
            .values()
            .filter_map(|seen| {
                let said = seen.reference.as_ref().filter(|said| !said.is_awaited())?;
                Some((seen.asked, said, seen.challenge.clone()?))
            })
            .collect();
        let challenges: Vec<_> = said.iter().map(|(_, _, challenge)| challenge.clone()).collect();
        if !self.testimonies.is_empty() {
            let answers = self.testimonies.len();
            audited.on_trust.push(format!("the reference's word on {answers} answers: the validator's"));
        }
        if said.is_empty() {
            return;
        }
        match task.references(&challenges) {
            Ok(again) => {
                let differs =
                    said.iter().zip(&again).filter(|((_, word, _), again)| !task.agrees(word, again));
                audited.problems.extend(differs.map(|((asked, ..), _)| {
                    format!(
                        "challenge {}: the reference's word on record is not its model's",
                        asked.challenge
                    )
                }));
                audited.references = said.len();
            }
            // Its model is not at hand.
            Err(_) => audited.on_trust.push(format!(
                "the reference's word on {} questions: the validator's, as its model is not at hand",
                said.len()
            )),
        }
    }

    /// Answers on record that never got a verdict, though neither their round was void nor their truth is awaited.
    fn unjudged(&self) -> Vec<String> {
        let is_void = |round: u32| {
            self.records.iter().any(|record| matches!(record, Record::VoidRound(void) if void.round == round))
        };
        let mut problems = Vec::new();
        for ((challenge, who), answered) in &self.answered {
            let Some(last) = answered.last() else { continue };
            let is_judged = self.judged.contains(&(*challenge, *who));
            let is_own = last.epoch == self.epoch();
            if !is_judged && self.is_owed(*challenge, last) && !(is_own && is_void(last.round)) {
                problems.push(format!(
                    "answer of uid {} in round {} of epoch {}: it never got a verdict",
                    last.uid, last.round, last.epoch
                ));
            }
        }
        problems
    }
}
