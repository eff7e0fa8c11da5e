//! Answers whose text is not what their tokens say. That is seen without the model, so nobody is spared it.

use std::sync::Arc;

use weighhouse_tasks::TaskError;
use weighhouse_tasks::sequential::Attention;

use crate::answers::{Attempt, PreparedChallenge};
use crate::error::ValidatorError;
use crate::parts::Parts;

/// Finds the unchecked answers that contradict themselves.
pub(crate) async fn contradicting(
    parts: &Parts,
    challenges: &Arc<Vec<PreparedChallenge>>,
    attempts: &Arc<Vec<Attempt>>,
    attentions: &[Attention],
) -> Result<Vec<usize>, ValidatorError> {
    let settled = attentions.iter().enumerate().filter(|(_, attention)| **attention == Attention::Settled);
    let settled: Vec<usize> = settled.map(|(index, _)| index).collect();
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let (task, challenges, attempts) = (parts.task.clone(), challenges.clone(), attempts.clone());
    let look = move || {
        let read = |index: &usize| {
            let attempt = &attempts[*index];
            Some((*index, (&challenges[attempt.at].challenge, attempt.answer.read.as_ref().ok()?)))
        };
        let (at, answers): (Vec<_>, Vec<_>) = settled.iter().filter_map(read).unzip();
        let contradict = task.contradict_themselves(&answers)?.unwrap_or_default();
        Ok(at.into_iter().zip(contradict).filter(|(_, contradicts)| *contradicts).map(|(at, _)| at).collect())
    };
    parts.cpu.run(look).await?.map_err(|error: TaskError| error.into())
}
