//! The blocks of an epoch at which the validator asks, those whose beacons say whom it checks, and the one from which it
//! publishes.

use std::time::Duration;

use weighhouse_types::{Block, Schedule};

use crate::config::{Publish, Rounds};

/// Blocks that others may know before they are final here.
const UNSEEN_BLOCKS: u64 = 8;
/// Of a chain whose blocks come more slowly, a draw's block comes later in time, which does no harm.
const BLOCK_SECONDS: u64 = 12;

/// The blocks of one epoch at which rounds and the publication are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timetable {
    first_block: u64,
    publish_block: u64,
    /// The block by which the last round has begun.
    asked_by: u64,
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
        Some(Self { first_block, publish_block, asked_by: publish_block, rounds: rounds.per_epoch })
    }

    /// With room before publication for the commitments of the last round to come to the chain.
    pub(crate) fn with_commitments(self, blocks: Option<u32>) -> Self {
        let Some(blocks) = blocks else { return self };
        // One more, behind the last block for them.
        let asked_by = self.publish_block.saturating_sub(u64::from(blocks).saturating_add(1));
        Self { asked_by: asked_by.max(self.first_block), ..self }
    }

    /// The rounds that are due by a block, in order. They are spread evenly from the epoch's first block up to
    /// publication; one that was missed stays due, so that a restart costs nobody a verdict.
    pub(crate) fn rounds_due(&self, block: u64) -> impl Iterator<Item = u32> + use<> {
        let Self { first_block, asked_by, rounds, .. } = *self;
        let span = asked_by - first_block;
        (0..rounds)
            .take_while(move |round| first_block + span * u64::from(*round) / u64::from(rounds) <= block)
    }

    /// The block whose beacon draws the checks of a round's answers, all of which were in at `head`: the same one for all
    /// validators that asked in time. `None` where none is left before publication.
    pub(crate) fn draw_block(&self, round: u32, deadline: Duration, head: Block) -> Option<Block> {
        let Self { first_block, publish_block, rounds, .. } = *self;
        let due = first_block + (publish_block - first_block) * u64::from(round) / u64::from(rounds.max(1));
        let hidden = UNSEEN_BLOCKS + deadline.as_secs().div_ceil(BLOCK_SECONDS);
        let in_time = due.saturating_add(hidden).min(publish_block);
        let block = if head.0 < in_time { in_time } else { head.0.saturating_add(UNSEEN_BLOCKS) };
        (block <= publish_block).then_some(Block(block))
    }

    pub(crate) fn publication_due(&self, block: u64) -> bool {
        block >= self.publish_block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::Epoch;

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
    fn the_last_round_leaves_room_for_its_commitments() {
        let table = timetable(12, 2, 4);
        let due =
            |table: Timetable| -> Vec<_> { (100..109).map(|at| table.rounds_due(at).count()).collect() };
        assert_eq!(due(table), [0, 1, 1, 1, 2, 2, 2, 2, 2]);
        assert_eq!(due(table.with_commitments(None)), due(table));
        assert_eq!(due(table.with_commitments(Some(3))), [0, 1, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(due(table.with_commitments(Some(100))), [0, 2, 2, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn checks_are_drawn_by_a_block_that_came_when_the_answers_were_in() {
        let draw =
            |table: &Timetable, round, head| table.draw_block(round, Duration::from_secs(30), Block(head));
        let table = timetable(360, 3, 4);
        assert_eq!((draw(&table, 0, 102), draw(&table, 0, 111)), (Some(Block(112)), Some(Block(112))));
        assert_eq!(draw(&table, 0, 112), Some(Block(120)), "late answers have a draw of their own");
        assert_eq!(draw(&table, 2, 455), None);
        let short = timetable(12, 3, 4);
        assert_eq!((draw(&short, 0, 101), draw(&short, 2, 107)), (Some(Block(108)), Some(Block(108))));
        assert_eq!(draw(&short, 2, 108), None);
    }

    #[test]
    fn a_very_short_epoch_still_asks_and_publishes() {
        let table = timetable(2, 3, 4);
        assert_eq!(table.rounds_due(101).count(), 3);
        assert!(table.publication_due(102));
    }
}
