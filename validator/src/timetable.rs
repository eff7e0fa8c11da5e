//! The blocks of an epoch at which the validator asks, and the one from which it publishes.

use weighhouse_types::Schedule;

use crate::config::{Publish, Rounds};

/// The blocks of one epoch at which rounds and the publication are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timetable {
    first_block: u64,
    publish_block: u64,
    rounds: u32,
}

impl Timetable {
    /// `None` for a subnet that doesn't run.
    pub(crate) fn new(schedule: &Schedule, rounds: &Rounds, publish: &Publish) -> Option<Self> {
        let next_epoch = schedule.next_epoch_block()?.0;
        let first_block = schedule.last_epoch_block.0.saturating_add(1);
        // In an epoch shorter than the margin, publishing right after the first block is the best that can be done.
        let publish_block =
            // At least one block after the first, or an epoch would be weighed before anybody was asked.
            next_epoch.saturating_sub(publish.margin_blocks).max(first_block.saturating_add(1));
        Some(Self { first_block, publish_block, rounds: rounds.per_epoch })
    }

    /// The rounds that are due by a block, in order. They are spread evenly from the epoch's first block up to
    /// publication; one that was missed stays due, so that a restart costs nobody a verdict.
    pub(crate) fn rounds_due(&self, block: u64) -> impl Iterator<Item = u32> + use<> {
        let Self { first_block, publish_block, rounds } = *self;
        let span = publish_block - first_block;
        (0..rounds)
            .take_while(move |round| first_block + span * u64::from(*round) / u64::from(rounds) <= block)
    }

    pub(crate) fn publication_due(&self, block: u64) -> bool {
        block >= self.publish_block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::{Block, Epoch};

    fn timetable(tempo: u16, rounds: u32, margin: u64) -> Timetable {
        let schedule = Schedule {
            epoch: Epoch(3),
            last_epoch_block: Block(100),
            tempo,
            pending_epoch_at: None,
            blocks_since_last_step: 0,
        };
        let rounds = Rounds { per_epoch: rounds, ..Rounds::default() };
        Timetable::new(&schedule, &rounds, &Publish { margin_blocks: margin }).expect("it runs")
    }

    #[test]
    fn rounds_are_spread_up_to_publication() {
        let table = timetable(10, 2, 4);
        let due: Vec<_> = (100..108).map(|block| table.rounds_due(block).count()).collect();
        assert_eq!(due, [0, 1, 1, 2, 2, 2, 2, 2]);
        assert_eq!((100..111).find(|block| table.publication_due(*block)), Some(106));
    }

    #[test]
    fn a_very_short_epoch_still_asks_and_publishes() {
        let table = timetable(2, 3, 4);
        assert_eq!(table.rounds_due(101).count(), 3);
        assert!(table.publication_due(102));
    }
}
