//! Completions before the judge: who is checked, in packed passes, and what follows from it.
//!
//! The reference can only be asked once an answer is there, so what it said is recorded beside the verdict. Which answers
//! it is asked about, and whether a miner is convicted by what all checks of the epoch say together, follows from the
//! epoch's records: an auditor goes the same way.

use std::sync::Arc;

use weighhouse_tasks::sequential::{Attention, Heard, Watch};
use weighhouse_tasks::{Challenge, Reference, Task, TaskError};
use weighhouse_types::{Digest, Evidence, Judgement, Record, RegistrationId, Standing};

use crate::answers::{Attempt, PreparedChallenge, ReadAnswer, read_framed};
use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::parts::Parts;

/// Answers that go before the reference together.
const TOGETHER: usize = 8;

/// What is known when a round begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) watch: Watch,
    pub(crate) heard: Heard,
}

/// One answer, of a round and to a challenge drawn from `seed`.
pub(crate) struct Given<'a> {
    pub(crate) who: RegistrationId,
    pub(crate) round: u32,
    pub(crate) challenge: Digest,
    pub(crate) seed: &'a [u8; 32],
    pub(crate) read: &'a ReadAnswer,
}

/// What the epoch's checks have said so far; `None` where the task checks everybody.
pub(crate) fn known(task: &Task, open: &OpenEpoch) -> Option<Known> {
    let budget = task.budget()?;
    let mut watch = begin(task, &open.context().carried);
    for record in open.records() {
        if let Record::Evidence(evidence) = record {
            watch.take(budget, evidence.who, &evidence.bins);
        }
    }
    Some(Known { watch, heard: open.heard().cloned().unwrap_or_default() })
}

/// An epoch's beginning.
pub(crate) fn begin(task: &Task, carried: &[Standing]) -> Watch {
    task.budget().map_or_else(Watch::default, |budget| Watch::new(budget, carried))
}

/// How closely a miner's answer is looked at.
pub(crate) fn attention(task: &Task, watch: &Watch, heard: &Heard, given: &Given<'_>) -> Attention {
    let Some(budget) = task.budget() else { return Attention::Newcomer };
    match watch.attention(budget, &given.who, given.seed) {
        Attention::Settled if is_repeated(heard, given) => Attention::Repeats,
        attention => attention,
    }
}

fn is_repeated(heard: &Heard, given: &Given<'_>) -> bool {
    let Ok(Ok(answer)) = given.read else { return false };
    Heard::said(answer).is_some_and(|said| heard.is_repeated(given.round, given.challenge, &said))
}

/// The verdict on one answer, and what it adds to the miner's course. `testimony` is given for each that is checked.
pub(crate) fn verdict(
    task: &Task,
    watch: &mut Watch,
    who: RegistrationId,
    challenge: &Challenge,
    (read, attention, testimony): (&ReadAnswer, Attention, Option<&Reference>),
) -> Result<Judgement, TaskError> {
    let answer = match read {
        Err(judgement) => return Ok(judgement.clone()),
        Ok(answer) => answer,
    };
    if let Some(judgement) = task.form(answer) {
        return Ok(judgement);
    }
    if attention == Attention::Convicted {
        return Ok(task.convict(None, &watch.course(&who)));
    }
    if !attention.is_checked() {
        return task.spare(answer).ok_or(TaskError::NoTestimony);
    }
    let testimony = testimony.ok_or(TaskError::NoTestimony)?;
    let judgement = task.judge(challenge, testimony, answer)?;
    let Some(budget) = task.budget() else { return Ok(judgement) };
    let course = watch.take(budget, who, &bins(task, testimony));
    Ok(if course.is_convicted() { task.convict(Some(judgement), &course) } else { judgement })
}

/// What a testimony counts for in the sequential test.
pub(crate) fn bins(task: &Task, testimony: &Reference) -> Vec<u32> {
    match (task.budget(), testimony.testimony()) {
        (Some(budget), Some(testimony)) => budget.test.count(&testimony.margins),
        _ => Vec::new(),
    }
}

