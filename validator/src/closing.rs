//! Records that bring an epoch's evidence to its end: rounds that failed for our own sake, and the closing record.

use weighhouse_journal::receipts_root;
use weighhouse_seams::PoolError;
use weighhouse_tasks::TaskError;
use weighhouse_types::{Block, EpochClosed, EpochCounts, Fields, Receipt, Record, VoidCause};

use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;

/// The closing record of an epoch; `None` where it is closed already.
pub(crate) fn closing_record(open: &OpenEpoch, block: Block) -> Option<Record> {
    let records = open.records();
    if records.iter().any(|record| matches!(record, Record::EpochClosed(_))) {
        return None;
    }
    Some(Record::EpochClosed(EpochClosed {
        epoch: open.context().epoch,
        block,
        counts: EpochCounts::of(records),
        receipts: receipts_root(&Receipt::all(records)),
        fields: Fields::default(),
    }))
}

/// The trouble of our own that makes a round void; `None` for errors of another sort, which end the step.
pub(crate) fn void_cause(error: &ValidatorError) -> Option<VoidCause> {
    match error {
        ValidatorError::Task(TaskError::Model(_) | TaskError::Witness(_)) => Some(VoidCause::Reference),
        ValidatorError::Task(TaskError::Judge(_)) => Some(VoidCause::Judge),
        ValidatorError::Pool(PoolError::Full) => Some(VoidCause::Capacity),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
