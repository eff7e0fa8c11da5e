//! Records that bring an epoch's evidence to its end: rounds that failed for our own sake, and the closing record.

use std::collections::BTreeSet;

use tracing::warn;
use weighhouse_journal::receipts_root;
use weighhouse_types::{
    Block, Epoch, EpochClosed, EpochCounts, Fields, Receipt, Record, VoidCause, VoidRound,
};

use crate::epoch::OpenEpoch;
use crate::metrics;

/// The records that close an epoch: rounds that were cut off between two stages are void, and the closing record. None where
/// the epoch is closed already.
pub(crate) fn closing_records(open: &OpenEpoch, block: Block) -> Vec<Record> {
    if open.is_closed() {
        return Vec::new();
    }
    let epoch = open.context().epoch;
    let why = "the epoch ended before every stage was asked";
    let void = |round| void_round(epoch, round, VoidCause::Capacity, why);
    let mut closing: Vec<Record> = unfinished(open).into_iter().map(void).collect();
    let records = || open.records().iter().chain(&closing);
    let closed = EpochClosed {
        epoch,
        block,
        counts: EpochCounts::of(records()),
        receipts: receipts_root(&Receipt::all(records())),
        fields: Fields::default(),
    };
    closing.push(Record::EpochClosed(closed));
    closing
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
