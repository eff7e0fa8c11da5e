//! From a decision to weights that the chain shows: one intent, one payload, followed step by step.
//!
//! How weights reach the chain is the chain's own configuration ([`regime`]): plainly, as a timelocked commit that the
//! chain opens, or as a hash that is revealed later (`hidden`). Each step is journalled before the next begins, so a
//! killed process goes on where it was: the same signed bytes are handed in again until they are in a block or can't be
//! any more, and only then is the same payload signed anew.
//!
//! **Invariant:** `Published` is said only after a finalised block holds the call and the chain's stored weights equal
//! its own upscaling of the intent.

mod hidden;
mod queue;

use tracing::{error, info, warn};
use weighhouse_chain::explain::{Regime, regime};
use weighhouse_chain::{Call, ChainError, Outcome, Preflight, Refusal, SetWeights, Signed};
use weighhouse_journal::Publication;
use weighhouse_scoring::Decision;
use weighhouse_types::{Block, Intent, IntentState, IntentUpdate, Record, SubnetState, Uid};
use weighhouse_yuma::max_upscale;

use crate::epoch::OpenEpoch;
use crate::error::ValidatorError;
use crate::metrics;
use crate::parts::Parts;

pub(crate) use queue::Queue;

/// News of an intent; `None` while there is none.
type News = Result<Option<IntentState>, ChainError>;

pub(crate) fn update(intent: &Intent, state: IntentState) -> Record {
    Record::IntentUpdate(IntentUpdate { intent: intent.id, epoch: intent.epoch, state })
}

fn payload(intent: &Intent) -> SetWeights {
    SetWeights {
        netuid: intent.netuid,
        mechanism: intent.mechanism,
        uids: intent.weights.uids(),
        values: intent.weights.values(),
        version_key: intent.version_key,
    }
}

/// Weighs an epoch's records; the outcome comes as records to journal.
pub(crate) fn weigh(open: &OpenEpoch) -> Result<Vec<Record>, ValidatorError> {
    let context = open.context();
    let epoch = context.epoch;
    match open.weigh()? {
        Decision::Abstain { why, .. } => {
            warn!(%epoch, %why, "nothing to publish");
            metrics::publication("abstained");
            Ok(vec![Record::Abstained { epoch, why: why.to_string() }])
        }
        Decision::Weights { vector, version_key, .. } => {
            let (netuid, mechanism) = (context.netuid, context.mechanism);
            let id = Intent::digest(epoch, netuid, mechanism, &vector, version_key);
            let intent =
                Intent { id, epoch, netuid, mechanism, weights: vector, version_key, supersedes: None };
            Ok(vec![Record::Intent(intent)])
        }
    }
}

/// One step of a publication: what is new, to be journalled before [`effect`] is carried out.
pub(crate) async fn advance(
    parts: &Parts,
    publication: &Publication,
    open: Option<&OpenEpoch>,
    state: &SubnetState,
) -> News {
    let intent = &publication.intent;
    match &publication.state {
        None | Some(IntentState::Expired) => begin(parts, publication, open, state).await,
        Some(IntentState::Sealed { seal }) => match obstacle(intent, open, state) {
            Some(why) => Ok(Some(failed(intent, &why))),
            None => hidden::commit(parts, intent, seal, state).await,
        },
        Some(
            IntentState::Signed { extrinsic, hash, expires }
            | IntentState::Committing { extrinsic, hash, expires }
            | IntentState::Revealing { extrinsic, hash, expires },
        ) => {
            let signed = Signed { bytes: extrinsic.clone(), hash: *hash, expires: *expires };
            follow(parts, publication, &signed, state).await
        }
        Some(IntentState::Committed { block, epoch }) => {
            hidden::wait(parts, publication, (*block, *epoch), state).await
        }
        Some(IntentState::Included { block } | IntentState::Revealed { block }) => {
            confirm(parts, intent, *block).await
        }
        Some(IntentState::Published { .. } | IntentState::Failed { .. } | IntentState::Missed { .. }) => {
            Ok(None)
        }
    }
}

/// Hands journalled, signed bytes to the chain. Doing it twice has one effect.
pub(crate) async fn effect(parts: &Parts, publication: &Publication) {
    let Some(
        IntentState::Signed { extrinsic, hash, expires }
        | IntentState::Committing { extrinsic, hash, expires }
        | IntentState::Revealing { extrinsic, hash, expires },
    ) = &publication.state
    else {
        return;
    };
    let signed = Signed { bytes: extrinsic.clone(), hash: *hash, expires: *expires };
    if let Err(error) = parts.chain.submit(&signed).await {
        // Not the last word: the outcome is asked for at the next block.
        warn!(%error, epoch = %publication.intent.epoch, "the weights were not taken yet");
        metrics::chain_error();
    }
}

