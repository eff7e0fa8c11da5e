//! Verdicts as an auditor reaches them again: each from the miner's answers and from the word that they were judged by.

use weighhouse_tasks::kind::Timing;
use weighhouse_tasks::sequential::Attention;
use weighhouse_tasks::{Challenge, Reference, Task};
use weighhouse_types::{CheckDraw, Evidence, Exchange, Judgement, Mark, Reason, VerdictRecord};

use super::walk::{Finding, Part, Walk};
use crate::answers::{ReadAnswer, decode};
use crate::check::{self, UncheckedAnswer};
use crate::checks::Fingerprint;
use crate::draw;

impl<'a> Walk<'a> {
    /// Checks that the reference's recorded word is of this challenge, and counts in the bins that are recorded.
    pub(super) fn check_testimony(&mut self, said: &Evidence) -> Result<(), Finding> {
        let name = format!("evidence in round {} of challenge {}", said.round, said.challenge);
        let seen = self.seen(&name, &said.challenge)?;
        if seen.asked.round != said.round {
            return Err(format!("{name}: its challenge was asked in another round").into());
        }
        if !seen.word()?.is_awaited() {
            return Err(format!("{name}: the reference had spoken before anybody answered").into());
        }
        if !self.is_of(seen.asked.scope, &said.who) {
            return Err(format!("{name}: the challenge was another miner's").into());
        }
        if !self.judged_answers.contains(&(said.challenge, said.who)) {
            return Err(format!("{name}: there is no such answer").into());
        }
        let reference = Reference::from_bytes(self.blob(&name, &said.blob)?);
        let reference = reference.map_err(|error| format!("{name}: {error}"))?;
        if self.task.as_ref().is_some_and(|task| task.bins(&reference) != said.bins) {
            return Err(format!("{name}: its margins fall into other bins").into());
        }
        self.testimonies.insert((said.challenge, said.who), reference);
        Ok(())
    }

    /// The beacon of a round's draw is of this epoch. A validator that was killed while it judged draws the rest anew.
    pub(super) fn check_draw(&mut self, drawn: &CheckDraw) -> Result<(), Finding> {
        let (block, schedule) = (drawn.beacon.block, &self.context.state.schedule);
        let is_over = schedule.next_epoch_block().is_some_and(|next| block > next);
        if block <= self.context.beacon.block || is_over {
            return Err(format!(
                "draw of round {}: its beacon's block {block} is not the epoch's",
                drawn.round
            )
            .into());
        }
        self.draws.insert(drawn.round, draw::seed(self.context, drawn));
        match self.ended_rounds.contains(&drawn.round) {
            true => Ok(()),
            false => Err(format!("draw of round {}: nobody was judged in it", drawn.round).into()),
        }
    }

    /// The answer, where there is one, is the miner's and to its own challenge.
    pub(super) fn check_part(&mut self, judged: &VerdictRecord) -> Result<bool, Finding> {
        let name = name(judged);
        let part = (judged.challenge, judged.who);
        let asked = self.seen(&name, &judged.challenge)?.asked;
        if !self.is_of(asked.scope, &judged.who) {
            return Err(format!("{name}: the challenge was another miner's").into());
        }
        if (judged.asked_in, judged.round) != (asked.epoch, asked.round) {
            return Err(format!("{name}: its challenge was asked in another round").into());
        }
        if !self.judged.insert(part) {
            return Err(format!("{name}: it has a verdict already").into());
        }
        match &judged.exchange {
            Some(exchange) => {
                self.check_exchange(&name, part, judged.stage, exchange)?;
                self.check_root(&name, &part, judged.stage, &judged.fields)?;
                Ok(true)
            }
            None if !self.is_of_silence(judged) => {
                Err(format!("{name}: no answer, and judged as if there were one").into())
            }
            None if self.answered_at(&part, judged.stage) => {
                Err(format!("{name}: its answer is on record, and it is judged to be silent").into())
            }
            None if self.has_own_request(&part, judged.stage)
                && !self.follow_ups.contains_key(&(part, judged.stage)) =>
            {
                Err(format!("{name}: stage {} was never asked", judged.stage).into())
            }
            None => Ok(false),
        }
    }

    /// Tells whether a verdict is the one on a miner that gave no answer at this stage.
    fn is_of_silence(&self, judged: &VerdictRecord) -> bool {
        let [Reason::Silent { failure }] = judged.judgement.reasons.as_slice() else { return false };
        let expected = self.task.as_ref().map(|task| task.unanswered(judged.stage, failure.clone()));
        // Without the task at hand a mark above 0 is wrong in any case.
        expected.map_or(judged.judgement.mark <= Mark::ZERO, |expected| expected == judged.judgement)
    }

    fn answered_at(&self, part: &Part, stage: u8) -> bool {
        let mut answered = self.answered.get(part).into_iter().flatten();
        answered.any(|answered| answered.stage == stage && answered.outcome.is_ok())
    }

