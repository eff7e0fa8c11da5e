//! The log that an epoch's records are in: where they begin in it, the checkpoint behind their end, and who has witnessed it.

use serde::Serialize;
use weighhouse_journal::Segment;
use weighhouse_merkle::{Checkpoint, Frontier, GrownTree, SignedNote, VerifierKey};
use weighhouse_types::{
    CertifiedKey, CheckpointRecord, Digest, EpochClosed, EpochContext, Hotkey, LogKeyUse, LogOpening,
    LogPlace, Record,
};
use weighhouse_wallet::certified::verify_certified;

use super::TakenOver;
use super::audited::AuditReport;
use crate::log::{Fork, Wanted, verifier, witnesses_of};

/// The log of an epoch that is closed, as its file shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The log's name.
    pub origin: String,
    /// The checkpoint behind the closing record that most have signed.
    pub checkpoint: Option<CheckpointReport>,
    /// The number of the subnet's other validators when the epoch was opened.
    pub validators: usize,
    /// The number of them whose signatures are demanded: more than half.
    pub wanted: usize,
}

/// One checkpoint of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckpointReport {
    pub size: u64,
    pub root: Digest,
    /// Who has signed it, of the validators that count.
    pub witnesses: Vec<Hotkey>,
}

impl LogReport {
    /// Why the checkpoint is not witnessed as it should be, where `wanted` have to have signed it.
    pub fn unwitnessed(&self, wanted: usize) -> Option<String> {
        let Some(checkpoint) = &self.checkpoint else {
            return Some("no checkpoint is signed behind the closing record".to_owned());
        };
        let signed = checkpoint.witnesses.len();
        (signed < wanted).then(|| {
            format!(
                "{signed} of {} validators have witnessed its checkpoint, and {wanted} are demanded",
                self.validators
            )
        })
    }
}

/// Checks the log of an epoch's file.
pub(super) fn check(segment: &Segment, context: &EpochContext, audited: &mut AuditReport) {
    let Some(log) = context.fields.log() else {
        // Of version 1 the report says that it shows less.
        if context.judge.is_some() {
            audited
                .on_trust
                .push("that there is no other version of this file: its records are in no log".to_owned());
        }
        return;
    };
    let place = place(context);
    let Some((key, tree)) = checked_opening(segment, context, &log, &mut audited.problems) else { return };
    let records = segment.records();
    let Some(closed) = records.iter().position(|record| matches!(record, Record::EpochClosed(_))) else {
        return;
    };
    let Wanted { who, quorum } = witnesses_of(context);
    let mut best: Option<CheckpointReport> = None;
    for (at, record) in records.iter().enumerate() {
        let Record::Checkpoint(record) = record else { continue };
        // It covers the closing record, and nothing that was written after it was signed.
        let sizes = (log.size + closed as u64 + 1)..=(log.size + at as u64);
        let read = checkpoint(record, &key, &place).and_then(|(checkpoint, signers)| {
            if !sizes.contains(&checkpoint.size) {
                return Err("it is not of the log behind the closing record".to_owned());
            }
            if tree.root_at(checkpoint.size) != Some(checkpoint.root) {
                return Err("its root is not that of the records".to_owned());
            }
            let witnesses: Vec<Hotkey> =
                who.iter().filter(|hotkey| signers.contains(hotkey)).copied().collect();
            Ok(CheckpointReport { size: checkpoint.size, root: checkpoint.root, witnesses })
        });
        match read {
            Err(why) => audited.problems.push(format!("a checkpoint of the log: {why}")),
            Ok(read) if best.as_ref().is_none_or(|best| best.witnesses.len() <= read.witnesses.len()) => {
                best = Some(read);
            }
            Ok(_) => {}
        }
    }
    let (origin, validators) = (key.name().to_owned(), who.len());
    audited.log = Some(LogReport { origin, checkpoint: best, validators, wanted: quorum });
}

/// The log's key and its tree with this file's records, where what the opening says of them can be so.
fn checked_opening(
    segment: &Segment,
    context: &EpochContext,
    log: &LogOpening,
    problems: &mut Vec<String>,
) -> Option<(VerifierKey, GrownTree)> {
    let LogOpening { key, size, subtrees } = log;
    let is_certified = verify_certified(key, &place(context), LogKeyUse::Log).is_ok();
    if !is_certified || key.hotkey != context.validator {
        problems.push("the validator has not certified the key of its log".to_owned());
        return None;
    }
    let begins = key.first_epoch == context.epoch;
    if key.first_epoch > context.epoch || begins != (*size == 0) {
        problems.push("a log begins with its key's first epoch, and this one doesn't".to_owned());
    }
    let frontier = Frontier::from_parts(*size, subtrees.clone());
    let verifier = verifier(key, &place(context), LogKeyUse::Log);
    let (Some(frontier), Some(verifier)) = (frontier, verifier) else {
        problems.push("the place in the log at which the epoch begins contradicts itself".to_owned());
        return None;
    };
    Some((verifier, GrownTree::new(frontier, segment.leaves().to_vec())))
}

