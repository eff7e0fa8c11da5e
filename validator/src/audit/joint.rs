//! Findings about several answers together, as an auditor reaches them again.

use std::collections::BTreeSet;

use weighhouse_tasks::{Reference, Task};
use weighhouse_types::{JointJudgement, Likeness, Record, VerdictRecord};

use super::walk::{Finding, Walk};
use crate::answers::{ReadAnswer, decode};
use crate::check;
use crate::together;

/// Answers of one challenge with their verdicts' records and the words that they were judged by.
type Read<'a> = Vec<(&'a VerdictRecord, ReadAnswer, Reference)>;

impl<'a> Walk<'a> {
    /// Everybody whose answer could be read was judged together, and the kind says of them what is recorded with each.
    pub(super) fn check_joint(&mut self, at: usize, joint: &JointJudgement) -> Result<(), Finding> {
        let name = format!("joint judgement in round {} of epoch {}", joint.round, joint.asked_in);
        if joint.findings.is_some() {
            return Err(format!("{name}: it has findings, and no kind here writes any").into());
        }
        let first = joint.members.first().ok_or_else(|| format!("{name}: it has no members"))?;
        let seen = self.seen(&name, &first.challenge)?;
        let (Some(task), Some(challenge)) = (&self.task, &seen.challenge) else {
            return Err(Finding::NotAtHand("joint judgements".to_owned()));
        };
        let answers = self.read_after(task, &name, at, joint)?;
        let readable: Vec<_> = answers
            .iter()
            .filter_map(|(judged, answer, word)| Some((judged.who, word, answer.read.as_ref().ok()?)))
            .collect();
        let again = together::judge(task, seen.asked, joint.epoch, challenge, readable);
        let (again, verdicts) = match again.map_err(|error| Finding::of(&name, error))? {
            Some((Some(again), verdicts)) => (again, verdicts),
            _ => return Err(format!("{name}: its kind judges each answer alone").into()),
        };
        if again.record != *joint {
            return Err(format!("{name}: other answers were to be judged together").into());
        }
        let id = first.challenge;
        self.joint_verdicts.extend(verdicts.into_iter().map(|(who, judgement)| ((id, who), judgement)));
        self.joint.insert(id, again);
        Ok(())
    }

    /// The answers whose verdicts follow a joint judgement. Their words are known by then.
    fn read_after(
        &self,
        task: &Task,
        name: &str,
        at: usize,
        joint: &JointJudgement,
    ) -> Result<Read<'a>, Finding> {
        let challenges: BTreeSet<_> = joint.members.iter().map(|member| member.challenge).collect();
        let mut answers = Vec::new();
        for record in &self.records[at..] {
            let Record::Judged(judged) = record else { continue };
            if challenges.contains(&judged.challenge) {
                answers.extend(self.read(task, name, judged)?);
            }
        }
        Ok(answers)
    }

    fn read(
        &self,
        task: &Task,
        name: &str,
        judged: &'a VerdictRecord,
    ) -> Result<Option<(&'a VerdictRecord, ReadAnswer, Reference)>, Finding> {
        let (Some(exchange), part) = (&judged.exchange, (judged.challenge, judged.who)) else {
            return Ok(None);
        };
        let seen = self.seen(name, &judged.challenge)?;
        let Some(challenge) = &seen.challenge else { return Ok(None) };
        let framed = self.blob(name, &exchange.answer)?;
        let earlier = self.earlier(&part, judged.stage);
        let word = self.truths.get(&part.0).or_else(|| self.testimonies.get(&part));
        let word = match word {
            Some(word) => word.clone(),
            None => seen.word()?.clone(),
        };
        let answer = match decode(framed) {
            Ok(_) if u16::from(judged.stage) + 1 < u16::from(task.stages()) => {
                ReadAnswer { is_message: true, ..ReadAnswer::decided(judged.judgement.clone()) }
            }
            Ok(message) => {
                let author =
                    self.context.author(judged.challenge, judged.who.hotkey, judged.fields.chain_root());
                ReadAnswer::of(task, &author, challenge, &earlier, &message)
            }
            Err(judgement) => ReadAnswer::decided(judgement),
        };
        Ok(Some((judged, answer, word)))
    }

    /// The answers on record are as alike as the record says.
    pub(super) fn check_likeness(&self, likeness: &Likeness) -> Result<(), Finding> {
        let name = format!("likeness in round {}", likeness.round);
        let of_round = |record: &'a Record| match record {
            Record::Judged(judged) => {
                (judged.round == likeness.round && judged.asked_in == likeness.epoch).then_some(judged)
            }
            _ => None,
        };
        // A round that a crash cut in two was compared in two parts: each is checked against those it names.
        let judged: Vec<&VerdictRecord> = self
            .records
            .iter()
            .filter_map(of_round)
            .filter(|judged| judged.exchange.is_none() || likeness.compared.contains(&judged.who))
            .collect();
        let first = judged.first().ok_or_else(|| format!("{name}: its challenge is not recorded"))?;
        let seen = self.seen(&name, &first.challenge)?;
        let (Some(task), Some(challenge)) = (&self.task, &seen.challenge) else {
            return Err(Finding::NotAtHand("findings of likeness".to_owned()));
        };
        let mut read = Vec::new();
        for judged in &judged {
            read.extend(self.read(task, &name, judged)?);
        }
        let answers: Vec<_> = read.iter().map(|(judged, answer, _)| (judged.who, answer)).collect();
        let of = (likeness.epoch, likeness.round);
        let again = match self.joint.get(&first.challenge) {
            Some(joint) => Some(joint.likeness(of, &answers)),
            None => check::alike(task, challenge, seen.word()?, of, &answers),
        };
        match again {
            Some(again) if again == *likeness => Ok(()),
            _ => Err(format!("{name}: the answers on record say something else").into()),
        }
    }
}
