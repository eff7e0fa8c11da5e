//! Stages of a challenge as an auditor checks them: what was asked next follows from what was answered.

use weighhouse_types::{ChallengePhase, Fields, FollowUp, PhaseChange, Record, StageRecord};

use super::walk::{Finding, Part, Walk};
use crate::dialogue::framed;

impl<'a> Walk<'a> {
    /// The request of a later stage is the one that the answers so far give.
    pub(super) fn check_follow_up(&mut self, follow_up: &'a FollowUp) -> Result<(), Finding> {
        let FollowUp { challenge, stage, .. } = *follow_up;
        let name = format!("stage {stage} of challenge {challenge}");
        let who = follow_up.who.ok_or_else(|| format!("{name}: it says nobody whom it was asked of"))?;
        let part = (challenge, who);
        // Noted before it is compared: a wrong request is the validator's fault,
        // and the answer to it is none.
        self.follow_ups.insert((part, stage), follow_up);
        let seen = self.seen(&name, &challenge)?;
        self.blob(&name, &follow_up.request)?;
        if stage == 0 {
            return self.check_divided(&name, part, follow_up);
        }
        let earlier = self.earlier(&part, stage);
        if earlier.len() != usize::from(stage) {
            return Err(format!("{name}: asked before the stages ahead of it were answered").into());
        }
        let awaits = self.task.as_ref().map(|task| task.commit_blocks().is_some());
        if awaits.is_some_and(|awaits| awaits != follow_up.fields.commit_by().is_some()) {
            return Err(
                format!("{name}: it says another thing of commitments on the chain than the task").into()
            );
        }
        let mut again = None;
        if let (Some(task), Some(drawn)) = (&self.task, &seen.challenge) {
            let requests = task.follow_up(&[(drawn, &earlier)]);
            again = requests.map_err(|error| Finding::of(&name, error))?.pop();
        }
        let asked = seen.asked;
        let is_same = |request| framed(asked, request).digest() == follow_up.request;
        if again.is_none_or(|request| request.is_ok_and(is_same)) {
            return Ok(());
        }
        Err(format!("{name}: the answers so far give another request").into())
    }

    /// Where commitments have their place on the chain, it says of each that was opened what the chain had with the last block for it.
    pub(super) fn check_root(
        &self,
        name: &str,
        part: &Part,
        stage: u8,
        fields: &Fields,
    ) -> Result<(), String> {
        let is_due = stage > 0 && self.task.as_ref().is_some_and(|task| task.commit_blocks().is_some());
        let recorded = fields.chain_root();
        if recorded.is_some() != is_due && self.task.is_some() {
            return Err(match is_due {
                true => format!("{name}: it doesn't say what the chain had of its commitment"),
                false => format!("{name}: no commitment to it has a place on the chain"),
            });
        }
        let asked = self.follow_ups.get(&(*part, stage)).and_then(|asked| asked.fields.commit_by());
        let mut kept = self.answered.get(part).into_iter().flatten();
        let kept = kept.find(|kept| kept.stage == stage).map(|kept| kept.fields.chain_root());
        let is_another = asked.is_some_and(|by| recorded.is_none_or(|root| root.by != by));
        if is_another || kept.is_some_and(|kept| kept != recorded) {
            return Err(format!("{name}: its commitment was due by another block"));
        }
        Ok(())
    }

    /// A miner's part of a question is the one that its division gives.
    fn check_divided(&self, name: &str, part: Part, follow_up: &FollowUp) -> Result<(), Finding> {
        let seen = self.seen(name, &part.0)?;
        let among = seen.asked.fields.asked_of().unwrap_or_default();
        let at = among.binary_search(&part.1);
        let at = at.map_err(|_| format!("{name}: its question was divided among others"))?;
        let (Some(task), Some(drawn)) = (&self.task, &seen.challenge) else { return Ok(()) };
        let parts = task.assign(drawn, &among).map_err(|error| Finding::of(name, error))?;
        let again = parts.and_then(|mut parts| (at < parts.len()).then(|| parts.swap_remove(at)));
        match again.is_some_and(|part| framed(seen.asked, part).digest() == follow_up.request) {
            true => Ok(()),
            false => Err(format!("{name}: the division gives another part").into()),
        }
    }

    /// An answer without a verdict yet is the miner's, to what it was asked.
    pub(super) fn check_answered(&mut self, answered: &'a StageRecord) -> Result<(), Finding> {
        let StageRecord { challenge, who, stage, .. } = *answered;
        let name = format!("answer of uid {} in round {}, stage {stage}", answered.uid, answered.round);
        let part = (challenge, who);
        let asked = self.seen(&name, &challenge)?.asked;
        if !self.is_of(asked.scope, &who) {
            return Err(format!("{name}: the challenge was another miner's").into());
        }
        let is_closed = self.records_before(answered).any(|record| {
            let Record::PhaseChange(PhaseChange { challenge: closed, phase, .. }) = record else {
                return false;
            };
            *closed == challenge && *phase == ChallengePhase::Closed
        });
        if is_closed {
            return Err(format!("{name}: taken after its challenge was closed").into());
        }
        if let Ok(exchange) = &answered.outcome {
            self.check_exchange(&name, part, stage, exchange)?;
            self.check_root(&name, &part, stage, &answered.fields)?;
        }
        self.answered.entry(part).or_default().push(answered);
        Ok(())
    }

    fn records_before(&self, answered: &StageRecord) -> impl Iterator<Item = &'a Record> {
        let is_it = |record: &Record| matches!(record, Record::Answered(other) if other == answered);
        let end = self.records.iter().position(is_it).unwrap_or_default();
        self.records[..end].iter()
    }
}