/// A checkpoint that the log has signed, and the validators whose signatures on it are right.
fn checkpoint(
    record: &CheckpointRecord,
    log: &VerifierKey,
    place: &LogPlace,
) -> Result<(Checkpoint, Vec<Hotkey>), String> {
    let note = SignedNote::parse(&record.note).map_err(|error| error.to_string())?;
    log.verify(&note).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::of(&note).map_err(|error| error.to_string())?;
    if checkpoint.origin != log.name() {
        return Err("it is of another log".to_owned());
    }
    let mut signers = Vec::with_capacity(record.witnesses.len());
    for key in &record.witnesses {
        let witness = verifier(key, place, LogKeyUse::Witness).ok_or("a witness's key has no name")?;
        let wrong = |why: String| format!("witness {}: {why}", key.hotkey);
        verify_certified(key, place, LogKeyUse::Witness).map_err(|error| wrong(error.to_string()))?;
        witness.verify(&note).map_err(|error| wrong(error.to_string()))?;
        signers.push(key.hotkey);
    }
    if note.signatures().len() != signers.len() + 1 {
        return Err("it has signatures of keys that it doesn't name".to_owned());
    }
    Ok((checkpoint, signers))
}

/// What two files of one validator say of its log, one after the other.
pub(super) fn compare(
    before: &Segment,
    earlier: &EpochContext,
    context: &EpochContext,
    found: &mut TakenOver,
) {
    let left = earlier.epoch;
    let Some(then) = earlier.fields.log() else { return };
    let Some(now) = context.fields.log() else {
        found.problems.push(format!("epoch {left}'s records are in a log, and this epoch's are in none"));
        return;
    };
    if then.key != now.key {
        let lower = now.key.first_epoch <= then.key.first_epoch;
        let what = format!("a new log begins with epoch {}", now.key.first_epoch);
        if lower {
            found.problems.push(what)
        } else {
            found.changed.push(what)
        }
        return;
    }
    let Some(mut frontier) = Frontier::from_parts(then.size, then.subtrees) else { return };
    frontier.extend(before.leaves().iter().copied());
    if now.size < frontier.size() {
        found.problems.push(format!("the log is shorter than epoch {left}'s file left it"));
    } else if now.size > frontier.size() {
        let missing = now.size - frontier.size();
        found.changed.push(format!("{missing} records of the log between these files are in no file here"));
    } else if now.subtrees != frontier.subtrees() {
        found.problems.push(format!("the log does not go on from epoch {left}'s file"));
    }
}

/// Everything with which an epoch was opened other than the one before had named while nobody could know its questions.
pub(super) fn unanchored(before: &Segment, earlier: &EpochContext, context: &EpochContext) -> Vec<String> {
    let closed = before.records().iter().find_map(|record| match record {
        Record::EpochClosed(EpochClosed { epoch, fields, .. }) => Some((epoch, fields.next())),
        _ => None,
    });
    let Some((left, next)) = closed else { return Vec::new() };
    let Some(next) = next else {
        let why =
            format!("unanchored: epoch {left}'s closing record doesn't say what the next is opened with");
        // Records of before there was a log had no place for it.
        return earlier.fields.log().map(|_| why).into_iter().collect();
    };
    let differs = [
        ("policy", next.policy != Digest::of(&context.policy)),
        ("task", next.task != Digest::of(&context.task)),
        ("judge", next.judge != context.judge),
        ("number of rounds", Some(next.rounds) != context.fields.rounds()),
    ];
    let differs = differs.into_iter().filter(|(_, differs)| *differs);
    differs
        .map(|(what, _)| format!("unanchored: the {what} is not what epoch {left}'s closing record named"))
        .collect()
}

/// The proof that two files of one epoch are of two records, where their checkpoints give one.
pub(super) fn fork(one: &Segment, other: &Segment) -> Option<Fork> {
    let (a, b) = (read(one)?, read(other)?);
    if a.log.key != b.log.key || a.checkpoint.root == b.checkpoint.root {
        return None;
    }
    let (smaller, larger) = if a.checkpoint.size <= b.checkpoint.size { (a, b) } else { (b, a) };
    let (older, newer) = (smaller.checkpoint.size, larger.checkpoint.size);
    let shown = match older == newer {
        true => (Digest::default(), Vec::new()),
        false => (larger.tree.root_at(older)?, larger.tree.consistency_proof(older, newer)?),
    };
    let notes = (&smaller.note, &larger.note);
    let witnesses = smaller.witnesses.into_iter().chain(larger.witnesses);
    Fork::new((&larger.place, &larger.log.key), notes, shown, witnesses)
}

/// The newest checkpoint of a file, with the tree that it is of.
pub(super) struct ReadLog {
    pub(super) place: LogPlace,
    pub(super) log: LogOpening,
    pub(super) tree: GrownTree,
    pub(super) note: SignedNote,
    pub(super) checkpoint: Checkpoint,
    pub(super) witnesses: Vec<CertifiedKey>,
}

pub(super) fn read(segment: &Segment) -> Option<ReadLog> {
    let context = super::context(segment.records())?;
    let log = context.fields.log()?;
    let record = segment.records().iter().rev().find_map(|record| match record {
        Record::Checkpoint(record) => Some(record),
        _ => None,
    })?;
    let note = SignedNote::parse(&record.note).ok()?;
    let checkpoint = Checkpoint::of(&note).ok()?;
    let frontier = Frontier::from_parts(log.size, log.subtrees.clone())?;
    let tree = GrownTree::new(frontier, segment.leaves().to_vec());
    Some(ReadLog { place: place(context), log, tree, note, checkpoint, witnesses: record.witnesses.clone() })
}

fn place(context: &EpochContext) -> LogPlace {
    LogPlace { genesis: context.genesis, netuid: context.netuid, mechanism: context.mechanism }
}
