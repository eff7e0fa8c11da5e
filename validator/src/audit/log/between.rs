//! What two files say of one log: whether it goes on, what was named beforehand, and whether it has forked.

use weighhouse_journal::Segment;
use weighhouse_merkle::Frontier;
use weighhouse_types::{CertifiedKey, Digest, EpochClosed, EpochContext, Hotkey, Record};

use super::super::TakenOver;
use super::read;
use crate::log::{Fork, witnesses_of};

/// What two files of one validator say of its log, one after the other.
pub(in crate::audit) fn compare(
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
    let is_one = |key: &CertifiedKey| (key.hotkey, key.key, key.first_epoch);
    if is_one(&then.key) != is_one(&now.key) {
        let lower = now.key.first_epoch <= then.key.first_epoch;
        let what = format!("a new log begins with epoch {}", now.key.first_epoch);
        if lower {
            found.problems.push(what)
        } else {
            found.changed.push(what)
        }
        return;
    }
    // Whom the opening shows is the validator's word, and it decides whose signatures are demanded.
    let (could, can) = (witnesses_of(earlier).who, witnesses_of(context).who);
    let (gone, new) = (beyond(&could, &can), beyond(&can, &could));
    if gone + new > 0 {
        found.changed.push(format!(
            "by its opening {new} validators can witness it that couldn't before, and {gone} can't any more"
        ));
    }
    let Some(mut frontier) = Frontier::from_parts(then.size, then.subtrees) else { return };
    frontier.extend(before.leaves().iter().copied());
    if now.size < frontier.size() {
        found.problems.push(format!("the log is shorter than epoch {left}'s file left it"));
    } else if now.size > frontier.size() && left.0.checked_add(1) == Some(context.epoch.0) {
        found
            .problems
            .push(format!("the log has records between epoch {left} and this one, which are in no file"));
    } else if now.size > frontier.size() {
        let missing = now.size - frontier.size();
        found.missing.push(format!(
            "{missing} records of the log, between epoch {left} and epoch {}, are in no file here",
            context.epoch
        ));
    } else if now.subtrees != frontier.subtrees() {
        found.problems.push(format!("the log does not go on from epoch {left}'s file"));
    }
}

/// The number of those that aren't among others.
fn beyond(who: &[Hotkey], others: &[Hotkey]) -> usize {
    who.iter().filter(|hotkey| !others.contains(hotkey)).count()
}

/// Everything with which an epoch was opened other than the one before had named while nobody could know its questions.
pub(in crate::audit) fn unanchored(
    before: &Segment,
    earlier: &EpochContext,
    context: &EpochContext,
) -> Vec<String> {
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
pub(in crate::audit) fn fork(one: &Segment, other: &Segment) -> Option<Fork> {
    let (a, b) = (read(one)?, read(other)?);
    let is_one = |key: &CertifiedKey| (key.hotkey, key.key, key.first_epoch);
    if is_one(&a.log.key) != is_one(&b.log.key) || a.checkpoint.root == b.checkpoint.root {
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