/// Judges a round's answers; the records are in the attempts' order.
pub(crate) async fn judge_attempts(
    parts: &Parts,
    challenges: Arc<Vec<PreparedChallenge>>,
    attempts: Vec<Attempt>,
    Known { mut watch, heard }: Known,
) -> Result<Vec<Record>, ValidatorError> {
    let task = &parts.task;
    let reads = attempts.iter().map(|attempt| match &attempt.answer {
        Ok(framed) => read_framed(framed),
        Err(failure) => Ok(Err(failure.clone())),
    });
    let reads: Arc<Vec<ReadAnswer>> = Arc::new(reads.collect());
    let attention = |(attempt, read): (&Attempt, &ReadAnswer)| {
        let PreparedChallenge { asked, seed, .. } = &challenges[attempt.at];
        let who = attempt.neuron.registration();
        let given = Given { who, round: asked.round, challenge: asked.challenge, seed, read };
        attention(task, &watch, &heard, &given)
    };
    let attentions: Vec<Attention> = attempts.iter().zip(reads.iter()).map(attention).collect();
    let checked: Vec<(usize, usize)> = attempts
        .iter()
        .enumerate()
        .filter(|(index, _)| attentions[*index].is_checked())
        .map(|(index, attempt)| (index, attempt.at))
        .collect();
    let testimonies = testify(parts, &challenges, &reads, &checked).await?;
    let mut records = Vec::with_capacity(attempts.len() * 3);
    for (index, attempt) in attempts.into_iter().enumerate() {
        let prepared = &challenges[attempt.at];
        let who = attempt.neuron.registration();
        let testimony = testimonies[index].as_ref();
        let seen = (&reads[index], attentions[index], testimony);
        let judgement = verdict(task, &mut watch, who, &prepared.challenge, seen)?;
        let evidence = testimony.map_or_else(Vec::new, |testimony| {
            let bytes = testimony.to_bytes();
            let evidence = Evidence {
                epoch: prepared.asked.epoch,
                round: prepared.asked.round,
                challenge: prepared.asked.challenge,
                who,
                blob: Digest::of(&bytes),
                bins: bins(task, testimony),
            };
            vec![Record::Blob { bytes }, Record::Evidence(evidence)]
        });
        records.extend(attempt.records(prepared, evidence, judgement));
    }
    Ok(records)
}

/// The reference's word on each of the checked answers, by the answer's place; a core works on a pack of them.
async fn testify(
    parts: &Parts,
    challenges: &Arc<Vec<PreparedChallenge>>,
    reads: &Arc<Vec<ReadAnswer>>,
    checked: &[(usize, usize)],
) -> Result<Vec<Option<Reference>>, ValidatorError> {
    let jobs = checked.chunks(TOGETHER).map(|pack| {
        let (task, challenges, reads, pack) =
            (parts.task.clone(), challenges.clone(), reads.clone(), pack.to_vec());
        async move {
            let look = move || -> Result<Vec<(usize, Option<Reference>)>, TaskError> {
                let answers: Vec<_> = pack
                    .iter()
                    .filter_map(|(index, at)| match &reads[*index] {
                        Ok(Ok(answer)) => Some((*index, (&challenges[*at].challenge, answer))),
                        _ => None,
                    })
                    .collect();
                let pairs: Vec<_> = answers.iter().map(|(_, pair)| *pair).collect();
                let said = one_core(|| task.testify(&pairs))?;
                Ok(answers.iter().map(|(index, _)| *index).zip(said).collect())
            };
            Ok::<_, ValidatorError>(parts.cpu.run(look).await??)
        }
    });
    let mut testimonies: Vec<Option<Reference>> = vec![None; reads.len()];
    for (index, testimony) in futures::future::try_join_all(jobs).await?.into_iter().flatten() {
        testimonies[index] = testimony;
    }
    Ok(testimonies)
}

/// Two forward passes on a core each take less time than one after the other on two.
fn one_core<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

#[cfg(test)]
mod tests;
