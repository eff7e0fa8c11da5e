//! Completions before the judge: who is checked, in packed passes, and what follows from it.
//!
//! The reference can only be asked once an answer is there, so what it said is recorded beside the verdict. Which answers
//! it is asked about, and whether a miner is convicted by what all checks of the epoch say together, follows from the
//! epoch's records: an auditor goes the same way.

use std::sync::Arc;

use weighhouse_tasks::sequential::{Attention, Watch};
use weighhouse_tasks::{Challenge, Reference, Task, TaskError};
use weighhouse_types::{Blob, Digest, Evidence, Fields, Judgement, Record, RegistrationId};

use crate::answers::{Attempt, PreparedChallenge, ReadAnswer};
use crate::checks::CheckHistory;
use crate::error::ValidatorError;
use crate::parts::Parts;

/// Answers that one call of the reference takes.
const TOGETHER: usize = 8;

/// One answer before it is judged: whose it is, of which round, and to a challenge drawn from which seed.
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
    let CheckHistory { watch, heard } = history;
    let repeats = |said: &Digest| heard.is_repeated(answer.round, answer.challenge, said);
    match watch.attention(budget, &answer.who, answer.seed) {
        Attention::Settled if answer.fingerprint.as_ref().is_some_and(repeats) => Attention::Repeats,
        attention => attention,
    }
}

/// Judges one answer, and takes a check's outcome into the miner's sequential test. `testimony` is given for each answer
/// that is checked.
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
    attempts: Arc<Vec<Attempt>>,
    mut history: CheckHistory,
) -> Result<Vec<Record>, ValidatorError> {
    let task = &parts.task;
    let attention = |attempt: &Attempt| {
        let PreparedChallenge { asked, seed, .. } = &challenges[attempt.at];
        let (who, fingerprint) = (attempt.neuron.registration(), attempt.fingerprint);
        let answer =
            UncheckedAnswer { who, round: asked.round, challenge: asked.challenge, seed, fingerprint };
        attention(task, &history, &answer)
    };
    let attentions: Vec<Attention> = attempts.iter().map(attention).collect();
    let checked: Vec<usize> = (0..attempts.len()).filter(|index| attentions[*index].is_checked()).collect();
    let testimonies = testify(parts, &challenges, &attempts, &checked).await?;
    let mut records = Vec::with_capacity(attempts.len() * 3);
    for (index, attempt) in attempts.iter().enumerate() {
        let prepared = &challenges[attempt.at];
        let who = attempt.neuron.registration();
        let testimony = testimonies[index].as_ref();
        let seen = (&attempt.read, attentions[index], testimony);
        let judgement = verdict(task, &mut history.watch, who, &prepared.challenge, seen)?;
        let evidence = testimony.map_or_else(Vec::new, |testimony| {
            let blob = Blob::new(testimony.to_bytes());
            let evidence = Evidence {
                epoch: prepared.asked.epoch,
                round: prepared.asked.round,
                challenge: prepared.asked.challenge,
                who,
                blob: blob.digest(),
                bins: bins(task, testimony),
                fields: Fields::default(),
            };
            vec![Record::Blob(blob), Record::Evidence(evidence)]
        });
        records.extend(attempt.records(prepared, evidence, judgement));
    }
    Ok(records)
}

/// The reference's word on each of the checked answers, by the answer's place; a core works on a pack of them.
async fn testify(
    parts: &Parts,
    challenges: &Arc<Vec<PreparedChallenge>>,
    attempts: &Arc<Vec<Attempt>>,
    checked: &[usize],
) -> Result<Vec<Option<Reference>>, ValidatorError> {
    let jobs = checked.chunks(TOGETHER).map(|pack| {
        let (task, challenges, attempts, pack) =
            (parts.task.clone(), challenges.clone(), attempts.clone(), pack.to_vec());
        async move {
            let look = move || -> Result<Vec<(usize, Option<Reference>)>, TaskError> {
                let answers: Vec<_> = pack
                    .iter()
                    .filter_map(|index| {
                        let (_, answer) = attempts[*index].answer()?;
                        Some((*index, (&challenges[attempts[*index].at].challenge, answer)))
                    })
                    .collect();
                let pairs: Vec<_> = answers.iter().map(|(_, pair)| *pair).collect();
                let said = one_core(|| task.testify(&pairs))?;
                Ok(answers.iter().map(|(index, _)| *index).zip(said).collect())
            };
            Ok::<_, ValidatorError>(parts.cpu.run(look).await??)
        }
    });
    let mut testimonies: Vec<Option<Reference>> = vec![None; attempts.len()];
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
