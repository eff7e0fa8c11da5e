//! The end of an epoch's evidence, as an auditor checks it.

use weighhouse_journal::{Segment, receipts_root};
use weighhouse_types::{EpochContext, EpochCounts, Receipt, Record, v1};

/// Everything wrong with an epoch's closing record and its void rounds.
pub(super) fn check(records: &[Record], context: &EpochContext) -> Vec<String> {
    let closed = records.iter().position(|record| matches!(record, Record::EpochClosed(_)));
    let (before, after) = records.split_at(closed.unwrap_or(records.len()));
    let mut problems = Vec::new();
    if let Some(Record::EpochClosed(closed)) = after.first() {
        if closed.block < context.state.head.number {
            problems.push("the epoch was closed before it was opened".to_owned());
        }
        if closed.counts != EpochCounts::of(before.iter()) {
            problems.push("the closing record counts other records than there are".to_owned());
        }
        if closed.receipts != receipts_root(&Receipt::all(before)) {
            problems.push("the closing record's root is not that of the answers on record".to_owned());
        }
    }
    if after.iter().skip(1).any(is_evidence) {
        problems.push("evidence was added after the epoch was closed".to_owned());
    }
    for (at, record) in records.iter().enumerate() {
        let Record::VoidRound(void) = record else { continue };
        let judged = |record: &Record| matches!(record, Record::Judged(judged) if judged.round == void.round);
        if records[at..].iter().any(judged) {
            problems.push(format!("round {} is void and was judged nevertheless", void.round));
        }
    }
    problems
}

fn is_evidence(record: &Record) -> bool {
    // News of a publication may come after its epoch was closed, under commit-reveal epochs later; and an intent in the place of one
    // that the chain's new rules refuse.
    let supersedes = matches!(record, Record::Intent(intent) if intent.supersedes.is_some());
    !supersedes
        && !matches!(record, Record::IntentUpdate(_) | Record::BlockSeen { .. } | Record::Checkpoint(_))
}

/// Everything that the versions in which the records are written have no place for.
pub(super) fn not_shown(segment: &Segment) -> Vec<String> {
    if segment.oldest_record_version() > v1::RECORD_VERSION {
        return Vec::new();
    }
    let is_closed = segment.records().iter().any(|record| matches!(record, Record::EpochClosed(_)));
    let mut not_shown = vec![
        "rounds that failed through the validator's own trouble".to_owned(),
        "the version of the judge (it is version 1)".to_owned(),
    ];
    if !is_closed {
        not_shown.push("that the epoch was closed, and the root of the receipts for its answers".to_owned());
    }
    not_shown
}

#[cfg(test)]
mod tests {
    use weighhouse_types::{Block, Digest, Epoch, EpochClosed, Fields, VoidCause, VoidRound, sample};

    use super::*;

    const EPOCH: Epoch = Epoch(3);

    fn context() -> EpochContext {
        sample::context(sample::subnet(EPOCH, Block(1), Vec::new()))
    }

    fn check_all(records: &[Record]) -> Vec<String> {
        check(records, &context())
    }

    fn closed(counts: EpochCounts) -> Record {
        let receipts = receipts_root(&[]);
        Record::EpochClosed(EpochClosed {
            epoch: EPOCH,
            block: Block(9),
            counts,
            receipts,
            fields: Fields::default(),
        })
    }

    #[test]
    fn a_closing_record_is_held_to_the_records_before_it() {
        let void = Record::VoidRound(VoidRound::new(EPOCH, 2, VoidCause::Reference, "away"));
        let counts = EpochCounts { void_rounds: 1, ..EpochCounts::default() };
        assert_eq!(check_all(&[void.clone(), closed(counts)]), Vec::<String>::new());
        assert_eq!(check_all(&[closed(counts)]).len(), 1);
        assert_eq!(check_all(&[closed(EpochCounts::default()), void.clone()]).len(), 1);
        assert_eq!(check_all(&[closed(EpochCounts::default()), closed(EpochCounts::default())]).len(), 1);
        let Record::EpochClosed(mut other) = closed(counts) else { panic!("a closing record") };
        other.receipts = Digest::of(b"other answers");
        assert_eq!(check_all(&[void, Record::EpochClosed(other)]).len(), 1);
    }
}
