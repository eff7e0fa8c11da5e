//! What each check cost a miner in an epoch: the epoch weighed again as if its answers had passed.
//!
//! An answer that a check cost something counts as one that was accepted: with the mean mark of the miner's accepted answers,
//! or in full where none was. (A full mark would promise too much where even the best answers get less.) Losses are undone one
//! after the other, the costliest first, so that their parts sum to all that was lost.

mod lost;

use serde_json::Value;
use weighhouse_types::{JudgedAnswer, Loss, Outcome, PayStatement, Record, ToldReason, Uid};

use crate::error::WeighError;
use crate::explain::explain;
use crate::path::{Path, PathError, path};
use crate::rate::Rating;
use crate::weigh::pick;
use lost::{Case, Losing};

#[cfg(test)]
mod tests;

/// Verdicts that a statement lists; the others are counted.
pub const VERDICTS_MAX: usize = 1_000;

/// One miner's statement from one epoch's records. When the weights were published, and what the chain paid, they don't say.
///
/// # Errors
/// As [`path`].
pub fn statement(records: &[Record], uid: Uid) -> Result<PayStatement, PathError> {
    let way = path(records, uid)?;
    let context = pick(records)?.context;
    let case = Case::new(records, uid)?;
    let share = case.share(&[])?;
    let (losses, share_without) = losses(&case, share)?;
    let (verdicts, omitted) = listed(&way, &case);
    let reasons = explain(records)?.into_iter().find(|told| told.uid == uid);
    Ok(PayStatement {
        genesis: context.genesis,
        netuid: context.netuid,
        mechanism: context.mechanism,
        epoch: way.epoch,
        validator: context.validator,
        uid,
        who: way.who,
        task: context.kind().unwrap_or_default(),
        published: None,
        answers: u32::try_from(way.verdicts.len()).unwrap_or(u32::MAX),
        accepted_worth: case.accepted_worth,
        carried: way.carried,
        average: way.rated.average,
        score: way.rated.score.billionths(),
        rating: rating(way.rated.rating),
        reasons: reasons.map(|told| told.sentence).unwrap_or_default(),
        weight: way.weight,
        abstains: way.abstains,
        share,
        share_without,
        losses,
        pay: None,
        verdicts,
        omitted,
    })
}

/// The losses with their parts, the costliest first, and the share without any of them.
fn losses(case: &Case<'_>, share: u64) -> Result<(Vec<Loss>, u64), WeighError> {
    let mut alone = Vec::with_capacity(case.losing.len());
    for (at, losing) in case.losing.iter().enumerate() {
        alone.push((case.share(&[at])?, at, losing));
    }
    let cost = |(share, _, losing): &(u64, usize, &Losing)| {
        (std::cmp::Reverse(*share), std::cmp::Reverse(losing.marks), losing.check.clone())
    };
    alone.sort_by_cached_key(cost);
    let (mut undone, mut before, mut losses) = (Vec::new(), share, Vec::new());
    for (share_without, at, losing) in alone {
        undone.push(at);
        // The first is undone alone.
        let after = if undone.len() == 1 { share_without } else { case.share(&undone)? };
        losses.push(Loss {
            check: losing.check.clone(),
            phrase: losing.phrase.clone(),
            answers: losing.answers,
            marks: losing.marks,
            lost: after as i64 - before as i64,
            share_without,
            example: losing.example.clone(),
        });
        before = after;
    }
    Ok((losses, before))
}

/// As many verdicts as are listed, those that lost something first kept, and the number of the others.
fn listed(way: &Path, case: &Case<'_>) -> (Vec<JudgedAnswer>, u32) {
    let mut kept: Vec<usize> = (0..way.verdicts.len()).collect();
    kept.sort_by_key(|at| !case.loses(*at));
    kept.truncate(VERDICTS_MAX);
    kept.sort_unstable();
    let omitted = way.verdicts.len() - kept.len();
    let verdict = |at: usize| {
        let step = &way.verdicts[at];
        JudgedAnswer {
            asked_in: step.asked_in,
            round: step.round,
            challenge: step.challenge,
            mark: step.judgement.mark,
            checked: step.judgement.outcome() != Some(Outcome::Unchecked),
            reasons: step.judgement.reasons.iter().map(ToldReason::from).collect(),
            latency_us: step.latency_us,
        }
    };
    (kept.into_iter().map(verdict).collect(), u32::try_from(omitted).unwrap_or(u32::MAX))
}

fn rating(rating: Rating) -> String {
    match serde_json::to_value(rating) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}
