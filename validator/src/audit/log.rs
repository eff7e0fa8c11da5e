//! The log that an epoch's records are in: where they begin in it, the checkpoint behind their end, and who has witnessed it.

mod between;

use serde::Serialize;
use weighhouse_journal::Segment;
use weighhouse_merkle::{Checkpoint, Frontier, GrownTree, SignedNote, VerifierKey};
use weighhouse_types::{
    CertifiedKey, CheckpointRecord, Digest, Epoch, EpochContext, Hotkey, LogKeyUse, LogOpening, LogPlace,
    Record,
};
use weighhouse_wallet::certified::verify_certified;

use super::audited::AuditReport;
use crate::log::{Wanted, signers, verifier, witnesses_of};

pub(super) use between::{compare, fork, unanchored};

/// The log of an epoch that is closed, as its file shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The log's name.
    pub origin: String,
    /// The key that verifies its checkpoints, as other tools of C2SP read it: `NAME+ID+BASE64`.
    pub verifier_key: String,
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
        let index = |at| log.size + segment.leaf_index(at) as u64;
        let sizes = (index(closed) + 1)..=index(at);
        let read = checkpoint(record, &key, &place, context.epoch).and_then(|(checkpoint, signers)| {
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
    audited.on_trust.push(match validators {
        0 => "that the subnet has no other validator yet, by the epoch's opening: nobody has to witness the log".to_owned(),
        _ => format!("that these {validators} were the subnet's other validators, by the epoch's opening"),
    });
    let verifier_key = key.to_string();
    audited.log = Some(LogReport { origin, verifier_key, checkpoint: best, validators, wanted: quorum });
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
    epoch: Epoch,
) -> Result<(Checkpoint, Vec<Hotkey>), String> {
    let note = SignedNote::parse(&record.note).map_err(|error| error.to_string())?;
    log.verify(&note).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::of(&note).map_err(|error| error.to_string())?;
    if checkpoint.origin != log.name() {
        return Err("it is of another log".to_owned());
    }
    let signers = signers(&note, &record.witnesses, place).map_err(|error| error.to_string())?;
    if let Some(later) = record.witnesses.iter().find(|key| key.first_epoch > epoch) {
        return Err(format!("witness {}: its key is of a later epoch", later.hotkey));
    }
    if note.signatures().len() != signers.len() + 1 {
        return Err("it has signatures of keys that it doesn't name".to_owned());
    }
    Ok((checkpoint, signers))
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
    let context = super::opening(segment.records())?;
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
