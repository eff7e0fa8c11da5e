//! Commit-reveal: which epoch a commit belongs to, when it is revealed, and what is hashed or encrypted for that.
//!
//! A commit belongs to the epoch that the chain's counter shows with the next block's epoch counted ahead, and is
//! revealed in exactly the epoch that is the reveal period later. When that is, a validator finds by walking the
//! subnet's schedule; the netuid is no part of it.

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use parity_scale_codec::Encode;
use weighhouse_seams::UnixNanos;
use weighhouse_types::{Block, Digest, Epoch, Hotkey, MechId, Netuid, Rounds, Schedule, Uid};

use crate::rules::hyperparameters::REVEAL_PERIOD_MAX;
use crate::rules::schedule::{TEMPO_MAX, should_run_epoch};

/// Commits of one hotkey in one mechanism that wait at once.
pub(crate) const UNREVEALED_MAX: usize = 10;

/// The only version of timelocked commits.
pub(crate) const COMMIT_VERSION: u16 = 4;

/// Subnets that one storage index has room for: mechanism `m` of subnet `n` is at `m * 4096 + n`.
const SUBNETS: u16 = 4096;

/// Blocks after the first block of the reveal for which a clock's round is chosen: by then it is on the chain.
const PULSE_DELAY_BLOCKS: u64 = 3;

/// The index under which the chain keeps a mechanism's weights, and that a hash commit is bound to.
pub fn storage_index(netuid: Netuid, mechanism: MechId) -> u16 {
    u16::from(mechanism.0).saturating_mul(SUBNETS).saturating_add(netuid.0)
}

/// The hash of a commit: BLAKE2b-256 over the SCALE of the hotkey, the storage index, the weights and the salt.
pub fn commit_hash(
    hotkey: &Hotkey,
    storage_index: u16,
    uids: &[Uid],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> Digest {
    blake2_256(&(hotkey, storage_index, uids, values, salt, version_key).encode())
}

pub(crate) fn blake2_256(bytes: &[u8]) -> Digest {
    Digest(Blake2b::<U32>::digest(bytes).into())
}

/// The epoch that a commit in this block belongs to, and that a reveal in it happens in.
pub fn epoch_at(schedule: &Schedule, block: Block) -> Epoch {
    if should_run_epoch(schedule, block) { schedule.epoch.next() } else { schedule.epoch }
}

/// The schedule after a block in which no other subnet's epochs were in the way.
pub fn after_block(schedule: &Schedule, block: Block) -> Schedule {
    let blocks_since_last_step = schedule.blocks_since_last_step.saturating_add(1);
    let next = Schedule { blocks_since_last_step, ..*schedule };
    if !should_run_epoch(&next, block) {
        return next;
    }
    Schedule {
        epoch: next.epoch.next(),
        last_epoch_block: block,
        pending_epoch_at: None,
        blocks_since_last_step: 0,
        ..next
    }
}

/// The first block that reveals what is committed in the block after `head`, if the schedule stays as it is; `None`
/// where the subnet doesn't run.
pub fn first_reveal_block(schedule: &Schedule, head: Block, reveal_period: u64) -> Option<Block> {
    // An endpoint's figure: walking a longer period would never end.
    if reveal_period > REVEAL_PERIOD_MAX {
        return None;
    }
    let committed = Block(head.0.checked_add(1)?);
    let target = epoch_at(schedule, committed).0.checked_add(reveal_period)?;
    // Whatever the schedule says, no epoch waits longer than the longest tempo.
    let blocks_max = u64::from(TEMPO_MAX).checked_mul(reveal_period.checked_add(1)?)?;
    let mut schedule = *schedule;
    for block in (committed.0..=committed.0.checked_add(blocks_max)?).map(Block) {
        if epoch_at(&schedule, block).0 == target {
            return Some(block);
        }
        schedule = after_block(&schedule, block);
    }
    None
}

/// The beacon's round to encrypt to, so that the chain has it when it first may reveal and hardly before.
pub fn reveal_round(rounds: &Rounds, now: UnixNanos, head: Block, first_reveal: Block) -> u64 {
    match *rounds {
        Rounds::Blocks => first_reveal.0,
        Rounds::Clock { genesis, period, block_millis } => {
            const NANOS: u128 = 1_000_000_000;
            let blocks = u128::from(first_reveal.saturating_since(head).saturating_add(PULSE_DELAY_BLOCKS));
            let then = u128::from(now.0) + blocks * u128::from(block_millis) * 1_000_000;
            let since = then.saturating_sub(u128::from(genesis) * NANOS);
            // A chain may claim a period of 0.
            let round = since / (u128::from(period.max(1)) * NANOS);
            // drand counts its rounds from 1.
            u64::try_from(round).unwrap_or(u64::MAX).max(1)
        }
    }
}

#[cfg(test)]
mod tests;
