//! A subnet's place in its epochs, under either of the chain's schedules.

use weighhouse_types::{Block, Epoch, Netuid, Schedule};

/// The schedule before `LastEpochBlock`: an epoch is computed in each block whose number plus the netuid plus one
/// leaves the remainder `tempo` when divided by `tempo + 1`. Epochs are `tempo + 1` blocks long.
pub(super) fn modulo(netuid: Netuid, tempo: u16, head: Block, blocks_since_last_step: u64) -> Schedule {
    let shifted = head.0.saturating_add(u64::from(netuid.0)).saturating_add(1);
    let length = u64::from(tempo) + 1;
    let since = (shifted % length + 1) % length;
    // Before the subnet's first epoch the last one would lie before the chain's first block.
    let last_epoch_block = Block(head.0.saturating_sub(since));
    Schedule {
        epoch: Epoch(shifted.saturating_add(1) / length),
        last_epoch_block,
        tempo: if tempo == 0 { 0 } else { tempo.saturating_add(1) },
        pending_epoch_at: None,
        blocks_since_last_step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_of_the_modulo_schedule_come_where_the_runtime_computes_them() {
        for (netuid, tempo) in [(2, 10), (1, 360), (0, 100), (12, 99), (3, 1)] {
            let mut epochs = 0;
            for block in 400..4000 {
                let before = modulo(Netuid(netuid), tempo, Block(block - 1), 0);
                let runs = (block + u64::from(netuid) + 1) % (u64::from(tempo) + 1) == u64::from(tempo);
                assert_eq!(before.next_epoch_block() == Some(Block(block)), runs, "{netuid} {tempo} {block}");
                let after = modulo(Netuid(netuid), tempo, Block(block), 0);
                assert_eq!(after.epoch.0 - before.epoch.0, u64::from(runs));
                assert_eq!(after.last_epoch_block == Block(block), runs);
                epochs += u64::from(runs);
            }
            assert!(epochs >= 9);
        }
        assert_eq!(modulo(Netuid(1), 0, Block(5), 0).next_epoch_block(), None);
    }
}
