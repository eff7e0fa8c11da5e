//! One answer from the question to the verdict: what was asked, what came back, and what the reference says.

use serde_json::{Value, json};
use weighhouse_journal::Segment;
use weighhouse_tasks::{Recorded, Reference};
use weighhouse_types::{
    ChallengeRecord, ChallengeScope, Digest, Exchange, Record, StageRecord, ToldReason, Uid, VerdictRecord,
};
use weighhouse_validator::request_bytes;

use crate::error::ConsoleError;
use crate::limits::VALUES_SHOWN;
use crate::message::{self, number};

/// Records that a page is made of.
#[derive(Default)]
struct Found<'a> {
    asked: Option<&'a ChallengeRecord>,
    judged: Option<&'a VerdictRecord>,
    stages: Vec<&'a StageRecord>,
    evidence: Option<Digest>,
}

/// An answer's page.
///
/// # Errors
/// A challenge that wasn't put to this miner.
pub(crate) fn page(segment: &Segment, uid: Uid, challenge: Digest) -> Result<Value, ConsoleError> {
    let epoch = segment.header().epoch;
    let found = find(segment.records(), uid, challenge);
    let (asked, judged) = (found.asked, found.judged);
    if judged.is_none() && found.stages.is_empty() {
        return Err(ConsoleError::NoChallenge { epoch, uid, challenge });
    }
    let exchange = judged.and_then(|judged| judged.exchange.as_ref());
    let request = exchange.map(|exchange| exchange.request).or_else(|| asked.and_then(|asked| asked.request));
    let scope = asked.map(|asked| match asked.scope {
        ChallengeScope::Shared => "shared: the same question to every miner",
        ChallengeScope::Private { .. } => "private: a question to this miner alone",
    });
    Ok(json!({
        "epoch": epoch, "uid": uid, "challenge": challenge,
        "asked_in": asked.map(|asked| asked.epoch), "round": asked.map(|asked| asked.round),
        "kind": asked.map(|asked| message::text(asked.kind.as_bytes())), "scope": scope,
        "request": question(segment, request, "the question isn't in this file"),
        "answer": blob(segment, exchange.map(|exchange| exchange.answer), message::answer, "nothing judgeable came back"),
        "proof": exchange.map(proof),
        "reference": blob(segment, asked.and_then(|asked| asked.reference), reference, "there was none before the answer"),
        "evidence": blob(segment, found.evidence, reference, "the reference wasn't asked about this answer"),
        "stages": found.stages.iter().map(|stage| of_stage(segment, stage)).collect::<Vec<_>>(),
        "verdict": judged.map(verdict),
    }))
}

fn find(records: &[Record], uid: Uid, challenge: Digest) -> Found<'_> {
    let mut found = Found::default();
    for record in records {
        match record {
            Record::Asked(asked) if asked.challenge == challenge => found.asked = Some(asked),
            Record::CarriedChallenge(carried) if carried.asked.challenge == challenge => {
                found.asked = Some(&carried.asked);
                found.stages.extend(carried.answers.iter().filter(|stage| stage.uid == uid));
            }
            Record::Answered(stage) if stage.challenge == challenge && stage.uid == uid => {
                found.stages.push(stage)
            }
            Record::Judged(judged) if judged.challenge == challenge && judged.uid == uid => {
                found.judged = Some(judged)
            }
            _ => {}
        }
    }
    // Evidence names the registration, which the verdict has.
    let who = found.judged.map(|judged| judged.who);
    found.evidence = records.iter().find_map(|record| match record {
        Record::Evidence(evidence) if evidence.challenge == challenge && Some(evidence.who) == who => {
            Some(evidence.blob)
        }
        _ => None,
    });
    found
}

fn verdict(judged: &VerdictRecord) -> Value {
    let reasons: Vec<ToldReason> = judged.judgement.reasons.iter().map(ToldReason::from).collect();
    json!({"mark": judged.judgement.mark.to_f64(), "outcome": judged.judgement.outcome(), "reasons": reasons})
}

fn proof(exchange: &Exchange) -> Value {
    json!({
        "model": exchange.model, "latency_ms": exchange.latency_us as f64 / 1000.0,
        "signature": message::hex(&exchange.signature),
    })
}

fn of_stage(segment: &Segment, stage: &StageRecord) -> Value {
    let exchange = stage.outcome.as_ref().ok();
    let why = stage.outcome.as_ref().err().map_or_else(|| "not in this file".to_owned(), ToString::to_string);
    json!({
        "stage": stage.stage,
        "request": question(segment, exchange.map(|exchange| exchange.request), &why),
        "answer": blob(segment, exchange.map(|exchange| exchange.answer), message::answer, &why),
    })
}

/// A request, which some files name by digest alone: its seed gives it back.
fn question(segment: &Segment, digest: Option<Digest>, absent: &str) -> Value {
    let request = digest.and_then(|digest| request_bytes(segment, &digest));
    request.map_or_else(|| blob(segment, digest, message::request, absent), |bytes| message::request(&bytes))
}

/// Bytes by their digest in a page's form, or why there are none.
fn blob(segment: &Segment, digest: Option<Digest>, show: fn(&[u8]) -> Value, absent: &str) -> Value {
    match digest.map(|digest| segment.blob(&digest)) {
        Some(Some(bytes)) => show(bytes),
        Some(None) => json!({"absent": "its bytes aren't in this file"}),
        None => json!({"absent": absent}),
    }
}

/// A reference's word, as journals hold it.
fn reference(bytes: &[u8]) -> Value {
    let read = match Reference::from_bytes(bytes) {
        Ok(read) => read,
        Err(error) => return message::unreadable(bytes, &error.to_string()),
    };
    match read.recorded() {
        Recorded::Rows(rows) => table("probabilities", rows.iter().map(|row| &row[..])),
        Recorded::Vectors(rows) => table("vectors", rows.iter().map(|row| &row[..])),
        Recorded::Awaited => json!({"absent": "it is asked about answers, once they are there"}),
        Recorded::Testimony(said) => json!({
            "text": message::text(said.text.as_bytes()), "prompt_tokens": said.prompt_tokens, "first_end": said.first_end,
            "tensors": [list("margins", &said.margins), list("log_probs", &said.log_probs)],
        }),
        Recorded::Own { kind, word } => json!({
            "kind": message::text(kind.as_bytes()), "bytes": word.len(), "hex": message::hex(word),
        }),
    }
}

fn list(name: &str, values: &[f32]) -> Value {
    let shown: Vec<Value> = values.iter().take(VALUES_SHOWN).map(|value| number(f64::from(*value))).collect();
    json!({"name": name, "datatype": "FP32", "shape": [values.len()], "values": shown, "values_of": values.len()})
}

fn table<'a>(name: &str, rows: impl ExactSizeIterator<Item = &'a [f32]> + Clone) -> Value {
    let columns = rows.clone().next().map_or(0, <[f32]>::len);
    let all: usize = rows.clone().map(<[f32]>::len).sum();
    let shape = [rows.len(), columns];
    let shown: Vec<Value> =
        rows.flatten().take(VALUES_SHOWN).map(|value| number(f64::from(*value))).collect();
    json!({"tensors": [{"name": name, "datatype": "FP32", "shape": shape, "values": shown, "values_of": all}]})
}
