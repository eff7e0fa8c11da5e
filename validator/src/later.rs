//! Challenges whose truth comes in a later epoch than the one that asks.
//!
//! A round keeps the answers that can be read and closes its challenges: no more answers are taken. Each epoch that begins
//! while the truth is unknown takes them over whole, blobs included, so that the file of the epoch that resolves them is
//! enough to reach its verdicts again. Verdicts count in the epoch in which they are made.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_journal::{JournalError, Segment};
use weighhouse_types::{
    Blob, CarriedChallenge, ChallengePhase, ChallengeRecord, Digest, Epoch, EpochContext, Fields,
    PhaseChange, Record, StageRecord,
};

use crate::answers::{Attempt, PreparedChallenge};
use crate::dialogue::answered;

/// Challenges that one epoch takes over from the one before. The oldest beyond that lapse.
const CARRIED_MAX: usize = 1_024;
/// Bytes of the blobs that come with them: half of what one commit of the journal holds.
const CARRIED_BYTES_MAX: usize = 128 << 20;

/// The records of a round whose truth comes later: answers that can be read are kept, everything else has its verdict.
pub(crate) fn keep(challenges: &[PreparedChallenge], attempts: &[Attempt]) -> Vec<Record> {
    let mut records = Vec::new();
    for attempt in attempts {
        let asked = &challenges[attempt.at].asked;
        records.extend(attempt.blob());
        records.push(match (&attempt.answer.read, &attempt.signed) {
            (Ok(_), Some((exchange, _))) => {
                let Attempt { neuron, stage, root, .. } = attempt;
                Record::Answered(answered(asked, neuron, *stage, exchange.clone(), *root))
            }
            // Never so: bytes are read only once their signature holds.
            (Ok(_), None) => continue,
            (Err(judgement), _) => attempt.judged(asked, judgement.clone()),
        });
    }
    for (at, prepared) in challenges.iter().enumerate() {
        // A challenge that nobody answered readably has no verdict to wait for.
        if attempts.iter().any(|attempt| attempt.at == at && attempt.answer.read.is_ok()) {
            let asked = &prepared.asked;
            records.push(phase(asked, asked.epoch, ChallengePhase::Closed, Fields::default()));
        }
    }
    records
}

/// The record of a challenge's step.
pub(crate) fn phase(asked: &ChallengeRecord, epoch: Epoch, phase: ChallengePhase, fields: Fields) -> Record {
    let (challenge, asked_in) = (asked.challenge, asked.epoch);
    Record::PhaseChange(PhaseChange { epoch, challenge, asked_in, phase, fields })
}

/// The challenges of an epoch's records that are closed and have neither a truth nor lapsed, as `epoch` takes them over.
pub(crate) fn pending(records: &[Record], epoch: Epoch) -> Vec<CarriedChallenge> {
    let mut context: Option<&EpochContext> = None;
    let mut asked: BTreeMap<Digest, &ChallengeRecord> = BTreeMap::new();
    let mut answers: BTreeMap<Digest, Vec<&StageRecord>> = BTreeMap::new();
    let mut pending: Vec<CarriedChallenge> = Vec::new();
    for record in records {
        match record {
            Record::EpochOpened(opened) => context = Some(opened),
            Record::Asked(record) => {
                asked.insert(record.challenge, record);
            }
            Record::Answered(record) => answers.entry(record.challenge).or_default().push(record),
            Record::CarriedChallenge(carried) => {
                pending.push(CarriedChallenge { epoch, ..carried.as_ref().clone() });
            }
            Record::PhaseChange(change) if change.phase == ChallengePhase::Closed => {
                let (Some(context), Some(asked)) = (context, asked.get(&change.challenge)) else { continue };
                let answers = answers.remove(&change.challenge).unwrap_or_default();
                pending.push(CarriedChallenge {
                    epoch,
                    asked: ChallengeRecord::clone(asked),
                    beacon: context.beacon,
                    task: Digest::of(&context.task),
                    closed_in: Some(change.epoch),
                    answers: answers.into_iter().cloned().collect(),
                    fields: Fields::default(),
                });
            }
            Record::PhaseChange(change) => {
                pending.retain(|carried| carried.asked.challenge != change.challenge);
            }
            _ => {}
        }
    }
    pending
}

/// The challenges of an epoch's records that are closed and have neither a truth nor lapsed, as [`pending`] has them, by name
/// alone.
pub(crate) fn still_open(records: &[Record]) -> BTreeSet<Digest> {
    let mut open = BTreeSet::new();
    for record in records {
        match record {
            Record::CarriedChallenge(carried) => drop(open.insert(carried.asked.challenge)),
            Record::PhaseChange(change) if change.phase == ChallengePhase::Closed => {
                open.insert(change.challenge);
            }
            Record::PhaseChange(change) => drop(open.remove(&change.challenge)),
            _ => {}
        }
    }
    open
}

/// The records with which an epoch takes challenges over from the one before: every blob that they name, and the challenges.
/// What is beyond the limits lapses, the oldest first.
pub(crate) fn take_over(
    segment: &Segment,
    before: &EpochContext,
    epoch: Epoch,
) -> Result<Vec<Record>, JournalError> {
    let pending = pending(segment.records(), epoch);
    let own = Digest::of(&before.task);
    let (mut blobs, mut bytes, mut kept) = (BTreeMap::new(), 0, 0);
    // The newest first: what is beyond the limits has waited longest and is likeliest to lapse anyway.
    for carried in pending.iter().rev().take(CARRIED_MAX) {
        for digest in named_blobs(carried) {
            if blobs.contains_key(&digest) {
                continue;
            }
            let blob = match segment.blob(&digest) {
                Some(blob) => blob,
                None if digest == own => &before.task,
                None => return Err(JournalError::UnknownBlob { epoch: before.epoch, digest }),
            };
            bytes += blob.len();
            blobs.insert(digest, blob);
        }
        if bytes > CARRIED_BYTES_MAX {
            break;
        }
        kept += 1;
    }
    let (beyond, within) = pending.split_at(pending.len() - kept);
    let lapse = |carried: &CarriedChallenge| {
        let why = "more challenges await their truth than an epoch takes over".to_owned();
        phase(&carried.asked, epoch, ChallengePhase::Lapsed { why }, Fields::default())
    };
    let mut records: Vec<Record> = beyond.iter().map(lapse).collect();
    for carried in within {
        let blob = |digest| Record::Blob(Blob::new(blobs[digest].to_vec()));
        records.extend(named_blobs(carried).iter().map(blob));
        records.push(Record::CarriedChallenge(Box::new(carried.clone())));
    }
    Ok(records)
}

/// Everything that a carried challenge's records name by digest.
fn named_blobs(carried: &CarriedChallenge) -> Vec<Digest> {
    let ChallengeRecord { request, secret, reference, .. } = &carried.asked;
    let exchanges = carried.answers.iter().filter_map(|answered| answered.outcome.as_ref().ok());
    let mut blobs: Vec<_> = [*request, *secret, *reference].into_iter().flatten().collect();
    blobs.push(carried.task);
    blobs.extend(exchanges.flat_map(|exchange| [exchange.request, exchange.answer]));
    blobs
}