/// Signs plain weights, or seals them where the chain asks for a commit.
async fn begin(
    parts: &Parts,
    publication: &Publication,
    open: Option<&OpenEpoch>,
    state: &SubnetState,
) -> News {
    let intent = &publication.intent;
    if let Some(why) = obstacle(intent, open, state) {
        return Ok(Some(failed(intent, &why)));
    }
    let regime = regime(parts.chain.as_ref(), &state.hyperparameters).await?;
    if regime != Regime::Plain {
        return hidden::seal(parts, publication, regime, state).await;
    }
    let payload = payload(intent);
    let hotkey = parts.keypair.hotkey();
    let preflight = Preflight::read(parts.chain.as_ref(), state, intent.mechanism, &hotkey).await?;
    if let Err(refusal) = preflight.set(&payload) {
        postponed(intent, &refusal);
        return Ok(None);
    }
    let Signed { bytes, hash, expires } = parts.chain.sign(&parts.keypair, Call::SetWeights(payload)).await?;
    Ok(Some(IntentState::Signed { extrinsic: bytes, hash, expires }))
}

/// Why the intent is not to reach the chain any more.
fn obstacle(intent: &Intent, open: Option<&OpenEpoch>, state: &SubnetState) -> Option<String> {
    let of_now =
        |open: &&OpenEpoch| open.context().epoch == intent.epoch && state.schedule.epoch == intent.epoch;
    let Some(open) = open.filter(of_now) else {
        return Some("the epoch ended before the weights could be published".to_owned());
    };
    let pays = |uid: Uid| intent.weights.get(uid) > 0;
    let (_, uid) = open.departed(state).into_iter().find(|(_, uid)| pays(*uid))?;
    Some(format!("uid {uid} changed hands after it was weighed"))
}

async fn follow(parts: &Parts, publication: &Publication, signed: &Signed, state: &SubnetState) -> News {
    let reveals = matches!(publication.state, Some(IntentState::Revealing { .. }));
    let again = match publication.committed {
        Some((block, epoch)) if reveals => IntentState::Committed { block, epoch },
        _ => IntentState::Expired,
    };
    Ok(match parts.chain.outcome(signed).await? {
        Outcome::Included { block, .. } => Some(match &publication.state {
            Some(IntentState::Committing { .. }) => {
                let epoch = hidden::epoch_of(parts, publication, block, state).await?;
                info!(epoch = %publication.intent.epoch, %block, "weights committed");
                metrics::publication("committed");
                IntentState::Committed { block, epoch }
            }
            Some(IntentState::Revealing { .. }) => IntentState::Revealed { block },
            _ => IntentState::Included { block },
        }),
        // The chain's configuration changed on the way, or the call came a block early or late.
        Outcome::Refused { refusal, .. } if is_retryable(&refusal) => {
            postponed(&publication.intent, &refusal);
            Some(again)
        }
        Outcome::Refused { refusal, .. } if reveals => {
            Some(hidden::missed(&publication.intent, &refusal.to_string()))
        }
        Outcome::Refused { refusal, .. } => Some(failed(&publication.intent, &refusal.to_string())),
        Outcome::Expired => Some(again),
        Outcome::Pending => None,
    })
}

/// Tells whether the chain may take the same weights in another way or at another block.
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

async fn confirm(parts: &Parts, intent: &Intent, block: Block) -> News {
    let state = parts.chain.subnet(intent.netuid).await?;
    let Some(own) = state.metagraph.by_hotkey(&parts.keypair.hotkey()) else {
        return Ok(Some(failed(intent, "our hotkey lost its uid before the weights could be read back")));
    };
    let stored = parts.chain.weights(intent.netuid, intent.mechanism, own.uid).await?;
    if stored != upscaled(intent) {
        return Ok(Some(failed(intent, "the weights read back are not the ones that were sent")));
    }
    Ok(Some(published(intent, block)))
}

/// What the chain stores for an intent.
fn upscaled(intent: &Intent) -> Vec<(Uid, u16)> {
    intent.weights.uids().into_iter().zip(max_upscale(&intent.weights.values())).collect()
}

fn published(intent: &Intent, block: Block) -> IntentState {
    metrics::published(intent.epoch);
    info!(epoch = %intent.epoch, %block, uids = intent.weights.entries().len(), "weights published");
    IntentState::Published { block }
}

fn failed(intent: &Intent, why: &str) -> IntentState {
    error!(epoch = %intent.epoch, why, "the weights were not published");
    metrics::publication("failed");
    IntentState::Failed { why: why.to_owned() }
}

fn postponed(intent: &Intent, refusal: &Refusal) {
    let epoch = intent.epoch;
    warn!(%epoch, %refusal, "the chain refuses the weights now; trying again at the next block");
}

#[cfg(test)]
pub(crate) mod tests;
