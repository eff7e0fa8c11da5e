//! Answers before the judge: who is checked, in packed passes, and what follows from it.
//!
//! Where the reference can only be asked once an answer is there, what it said is recorded beside the verdict. Which answers
//! it is asked about, and whether a miner is convicted by what all checks of the epoch say together, follows from the
//! epoch's records: an auditor goes the same way.

mod contradictions;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use weighhouse_tasks::sequential::Attention;
use weighhouse_tasks::{Challenge, Reference, Task, TaskError};
use weighhouse_types::{
    Blob, ChallengeRecord, ChallengeScope, Digest, Epoch, Evidence, Fields, Judgement, Likeness, Record,
    RegistrationId,
};

use crate::answers::{Attempt, PreparedChallenge, ReadAnswer};
use crate::checks::CheckHistory;
use crate::error::ValidatorError;
use crate::parts::Parts;
use crate::together::{self, Joint};

pub(crate) use contradictions::contradicting;
pub(crate) use words::Words;

/// One answer before it is judged: whose it is, of which round, to which challenge, and the seed of the draw.
pub(crate) struct UncheckedAnswer<'a> {
    pub(crate) who: RegistrationId,
    pub(crate) round: u32,
    pub(crate) challenge: Digest,
    pub(crate) seed: &'a [u8; 32],
    pub(crate) fingerprint: Option<Digest>,
}

/// Decides how closely a miner's answer is looked at.
pub(crate) fn attention(task: &Task, history: &CheckHistory, answer: &UncheckedAnswer<'_>) -> Attention {
    let Some(budget) = task.budget() else { return Attention::Newcomer };
    let repeats = |said: &Digest| history.repetitions.is_repeated(answer.round, answer.challenge, said);
    match history.watch.attention(budget, &answer.who, answer.seed) {
        // A miner that was never drawn would otherwise earn by sending one answer to every question.
        Attention::Settled if answer.fingerprint.as_ref().is_some_and(repeats) => Attention::Repeats,
        attention => attention,
    }
}

/// The verdict on one answer; takes a check's outcome into the miner's sequential test. `attention` is what was decided before
/// any answer of its round was judged. `checked` is the reference's word on
/// the answer, or on the question, and the judge's verdict by it, where the answer was checked.
pub(crate) fn verdict(
    task: &Task,
    history: &mut CheckHistory,
    who: RegistrationId,
    (answer, attention): (&ReadAnswer, Attention),
    checked: Option<(&Reference, Judgement)>,
) -> Result<Judgement, TaskError> {
    let read = match &answer.read {
        Err(judgement) => return Ok(judgement.clone()),
        Ok(read) => read,
    };
    // Nothing more is spent on a miner that the test has convicted in this epoch.
    if attention == Attention::Convicted {
        return Ok(task.convict(None, &history.watch.walk(&who)));
    }
    if !attention.is_checked() {
        return Ok(task.spare(read, history.worth_unchecked(&who)));
    }
    let (reference, judgement) = checked.ok_or(TaskError::NoTestimony)?;
    let Some(budget) = task.budget() else { return Ok(judgement) };
    let walk = history.watch.take(budget, who, &task.bins(reference));
    Ok(if walk.is_convicted() { task.convict(Some(judgement), &walk) } else { judgement })
}

/// Judges a round's answers but those that were left out; the verdicts are in the attempts' order.
pub(crate) async fn judge_attempts(
    parts: &Parts,
    challenges: &Arc<Vec<PreparedChallenge>>,
    attempts: &Arc<Vec<Attempt>>,
    words: &Arc<Words>,
    mut history: CheckHistory,
) -> Result<Vec<Record>, ValidatorError> {
    let task = &parts.task;
    let Words { attentions, said: testimonies, .. } = &**words;
    let is_judged = |index: &usize| !words.is_left_out(*index);
    let judging = parts.cpu.run({
        let (task, challenges) = (task.clone(), challenges.clone());
        let (attempts, words) = (attempts.clone(), words.clone());
        move || judge_checked(&task, &challenges, &attempts, &words)
    });
    let (mut judgements, joint) = judging.await??;
    let (mut evidence, mut verdicts) = (Vec::new(), Vec::new());
    for index in (0..attempts.len()).filter(is_judged) {
        let attempt = &attempts[index];
        let prepared = &challenges[attempt.at];
        let who = attempt.neuron.registration();
        let testimony = testimonies[index].as_ref();
        let checked = judgements[index].take();
        let checked = checked.map(|judgement| (testimony.unwrap_or(&prepared.reference), judgement));
        let seen = (&attempt.answer, attentions[index]);
        let judgement = verdict(task, &mut history, who, seen, checked)?;
        let mut records = Vec::with_capacity(4);
        records.extend(testimony.into_iter().flat_map(|word| said(task, &prepared.asked, who, word)));
        records.extend(attempt.blob());
        verdicts.push(attempt.judged(&prepared.asked, judgement));
        evidence.push(records);
    }
    let mut records = if joint.is_empty() {
        // Each verdict right after what it rests on.
        let each = evidence.into_iter().zip(verdicts);
        each.flat_map(|(evidence, verdict)| evidence.into_iter().chain([verdict])).collect()
    } else {
        // Behind all evidence and before all verdicts: an auditor walks once,
        // and meets each after what it rests on.
        let joint_records = joint.values().map(|joint| joint.record.clone()).map(Record::JudgedTogether);
        evidence.into_iter().flatten().chain(joint_records).chain(verdicts).collect::<Vec<_>>()
    };
    for (at, prepared) in challenges.iter().enumerate() {
        if prepared.asked.scope == ChallengeScope::Shared {
            let given = (0..attempts.len()).filter(is_judged).map(|index| &attempts[index]);
            let answers: Vec<_> = given
                .filter(|attempt| attempt.at == at)
                .map(|attempt| (attempt.neuron.registration(), &attempt.answer))
                .collect();
            let of = (prepared.asked.epoch, prepared.asked.round);
            let likeness = match joint.get(&at) {
                Some(joint) => Some(joint.likeness(of, &answers)),
                None => alike(task, &prepared.challenge, &prepared.reference, of, &answers),
            };
            records.extend(likeness.map(Record::Likeness));
        }
    }
    Ok(records)
}

