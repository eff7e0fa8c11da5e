//! Whether the chain has opened a timelocked commit, by its own word.
//!
//! Equal weights don't tell: where a vector is that of the epoch before, a commit that was dropped leaves the same row. The
//! chain says of each commit that it opens whose it was, in the events of that block.

use weighhouse_chain::{ChainError, Event as ChainEvent};
use weighhouse_journal::Publication;
use weighhouse_types::{Block, Intent, Schedule, SubnetState};

use super::hidden::unopened_commit;
use super::machine::Event;
use super::{Publisher, payload};

/// Blocks that are looked through at once: as many as a pruning node keeps the events of.
const BLOCKS_MAX: u64 = 256;

enum Opening {
    Told,
    /// No block of its epoch says so.
    NotTold,
    /// The blocks that would say so can't be read any more.
    Lost(String),
}

/// Finds whether the chain has opened a commit of this block, which was due in an epoch; the weights that it shows then
/// decide. `now` is the next block's epoch.
pub(super) async fn opened(
    publisher: &Publisher,
    publication: &Publication,
    block: Block,
    (due, now): (u64, u64),
) -> Result<Event, ChainError> {
    let intent = &publication.intent;
    if unopened_commit(publisher, publication).await?.is_some() {
        if now <= due {
            return Ok(Event::Nothing);
        }
        let why = format!("the chain did not open the commit of block {block} in epoch {due}");
        return Ok(Event::NotShown(why));
    }
    // Anew: the commit may have gone in a block after the state at hand.
    let state = publisher.chain.subnet(intent.netuid).await?;
    let Some(own) = state.metagraph.by_hotkey(&publisher.keypair.hotkey()) else {
        return Ok(Event::NotShown("our hotkey lost its uid before the weights were opened".to_owned()));
    };
    let stored = publisher.chain.weights(intent.netuid, intent.mechanism, own.uid).await?;
    if stored != payload::stored(intent) {
        let why =
            format!("the chain dropped the commit of block {block}, or shows other weights in its place");
        return Ok(Event::NotShown(why));
    }
    Ok(match opening(publisher, intent, (block, due), &state).await? {
        Opening::Told => Event::ReadBack(state.head.number),
        Opening::NotTold => Event::NotShown(format!(
            "the chain dropped the commit of block {block}: the weights that it shows are those of an earlier epoch"
        )),
        Opening::Lost(why) => Event::NotShown(format!(
            "the chain shows these weights, but nothing tells any more whether it opened the commit of block {block}, or they \
             are those of an earlier epoch: {why}"
        )),
    })
}

/// Looks through the blocks of the epoch in which a commit was due.
async fn opening(
    publisher: &Publisher,
    intent: &Intent,
    (committed, due): (Block, u64),
    state: &SubnetState,
) -> Result<Opening, ChainError> {
    let told = ChainEvent::TimelockedWeightsRevealed {
        netuid: intent.netuid,
        mechanism: intent.mechanism,
        hotkey: publisher.keypair.hotkey(),
    };
    let (first, last) = blocks_of(&state.schedule, due, state.head.number);
    let first = Block(first.0.max(committed.0.saturating_add(1)));
    let kept = Block(first.0.max(state.head.number.0.saturating_sub(BLOCKS_MAX - 1)));
    let mut lost = (kept > first).then(|| format!("block {first} is long gone"));
    // The oldest first: the chain opens what is due as soon as its epoch begins.
    for block in (kept.0..=last.0).map(Block) {
        match publisher.chain.hook_events(block).await {
            Ok(events) if events.contains(&told) => return Ok(Opening::Told),
            Ok(_) => {}
            Err(
                error @ (ChainError::Discarded { .. }
                | ChainError::NoBlock { .. }
                | ChainError::Unsupported { .. }),
            ) => lost = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(lost.map_or(Opening::NotTold, Opening::Lost))
}

/// The first and the last block of an epoch up to the head; of one that is over, by the subnet's regular tempo.
fn blocks_of(schedule: &Schedule, epoch: u64, head: Block) -> (Block, Block) {
    let ago = schedule.epoch.0.saturating_sub(epoch);
    let back = |epochs: u64| {
        schedule.last_epoch_block.0.saturating_sub(u64::from(schedule.tempo).saturating_mul(epochs))
    };
    match ago {
        0 => (schedule.last_epoch_block, head),
        ago => (Block(back(ago)), Block(back(ago - 1).saturating_sub(1))),
    }
}

#[cfg(test)]
mod tests {
    use weighhouse_types::Epoch;

    use super::*;

    #[test]
    fn an_epoch_has_the_blocks_from_its_computation_to_the_next_ones() {
        let schedule = Schedule {
            epoch: Epoch(5),
            last_epoch_block: Block(1_000),
            tempo: 100,
            pending_epoch_at: None,
            blocks_since_last_step: 0,
        };
        assert_eq!(blocks_of(&schedule, 5, Block(1_030)), (Block(1_000), Block(1_030)));
        assert_eq!(blocks_of(&schedule, 4, Block(1_030)), (Block(900), Block(999)));
        assert_eq!(blocks_of(&schedule, 3, Block(1_030)), (Block(800), Block(899)));
        assert_eq!(blocks_of(&schedule, 6, Block(1_030)), (Block(1_000), Block(1_030)));
    }
}
