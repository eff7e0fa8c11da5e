//! Records that bring an epoch's evidence to its end: rounds that failed for our own sake, and the closing record.

use std::collections::BTreeSet;

use tracing::warn;
use weighhouse_journal::receipts_root;
use weighhouse_types::{
    Block, Epoch, EpochClosed, EpochCounts, Fields, NextEpoch, Receipt, Record, VoidCause, VoidRound,
};

use crate::epoch::OpenEpoch;
use crate::metrics;

/// Rounds that are void by the epoch's end: those that were cut off between two stages, and those that were never asked.
/// Recorded before the epoch is weighed, which counts them.
pub(crate) fn void_by_the_end(open: &OpenEpoch) -> Vec<Record> {
    if open.is_closed() {
        return Vec::new();
    }
    let epoch = open.context().epoch;
    let why = "the epoch ended before every stage was asked";
    let cut_off = |round| void_round(epoch, round, VoidCause::Capacity, why);
    let mut void: Vec<Record> = unfinished(open).into_iter().map(cut_off).collect();
    let rounds = 0..open.context().fields.rounds().unwrap_or(0);
    let unasked: Vec<u32> = rounds.filter(|round| !open.has_asked(*round) && !open.is_void(*round)).collect();
    let why = "the round was never asked";
    if open.records().iter().any(|record| matches!(record, Record::Asked(_))) && !unasked.is_empty() {
        tell_void(epoch, &unasked, why);
    }
    let unasked = unasked.into_iter();
    void.extend(
        unasked.map(|round| Record::VoidRound(VoidRound::new(epoch, round, VoidCause::Unasked, why))),
    );
    void
}

/// The record that closes an epoch with these further records behind its own, and says what the next one is opened with. None
/// where it is closed already.
pub(crate) fn closing_record(
    open: &OpenEpoch,
    further: &[Record],
    (block, next): (Block, &NextEpoch),
) -> Option<Record> {
    if open.is_closed() {
        return None;
    }
    let records = || open.records().iter().chain(further);
    Some(Record::EpochClosed(EpochClosed {
        epoch: open.context().epoch,
        block,
        counts: EpochCounts::of(records()),
        receipts: receipts_root(&Receipt::all(records())),
        fields: Fields::of_next(next),
    }))
}

/// Rounds in which somebody answered an earlier stage, and then nothing more was heard or judged.
fn unfinished(open: &OpenEpoch) -> BTreeSet<u32> {
    let stages = open.records().iter().filter_map(|record| match record {
        Record::FollowUp(follow_up) => Some(follow_up.round),
        _ => None,
    });
    // A round with a verdict is finished for those who have one; only rounds that nobody finished are void.
    let is_unfinished = |round: &u32| open.done_in(*round).is_empty() && !open.is_void(*round);
    stages.collect::<BTreeSet<u32>>().into_iter().filter(is_unfinished).collect()
}

/// The record of a round that failed through our own trouble, which is told as well.
pub(crate) fn void_round(epoch: Epoch, round: u32, cause: VoidCause, why: &str) -> Record {
    tell_void(epoch, &[round], why);
    untold_void_round(epoch, round, cause, why)
}

/// Tells the operator of rounds that are void for one reason.
pub(crate) fn tell_void(epoch: Epoch, rounds: &[u32], why: &str) {
    warn!(%epoch, ?rounds, why, "by our own trouble, whoever has no verdict in these rounds gets none: nobody is charged");
}

/// The record of such a round, counted.
pub(crate) fn untold_void_round(epoch: Epoch, round: u32, cause: VoidCause, why: &str) -> Record {
    metrics::round_void(cause);
    Record::VoidRound(VoidRound::new(epoch, round, cause, why))
}

#[cfg(test)]
mod tests;