/// The judge's verdicts on the checked answers, by their places, and what of them was judged together, by challenge.
type CheckedVerdicts = (Vec<Option<Judgement>>, BTreeMap<usize, Joint>);

fn judge_checked(
    task: &Task,
    challenges: &[PreparedChallenge],
    attempts: &[Attempt],
    words: &Words,
) -> Result<CheckedVerdicts, TaskError> {
    let mut judgements = vec![None; attempts.len()];
    let is_checked = |index: &usize| words.attentions[*index].is_checked() && !words.is_left_out(*index);
    let word = |index: usize| words.said[index].as_ref().unwrap_or(&challenges[attempts[index].at].reference);
    let read = |index: usize| Some((index, attempts[index].answer.read.as_ref().ok()?));
    let readable: Vec<_> = (0..attempts.len()).filter(is_checked).filter_map(read).collect();
    let mut joint = BTreeMap::new();
    for (at, prepared) in challenges.iter().enumerate() {
        let of = readable.iter().filter(|(index, _)| attempts[*index].at == at);
        let members: Vec<_> =
            of.map(|(index, read)| (attempts[*index].neuron.registration(), word(*index), *read)).collect();
        let asked = &prepared.asked;
        let Some((found, verdicts)) =
            together::judge(task, asked, asked.epoch, &prepared.challenge, members)?
        else {
            break;
        };
        for (index, _) in readable.iter().filter(|(index, _)| attempts[*index].at == at) {
            judgements[*index] = verdicts.get(&attempts[*index].neuron.registration()).cloned();
        }
        joint.extend(found.map(|found| (at, found)));
    }
    let alone: Vec<_> = readable.into_iter().filter(|(index, _)| judgements[*index].is_none()).collect();
    let answers: Vec<_> = alone
        .iter()
        .map(|(index, read)| (&challenges[attempts[*index].at].challenge, word(*index), *read))
        .collect();
    for ((index, _), judgement) in alone.iter().zip(task.judge_each(&answers)?) {
        judgements[*index] = Some(judgement);
    }
    Ok((judgements, joint))
}

/// The records of the reference's word on one answer.
fn said(task: &Task, asked: &ChallengeRecord, who: RegistrationId, word: &Reference) -> [Record; 2] {
    let blob = Blob::new(word.to_bytes());
    let evidence = Evidence {
        epoch: asked.epoch,
        round: asked.round,
        challenge: asked.challenge,
        who,
        blob: blob.digest(),
        bins: task.bins(word),
        fields: Fields::default(),
    };
    [Record::Blob(blob), Record::Evidence(evidence)]
}

/// Finds who answered one shared challenge alike, beyond what the judge expects, as an auditor finds it too; `None` where
/// that can't be said of this task.
pub(crate) fn alike(
    task: &Task,
    challenge: &Challenge,
    reference: &Reference,
    (epoch, round): (Epoch, u32),
    answers: &[(RegistrationId, &ReadAnswer)],
) -> Option<Likeness> {
    let read = |(who, answer): &(RegistrationId, &ReadAnswer)| Some((*who, answer.read.clone().ok()?));
    let read: Vec<_> = answers.iter().filter_map(read).collect();
    let borrowed: Vec<_> = read.iter().map(|(who, read)| (*who, read)).collect();
    let groups = task.alike(challenge, reference, &borrowed)?;
    let messages = answers.iter().filter(|(_, answer)| answer.is_message);
    let mut compared: Vec<_> = messages.map(|(who, _)| *who).collect();
    compared.sort();
    Some(Likeness { epoch, round, compared, groups })
}

#[cfg(test)]
mod tests;
