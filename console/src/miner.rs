//! One miner in one epoch: its way to its weight, what checks cost it, and each verdict.

use serde::Serialize;
use serde_json::{Value, json};
use weighhouse_scoring::path::PathError;
use weighhouse_scoring::statement::statement;
use weighhouse_types::{
    Block, Digest, Epoch, EpochContext, Neuron, Outcome, Record, ToldReason, Uid, VerdictRecord,
};

use crate::error::ConsoleError;
use crate::folder::Records;
use crate::limits::VERDICTS_LISTED;

/// One verdict.
#[derive(Debug, Serialize)]
struct Verdict {
    round: u32,
    asked_in: Epoch,
    challenge: Digest,
    mark: f64,
    outcome: Option<Outcome>,
    reasons: Vec<ToldReason>,
    latency_ms: Option<f64>,
    has_answer: bool,
}

/// A miner's page.
///
/// # Errors
/// An epoch that doesn't know the uid, or whose records can't be weighed.
pub(crate) fn page(records: &Records, uid: Uid) -> Result<Value, ConsoleError> {
    let epoch = records.segment.header().epoch;
    let records = records.segment.records();
    let context = context(records).ok_or(ConsoleError::NotOpened(epoch))?;
    let neuron = context.state.metagraph.neuron(uid).ok_or(ConsoleError::NoMiner { epoch, uid })?;
    let (paid, unknown) = match statement(records, uid) {
        Ok(paid) => (Some(paid), None),
        Err(unknown @ PathError::Unknown { .. }) => (None, Some(unknown.to_string())),
        Err(PathError::Weigh(source)) => return Err(ConsoleError::Weigh { epoch, source }),
    };
    let (verdicts, left_out) = verdicts(records, uid);
    let way = paid.map(|paid| {
        json!({
            "carried": paid.carried.map(unit), "average": unit(paid.average), "score": unit(paid.score.cast_signed()),
            "rating": paid.rating.replace('_', " "), "share": unit(paid.share.cast_signed()), "share_without": unit(paid.share_without.cast_signed()),
            "weight": paid.weight, "abstains": paid.abstains, "why": paid.reasons, "answers": paid.answers,
            "losses": paid.losses.iter().map(|loss| json!({
                "check": loss.check, "phrase": loss.phrase, "answers": loss.answers, "lost": unit(loss.lost),
            })).collect::<Vec<_>>(),
        })
    });
    Ok(json!({
        "epoch": epoch, "uid": uid, "neuron": shown(neuron), "way": way, "unknown": unknown,
        "verdicts": verdicts, "left_out": left_out,
    }))
}

/// Billionths as a number.
fn unit(billionths: i64) -> f64 {
    billionths as f64 / 1e9
}

pub(crate) fn context(records: &[Record]) -> Option<&EpochContext> {
    records.iter().find_map(|record| match record {
        Record::EpochOpened(context) => Some(context.as_ref()),
        _ => None,
    })
}

fn shown(neuron: &Neuron) -> Value {
    let Block(registered_at) = neuron.registered_at;
    json!({
        "hotkey": neuron.hotkey, "coldkey": neuron.coldkey, "registered_at": registered_at,
        "axon": neuron.axon.map(|axon| axon.address().to_string()), "validator_permit": neuron.validator_permit,
    })
}

/// The newest verdicts, in the order of their rounds, and the number of those before.
fn verdicts(records: &[Record], uid: Uid) -> (Vec<Verdict>, usize) {
    let mut judged: Vec<&VerdictRecord> = records
        .iter()
        .filter_map(|record| match record {
            Record::Judged(judged) if judged.uid == uid => Some(judged),
            _ => None,
        })
        .collect();
    judged.sort_by_key(|judged| (judged.asked_in, judged.round));
    let left_out = judged.len().saturating_sub(VERDICTS_LISTED);
    let verdict = |judged: &&VerdictRecord| Verdict {
        round: judged.round,
        asked_in: judged.asked_in,
        challenge: judged.challenge,
        mark: judged.judgement.mark.to_f64(),
        outcome: judged.judgement.outcome(),
        reasons: judged.judgement.reasons.iter().map(ToldReason::from).collect(),
        latency_ms: judged.exchange.as_ref().map(|exchange| exchange.latency_us as f64 / 1000.0),
        has_answer: judged.exchange.is_some(),
    };
    (judged[left_out..].iter().map(verdict).collect(), left_out)
}
