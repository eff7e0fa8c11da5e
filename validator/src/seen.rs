//! The times at which the newest blocks were first seen, so that a reader of the journal can date them.

use std::collections::VecDeque;

use weighhouse_seams::UnixNanos;
use weighhouse_types::{Block, Record};

/// Blocks whose times are remembered.
const BLOCKS_MAX: usize = 64;

/// The newest blocks with the wall clock's time when each was first seen.
#[derive(Debug, Default)]
pub(crate) struct SeenBlocks(VecDeque<(Block, UnixNanos)>);

impl SeenBlocks {
    pub(crate) fn note(&mut self, block: Block, now: UnixNanos) {
        if self.0.iter().any(|(seen, _)| *seen == block) {
            return;
        }
        self.0.push_back((block, now));
        if self.0.len() > BLOCKS_MAX {
            self.0.pop_front();
        }
    }

    /// The record of a block's time; `None` where it wasn't seen, or too long ago.
    pub(crate) fn record(&self, block: Block) -> Option<Record> {
        let (block, UnixNanos(nanos)) = *self.0.iter().find(|(seen, _)| *seen == block)?;
        Some(Record::BlockSeen { block, unix_us: nanos / 1_000 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_time_of_its_first_sight_until_it_is_forgotten() {
        let mut seen = SeenBlocks::default();
        seen.note(Block(1), UnixNanos(5_000));
        seen.note(Block(1), UnixNanos(9_000));
        assert_eq!(seen.record(Block(1)), Some(Record::BlockSeen { block: Block(1), unix_us: 5 }));
        assert_eq!(seen.record(Block(2)), None);
        (2..66).for_each(|block| seen.note(Block(block), UnixNanos(block)));
        assert_eq!(seen.record(Block(1)), None);
    }
}
