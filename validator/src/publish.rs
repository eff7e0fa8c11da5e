//! From a decision to weights that the chain shows: one intent, one payload, followed step by step.
//!
//! The chain's own configuration says how weights reach it: plainly, as a timelocked commit that the chain opens, or as a
//! hash that is revealed later. All three are one state machine (`machine`). At each block [`advance`] lets `observe` find
//! an event (with `hidden` for the two ways of commit-reveal), the machine names the next state, the role journals it,
//! and only then [`submit`] hands the state's signed call in. A killed process goes on where it was: the same signed
//! bytes are handed in again until they are in a block or can't be any more, and only then is the same payload signed
//! anew.
//!
//! **Invariant:** `Published` is said only after a finalised block holds the call, or says that it opened our commit, and
//! the chain's stored weights equal its own upscaling of the intent.

mod hidden;
mod lost;
mod machine;
mod observe;
mod opening;
mod payload;
mod publisher;
mod queue;
mod supersede;
mod turns;

use tracing::{error, info, warn};
use weighhouse_chain::ChainError;
use weighhouse_journal::Publication;
use weighhouse_scoring::{Decision, WeighError};
use weighhouse_seams::UnixNanos;
use weighhouse_types::{Block, Epoch, EpochContext, Intent, IntentState, IntentUpdate, Record, SubnetState};

use crate::epoch::OpenEpoch;
use crate::metrics;

use machine::Event;

pub(crate) use lost::last_update;
pub(crate) use payload::stored;
pub(crate) use publisher::Publisher;
pub(crate) use queue::PublicationQueue;
pub(crate) use turns::Turns;

/// Weighs an epoch's records; the outcome comes as a record to journal.
pub(crate) fn weigh(open: &OpenEpoch) -> Result<Record, WeighError> {
    let context = open.context();
    let epoch = context.epoch;
    let (decision, mining_burn) = open.weigh()?;
    if let Some(burn) = &mining_burn {
        warn!(%epoch, "{burn}");
    }
    metrics::burn_excess(mining_burn.map_or(0.0, |burn| burn.gets - burn.share.to_f64()));
    Ok(match decision {
        Decision::Abstain { why, .. } => {
            warn!(%epoch, %why, "nothing to publish");
            metrics::publication("abstained");
            Record::Abstained { epoch, why: why.to_string() }
        }
        Decision::Weights { vector, version_key, .. } => {
            let (netuid, mechanism) = (context.netuid, context.mechanism);
            let id = Intent::digest(epoch, netuid, mechanism, &vector, version_key);
            Record::Intent(Intent {
                id,
                epoch,
                netuid,
                mechanism,
                weights: vector,
                version_key,
                supersedes: None,
            })
        }
    })
}

/// Its name where people are told of it.
const STATE: &str = "publication";

/// A publication's next step. The caller journals it before anything else.
enum Advance {
    /// There is nothing new.
    Not,
    To(IntentState),
    /// The chain's rules changed: this intent takes its place.
    Superseded(Intent),
}

/// Finds the next step of a publication.
async fn advance(
    publisher: &Publisher,
    publication: &Publication,
    queue: &mut PublicationQueue,
    (open, state): (Option<&EpochContext>, &SubnetState),
) -> Result<Advance, ChainError> {
    let epoch = publication.intent.epoch;
    let mut event = observe::observe(publisher, publication, open, state).await?;
    match &mut event {
        Event::Postponed(refusal) | Event::NotTaken(Some(refusal)) => {
            if let Some(intent) = supersede::successor(publication, refusal, state) {
                return Ok(Advance::Superseded(intent));
            }
            // At each block again, and told once.
            if queue.refuse(epoch, refusal) {
                warn!(%epoch, %refusal, "the chain refuses the weights now; trying again at each block");
            }
        }
        Event::Obstructed(why) | Event::NotShown(why) => {
            if let Some(refusal) = queue.refusal(epoch) {
                why.push_str(&format!(" (the chain's last word against them: {refusal})"));
            }
        }
        Event::Signed(_) => queue.accept(epoch),
        _ => {}
    }
    Ok(machine::next(publication, event).map_or(Advance::Not, Advance::To))
}

/// The record of an intent's new state.
fn update(intent: &Intent, state: IntentState) -> Record {
    Record::IntentUpdate(IntentUpdate { intent: intent.id, epoch: intent.epoch, state })
}

/// Tells the operator of an intent that was just journalled in the place of another.
fn superseded(intent: &Intent) {
    let (epoch, version_key) = (intent.epoch, intent.version_key);
    let why = intent.supersedes.as_ref().map_or("", |(_, why)| why.as_str());
    warn!(%epoch, version_key, uids = intent.weights.entries().len(), why, "the weights are sent in another form");
}

/// Tells the operator of a state that was just journalled.
fn report(intent: &Intent, state: &IntentState, now: UnixNanos) {
    let epoch = intent.epoch;
    match state {
        IntentState::Committed { block, .. } => {
            info!(%epoch, %block, "weights committed");
            metrics::publication("committed");
        }
        IntentState::Published { block } => {
            info!(state = STATE, turned = "good", %epoch, %block, uids = intent.weights.entries().len(), "weights published");
            metrics::published(epoch, now);
        }
        IntentState::Failed { why } => {
            error!(state = STATE, turned = "bad", %epoch, why, "the weights were not published");
            metrics::publication("failed");
        }
        IntentState::Missed { why } => {
            error!(state = STATE, turned = "bad", %epoch, why, "the weights were committed to and never revealed");
            metrics::publication("missed");
        }
        _ => {}
    }
}

/// Tells the operator of weights or a commit that came into a block after their epoch had ended.
pub(crate) fn late(epoch: Epoch, block: Block, end: Block) {
    warn!(
        %epoch, %block, %end,
        "the weights, or the commit to them, came after their epoch had ended and count from the next one on: raise publish.margin_blocks, or look at the endpoints in chain.endpoints"
    );
    metrics::publication("late");
}

/// Tells the operator of epochs that ended before they were weighed, from the first of them to the one before `now`.
pub(crate) fn passed(first: Epoch, now: Epoch) {
    let Some(count) = now.0.checked_sub(first.0).filter(|count| *count > 0) else { return };
    let last = Epoch(now.0 - 1);
    error!(
        state = STATE, turned = "bad", %first, %last,
        "{count} epochs ended before they were weighed: the validator was away, behind or without a permit, and published nothing for them"
    );
    metrics::passed(count, last);
}

/// Hands a publication's journalled, signed call to the chain, where its state has one. Doing it twice has one effect.
async fn submit(publisher: &Publisher, publication: &Publication) {
    let Some(call) = machine::call_in_flight(publication.state.as_ref()) else { return };
    if let Err(error) = publisher.chain.submit(&call).await {
        // Not the last word: the outcome is asked for at the next block.
        warn!(%error, epoch = %publication.intent.epoch, "the weights were not taken yet");
        metrics::chain_error();
    }
}

#[cfg(test)]
pub(crate) mod tests;
