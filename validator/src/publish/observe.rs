//! The chain as one publication meets it: reading it, and signing for it, up to the next event.
//!
//! Nothing here changes a publication or hands a call in: the event decides the next state, and only a state that is
//! journalled may act.

use weighhouse_chain::explain::{Regime, regime};
use weighhouse_chain::{Call, CallOutcome, ChainError, Preflight, Refusal, SignedCall};
use weighhouse_journal::Publication;
use weighhouse_types::{Block, EpochContext, Intent, IntentState, SubnetState, Uid};

use super::machine::{Event, call_in_flight};
use super::supersede::is_of_changed_rules;
use super::{Publisher, hidden, lost, payload};
use crate::epoch::departed;

/// Finds what happened to a publication, or takes its next step up to a signature.
pub(super) async fn observe(
    publisher: &Publisher,
    publication: &Publication,
    open: Option<&EpochContext>,
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let intent = &publication.intent;
    // First of all: while a signed call may still be included, nothing else may be decided.
    if let Some(call) = call_in_flight(publication.state.as_ref()) {
        return outcome(publisher, publication, &call, state).await;
    }
    match &publication.state {
        None | Some(IntentState::Expired) => match obstacle(intent, open, state) {
            Some(why) => Ok(Event::Obstructed(why)),
            None => begin(publisher, publication, state).await,
        },
        Some(IntentState::Sealed { seal }) => match obstacle(intent, open, state) {
            Some(why) => Ok(Event::Obstructed(why)),
            None => hidden::commit(publisher, intent, seal, state).await,
        },
        Some(IntentState::Committed { block, epoch }) => {
            hidden::look_after(publisher, publication, (*block, *epoch), state).await
        }
        Some(IntentState::Included { block } | IntentState::Revealed { block }) => {
            read_back(publisher, intent, *block).await
        }
        _ => Ok(Event::Nothing),
    }
}

/// Finds a reason for which the intent must not reach the chain any more.
fn obstacle(intent: &Intent, open: Option<&EpochContext>, state: &SubnetState) -> Option<String> {
    let is_current =
        |open: &&EpochContext| open.epoch == intent.epoch && state.schedule.epoch == intent.epoch;
    let Some(open) = open.filter(is_current) else {
        return Some("the epoch ended before the weights could be published".to_owned());
    };
    // A uid that gets nothing may change hands freely: no weight would reach the wrong holder.
    let pays = |uid: Uid| intent.weights.get(uid) > 0;
    let (_, uid) = departed(open, state).into_iter().find(|(_, uid)| pays(*uid))?;
    Some(format!("uid {uid} changed hands after it was weighed"))
}

/// Signs plain weights, or seals them where the chain asks for a commit.
async fn begin(
    publisher: &Publisher,
    publication: &Publication,
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let regime = regime(publisher.chain.as_ref(), &state.hyperparameters).await?;
    if regime != Regime::Plain {
        return hidden::seal(publisher, publication, regime, state).await;
    }
    let intent = &publication.intent;
    let weights = payload::set_weights(intent);
    let hotkey = publisher.keypair.hotkey();
    let preflight = Preflight::read(publisher.chain.as_ref(), state, intent.mechanism, &hotkey).await?;
    // A call that the chain refuses still costs a fee, so its rules are asked before signing.
    if let Err(refusal) = preflight.set(&weights) {
        return Ok(Event::Postponed(refusal));
    }
    Ok(Event::Signed(publisher.chain.sign(&publisher.keypair, Call::SetWeights(weights)).await?))
}

/// Asks what became of the call in flight.
async fn outcome(
    publisher: &Publisher,
    publication: &Publication,
    call: &SignedCall,
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let outcome = match publisher.chain.outcome(call).await {
        Ok(outcome) => outcome,
        Err(error) => match forgotten(&error) {
            Some(block) => return lost::settle(publisher, publication, call, (block, &error)).await,
            None => return Err(error),
        },
    };
    Ok(match outcome {
        CallOutcome::Pending => Event::Nothing,
        CallOutcome::Expired => Event::NotTaken(None),
        CallOutcome::Refused { refusal, .. } if is_retryable(&refusal) => Event::NotTaken(Some(refusal)),
        // Mended by another form of the same weights, which comes next.
        CallOutcome::Refused { refusal, .. }
            if is_of_changed_rules(&refusal)
                && matches!(publication.state, Some(IntentState::Signed { .. })) =>
        {
            Event::NotTaken(Some(refusal))
        }
        CallOutcome::Refused { refusal, .. } => Event::Refused(refusal),
        CallOutcome::Included { block, .. } => match &publication.state {
            Some(IntentState::Committing { .. }) => Event::CommitIncluded(
                block,
                hidden::commit_epoch(publisher, publication, block, state).await?,
            ),
            _ => Event::Included(block),
        },
    })
}

/// Tells whether the chain keeps an outcome no more, so that asking again would fail for ever; and the call's block, where it
/// is known.
fn forgotten(error: &ChainError) -> Option<Option<Block>> {
    match error {
        ChainError::OutcomeDiscarded { block } => Some(Some(*block)),
        ChainError::Discarded { .. } => Some(None),
        ChainError::NoBlock { block, head } if block <= head => Some(None),
        _ => None,
    }
}

/// Tells whether the chain may take the same weights in another way or at another block: its configuration changed on the
/// way, or the call came a block early or late.
fn is_retryable(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::CommitRevealEnabled
            | Refusal::CommitRevealDisabled
            | Refusal::IncorrectCommitRevealVersion { .. }
            | Refusal::InvalidRevealRound { .. }
            | Refusal::SettingWeightsTooFast { .. }
            | Refusal::CommittingWeightsTooFast { .. }
            | Refusal::RevealTooEarly { .. }
    )
}

/// Compares the weights that the chain stores with the intent's.
async fn read_back(publisher: &Publisher, intent: &Intent, block: Block) -> Result<Event, ChainError> {
    // The state at hand may be from before the call's block.
    let state = publisher.chain.subnet(intent.netuid).await?;
    let Some(own) = state.metagraph.by_hotkey(&publisher.keypair.hotkey()) else {
        let why = "our hotkey lost its uid before the weights could be read back";
        return Ok(Event::NotShown(why.to_owned()));
    };
    let stored = publisher.chain.weights(intent.netuid, intent.mechanism, own.uid).await?;
    // Equal after the chain's own upscaling, which is what it stores.
    if stored == payload::stored(intent) {
        return Ok(Event::ReadBack(block));
    }
    Ok(Event::NotShown("the weights read back are not the ones that were sent".to_owned()))
}