    /// Tells whether an answer is on record without a verdict.
    pub(super) fn holds(&self, part: &Part, exchange: Option<&Exchange>) -> bool {
        let mut answered = self.answered.get(part).into_iter().flatten();
        answered.any(|answered| answered.outcome.as_ref().ok() == exchange)
    }

    /// The judge says of the answer what is recorded.
    pub(super) fn check_verdict(&mut self, judged: &VerdictRecord) -> Result<(), Finding> {
        let Some(exchange) = &judged.exchange else { return Ok(()) };
        let name = name(judged);
        let Some(task) = self.task.clone() else {
            return Err(Finding::NotAtHand("verdicts".to_owned()));
        };
        let seen = self.seen(&name, &judged.challenge)?;
        let Some(challenge) = seen.challenge.clone() else {
            return Err(Finding::NotAtHand("verdicts on challenges that can't be drawn here".to_owned()));
        };
        let again = self.judge_again(&task, &challenge, judged, exchange)?;
        if again != judged.judgement {
            return Err(format!("{name}: the judge says something else").into());
        }
        Ok(())
    }

    fn judge_again(
        &mut self,
        task: &Task,
        challenge: &Challenge,
        judged: &VerdictRecord,
        exchange: &Exchange,
    ) -> Result<Judgement, Finding> {
        let name = name(judged);
        let VerdictRecord { who, round, challenge: id, stage, .. } = *judged;
        let framed = self.blob(&name, &exchange.answer)?;
        let earlier = self.earlier(&(id, who), stage);
        if earlier.len() != usize::from(stage) {
            return Err(format!("{name}: its answers to earlier stages are not recorded").into());
        }
        // A foreign record may name stage 255.
        if u16::from(stage) + 1 < u16::from(task.stages()) {
            return self.refused(task, challenge, earlier, framed, &name);
        }
        let author = self.context.author(id, who.hotkey, judged.fields.chain_root());
        let read = ReadAnswer::new(task, &author, challenge, &earlier, framed);
        let is_later = matches!(task.timing(), Timing::Later { .. });
        let seen = self.seen(&name, &id)?;
        let word = match self.truths.get(&id) {
            Some(truth) => truth.clone(),
            None if is_later && read.read.is_ok() => {
                return Err(format!("{name}: its truth is not recorded").into());
            }
            None => match self.testimonies.get(&(id, who)) {
                Some(said) => said.clone(),
                None => seen.word()?.clone(),
            },
        };
        let seed = self.draws.get(&round).unwrap_or(&seen.seed);
        let answer = UncheckedAnswer { who, round, challenge: id, seed, fingerprint: read.fingerprint };
        let mut attention = check::attention(task, &self.history, &answer);
        if attention == Attention::Settled
            && let (Some(word), Ok(answer)) = (self.testimonies.get(&(id, who)), &read.read)
            && task.contradicts(word, answer)
        {
            attention = Attention::Contradicts;
        }
        let alone = match (self.joint_verdicts.get(&(id, who)), &read.read) {
            (Some(judgement), Ok(_)) => Some(judgement.clone()),
            (None, Ok(answer)) if attention.is_checked() => {
                let miners = seen.asked.fields.asked_of().unwrap_or_default();
                let is_joint = task.judge_together(challenge, &miners, &[(who, &word, answer)]);
                if is_joint.map_err(|error| Finding::of(&name, error))?.is_some() {
                    return Err(format!("{name}: judged alone, where answers are judged together").into());
                }
                let judgement = task.judge_read(challenge, &word, answer);
                Some(judgement.map_err(|error| Finding::of(&name, error))?)
            }
            _ => None,
        };
        let checked = alone.map(|judgement| (&word, judgement));
        let again = check::verdict(task, &mut self.history, who, (&read, attention), checked);
        if self.testimonies.contains_key(&(id, who)) {
            self.history.expect(id, who);
        }
        if let Some(said) = read.fingerprint {
            self.history.note(Fingerprint { round, challenge: id, said });
        }
        again.map_err(|error| Finding::of(&name, error))
    }

    /// The verdict on an answer to an earlier stage, after which nothing more was asked.
    fn refused(
        &self,
        task: &Task,
        challenge: &Challenge,
        mut earlier: Vec<weighhouse_types::InferAnswer>,
        framed: &[u8],
        name: &str,
    ) -> Result<Judgement, Finding> {
        match decode(framed) {
            Err(judgement) => return Ok(judgement),
            Ok(message) => earlier.push(message),
        }
        let mut requests =
            task.follow_up(&[(challenge, &earlier)]).map_err(|error| Finding::of(name, error))?;
        match requests.pop() {
            Some(Err(judgement)) => Ok(judgement),
            _ => Err(format!("{name}: the next stage was not asked").into()),
        }
    }
}

fn name(judged: &VerdictRecord) -> String {
    format!("verdict on uid {} in round {}", judged.uid, judged.round)
}
