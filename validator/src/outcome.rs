//! What became of an epoch's weights: its own file tells it, or one of the next, since news of a publication is written where it comes
//! in.

use weighhouse_journal::{Publication, publications};
use weighhouse_types::{Epoch, EpochContext, Record};

/// Files behind an epoch's own in which news of its weights may stand: those until its reveal, and one more for what came late.
pub(crate) fn files_that_tell(context: &EpochContext) -> usize {
    let period = context.state.hyperparameters.reveal_period_epochs;
    usize::try_from(period).unwrap_or(usize::MAX).saturating_add(2)
}

/// Whether it is an intent's or news of one.
pub(crate) fn is_news(record: &Record) -> bool {
    matches!(record, Record::Intent(_) | Record::IntentUpdate(_))
}

/// An epoch's publication by these records, which stand in the order of their files.
pub(crate) fn publication<'a>(
    epoch: Epoch,
    records: impl Iterator<Item = &'a Record>,
) -> Option<Publication> {
    let of_epoch = |record: &&Record| match record {
        Record::Intent(intent) => intent.epoch == epoch,
        Record::IntentUpdate(update) => update.epoch == epoch,
        _ => false,
    };
    let news: Vec<Record> = records.filter(of_epoch).cloned().collect();
    publications(&news).remove(&epoch)
}
