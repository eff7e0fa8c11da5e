//! A call that is in a block, or was to be, and whose outcome the chain keeps no more: settled by what it still shows.
//!
//! The block of our last update is the block of weights or of a commit of ours, and of nothing else; a reveal leaves none, but
//! takes its commit away. What can't be told by these is never called published.

use weighhouse_chain::{Chain, ChainError, SignedCall};
use weighhouse_journal::Publication;
use weighhouse_types::{Block, IntentState, MechId, Neuron, SubnetState};

use super::machine::Event;
use super::{Publisher, hidden, payload};

/// Blocks for which a signed call can be included, on either chain.
const LIFETIME_BLOCKS: u64 = 64;

/// Finds what became of the call in flight. `block` is the one that holds it, where that is known.
pub(super) async fn settle(
    publisher: &Publisher,
    publication: &Publication,
    call: &SignedCall,
    (block, why): (Option<Block>, &ChainError),
) -> Result<Event, ChainError> {
    let intent = &publication.intent;
    let chain = publisher.chain.as_ref();
    let state = chain.subnet(intent.netuid).await?;
    let Some(own) = state.metagraph.by_hotkey(&publisher.keypair.hotkey()) else {
        return Ok(Event::Lost(
            "our hotkey lost its uid, and nothing tells what became of the call".to_owned(),
        ));
    };
    let updated = last_update(chain, &state, intent.mechanism, own).await?;
    let is_own = match block {
        Some(block) => updated == block,
        None => updated <= call.expires && updated.0.saturating_add(LIFETIME_BLOCKS) > call.expires.0,
    };
    let lost = || {
        Event::Lost(format!(
            "nothing tells any more what became of the call ({why}); our last update is block {updated}"
        ))
    };
    Ok(match &publication.state {
        // Whether they are the intent's, reading back tells.
        Some(IntentState::Signed { .. }) if is_own => Event::Included(updated),
        Some(IntentState::Committing { .. }) if is_own => {
            let epoch = hidden::commit_epoch(publisher, publication, updated, &state).await?;
            Event::CommitIncluded(updated, epoch)
        }
        Some(IntentState::Revealing { .. }) => {
            let due = publication
                .committed
                .map_or(0, |(_, epoch)| epoch.0.saturating_add(state.hyperparameters.reveal_period_epochs));
            let is_due = state.schedule.epoch.0 == due;
            let waits = hidden::unopened_commit(publisher, publication).await?.is_some();
            let stored = chain.weights(intent.netuid, intent.mechanism, own.uid).await?;
            match (is_due, waits, stored == payload::stored(intent)) {
                // A commit that is gone before its time is over was revealed, and by us alone.
                (true, false, true) => Event::Included(block.unwrap_or(state.head.number)),
                (true, true, _) => Event::NotTaken(None),
                _ => lost(),
            }
        }
        _ => lost(),
    })
}

/// The block of a neuron's last weights, commit or registration in a mechanism.
pub(crate) async fn last_update(
    chain: &dyn Chain,
    state: &SubnetState,
    mechanism: MechId,
    own: &Neuron,
) -> Result<Block, ChainError> {
    // The metagraph shows mechanism 0's.
    if mechanism == MechId(0) {
        return Ok(own.last_update);
    }
    let rows = chain.mechanism(state.metagraph.netuid, mechanism).await?;
    Ok(rows.last_update.get(own.uid.index()).copied().unwrap_or(own.last_update))
}
