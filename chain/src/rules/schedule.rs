//! When a subnet's epoch runs: the dynamic schedule, anchored on the block of the last epoch.

use weighhouse_types::{Block, Schedule};

/// The chain's longest tempo, and the longest time between two epochs whatever the schedule says.
pub(crate) const TEMPO_MAX: u16 = 50_400;

/// Epochs computed in one block; further subnets that are due wait for the next block.
pub(crate) const EPOCHS_PER_BLOCK_MAX: usize = 2;

/// Before a triggered epoch, and before each epoch in which the owner can't change the tempo.
const FREEZE_BLOCKS: u64 = 10;

/// The chain's freeze window; half the tempo where that is shorter, as no tempo of the chain's is.
pub(crate) fn freeze_blocks(tempo: u16) -> u64 {
    FREEZE_BLOCKS.min(u64::from(tempo) / 2)
}

/// True where the subnet's epoch is computed in this block.
pub(crate) fn should_run_epoch(schedule: &Schedule, block: Block) -> bool {
    if schedule.tempo == 0 {
        return false;
    }
    schedule.pending_epoch_at.is_some_and(|pending| block >= pending)
        || schedule.blocks_since_last_step > u64::from(TEMPO_MAX)
        || block.saturating_since(schedule.last_epoch_block) >= u64::from(schedule.tempo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::Epoch;

    fn schedule(tempo: u16, last: u64, pending: Option<u64>, since: u64) -> Schedule {
        Schedule {
            epoch: Epoch(0),
            last_epoch_block: Block(last),
            tempo,
            pending_epoch_at: pending.map(Block),
            blocks_since_last_step: since,
        }
    }

    #[test]
    fn next_epoch_blocks_are_the_chains() {
        let vectors = crate::vectors::load("yuma/schedule_weights_mechanism_vectors.json");
        let cases = vectors["next_epoch_start_block"].as_array().expect("cases");
        let mut checked = 0;
        for case in cases.iter().filter(|case| case.get("tempo").is_some()) {
            let last = case["last_epoch_block"].as_u64().unwrap_or(0);
            let pending = case["pending"].as_u64().filter(|block| *block > 0);
            let tempo = u16::try_from(case["tempo"].as_u64().expect("a tempo")).expect("u16");
            let schedule = schedule(tempo, last, pending, 0);
            assert_eq!(schedule.next_epoch_block().map(|block| block.0), case["expected"].as_u64(), "{case}");
            if let Some(next) = schedule.next_epoch_block() {
                assert!(should_run_epoch(&schedule, next), "{case}");
                assert!(!should_run_epoch(&schedule, Block(next.0 - 1)), "{case}");
            }
            checked += 1;
        }
        assert!(checked >= 4, "the vectors hold {checked} cases");
    }

    #[test]
    fn a_subnet_without_tempo_never_runs() {
        assert!(!should_run_epoch(&schedule(0, 0, Some(1), 60_000), Block(100_000)));
    }

    #[test]
    fn too_long_without_a_step_runs_whatever_the_schedule_says() {
        assert!(!should_run_epoch(&schedule(TEMPO_MAX, 100, None, 50_400), Block(200)));
        assert!(should_run_epoch(&schedule(TEMPO_MAX, 100, None, 50_401), Block(200)));
    }
}
