//! From a decision to weights that the chain shows: one intent, one payload, followed step by step.
//!
//! Each step is journalled before the next begins, so a killed process goes on where it was: the same signed bytes
//! are handed in again until they are in a block or can't be any more, and only then is the same payload signed anew.
//!
//! **Invariant:** `Published` is said only after a finalised block holds the call and the chain's stored weights equal
//! its own upscaling of the intent.

use tracing::{error, info, warn};
use weighhouse_chain::rules::preflight;
use weighhouse_chain::{Call, ChainError, Outcome, SetWeights, Signed};
use weighhouse_scoring::{Decision, max_upscale};
use weighhouse_types::{Block, Intent, IntentState, IntentUpdate, Record, SubnetState, Uid};

use crate::epoch::OpenEpoch;
use crate::metrics;
use crate::role::{Parts, ValidatorError};

/// An intent and how far it has come.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) intent: Intent,
    /// `None`: not signed yet.
    pub(crate) state: Option<IntentState>,
}

impl Publication {
    /// The newest intent among records, with its latest state.
    pub(crate) fn from_records(records: &[Record]) -> Option<Self> {
        let (_, newest) = weighhouse_journal::publications(records).pop_last()?;
        Some(Self { intent: newest.intent.clone(), state: newest.state.cloned() })
    }

    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.state, Some(IntentState::Published { .. } | IntentState::Failed { .. }))
    }

    pub(crate) fn is_published(&self) -> bool {
        matches!(self.state, Some(IntentState::Published { .. }))
    }

    pub(crate) fn update(&self, state: IntentState) -> Record {
        Record::IntentUpdate(IntentUpdate { intent: self.intent.id, epoch: self.intent.epoch, state })
    }

    fn payload(&self) -> SetWeights {
        SetWeights {
            netuid: self.intent.netuid,
            mechanism: self.intent.mechanism,
            uids: self.intent.weights.uids(),
            values: self.intent.weights.values(),
            version_key: self.intent.version_key,
        }
    }
}

/// What weighing an epoch's records came to, as records to journal.
pub(crate) fn decide(open: &OpenEpoch) -> Result<Vec<Record>, ValidatorError> {
    let context = open.context();
    let epoch = context.epoch;
    match weighhouse_scoring::weigh(open.records())? {
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

/// One step of a publication: the record of what is new, to be journalled before [`effect`] is carried out.
pub(crate) async fn advance(
    parts: &Parts,
    publication: &Publication,
    open: Option<&OpenEpoch>,
    state: &SubnetState,
) -> Result<Option<Record>, ChainError> {
    match &publication.state {
        None | Some(IntentState::Expired) => sign(parts, publication, open, state).await,
        Some(IntentState::Signed { extrinsic, hash, expires }) => {
            let signed = Signed { bytes: extrinsic.clone(), hash: *hash, expires: *expires };
            follow(parts, publication, &signed).await
        }
        Some(IntentState::Included { block }) => confirm(parts, publication, *block).await,
        Some(IntentState::Published { .. } | IntentState::Failed { .. }) => Ok(None),
    }
}

/// Hands a journalled, signed extrinsic to the chain. Doing it twice has one effect.
pub(crate) async fn effect(parts: &Parts, publication: &Publication) {
    let Some(IntentState::Signed { extrinsic, hash, expires }) = &publication.state else {
        return;
    };
    let signed = Signed { bytes: extrinsic.clone(), hash: *hash, expires: *expires };
    if let Err(error) = parts.chain.submit(&signed).await {
        // Not the last word: the outcome is asked for at the next block.
        warn!(%error, epoch = %publication.intent.epoch, "the weights were not taken yet");
        metrics::chain_error();
    }
}

async fn sign(
    parts: &Parts,
    publication: &Publication,
    open: Option<&OpenEpoch>,
    state: &SubnetState,
) -> Result<Option<Record>, ChainError> {
    let epoch = publication.intent.epoch;
    let Some(open) = open.filter(|open| open.context().epoch == epoch && state.schedule.epoch == epoch)
    else {
        return Ok(Some(failed(publication, "the epoch ended before the weights could be published")));
    };
    let pays = |uid: Uid| publication.intent.weights.get(uid) > 0;
    if let Some((_, uid)) = open.departed(state).into_iter().find(|(_, uid)| pays(*uid)) {
        return Ok(Some(failed(publication, &format!("uid {uid} changed hands after it was weighed"))));
    }
    let payload = publication.payload();
    if let Err(refusal) = preflight(state, &parts.keypair.hotkey(), &payload) {
        warn!(%epoch, %refusal, "the chain would refuse the weights now; trying again at the next block");
        return Ok(None);
    }
    let signed = parts.chain.sign(&parts.keypair, Call::SetWeights(payload)).await?;
    let state = IntentState::Signed { extrinsic: signed.bytes, hash: signed.hash, expires: signed.expires };
    Ok(Some(publication.update(state)))
}

async fn follow(
    parts: &Parts,
    publication: &Publication,
    signed: &Signed,
) -> Result<Option<Record>, ChainError> {
    Ok(match parts.chain.outcome(signed).await? {
        Outcome::Included { block, .. } => Some(publication.update(IntentState::Included { block })),
        Outcome::Refused { refusal, .. } => Some(failed(publication, &refusal.to_string())),
        Outcome::Expired => Some(publication.update(IntentState::Expired)),
        Outcome::Pending => None,
    })
}

async fn confirm(
    parts: &Parts,
    publication: &Publication,
    block: Block,
) -> Result<Option<Record>, ChainError> {
    let intent = &publication.intent;
    let state = parts.chain.subnet(intent.netuid).await?;
    let hotkey = parts.keypair.hotkey();
    let Some(own) = state.metagraph.by_hotkey(&hotkey) else {
        return Ok(Some(failed(
            publication,
            "our hotkey lost its uid before the weights could be read back",
        )));
    };
    let stored = parts.chain.weights(intent.netuid, intent.mechanism, own.uid).await?;
    if stored != upscaled(intent) {
        return Ok(Some(failed(publication, "the weights read back are not the ones that were sent")));
    }
    metrics::published(intent.epoch);
    info!(epoch = %intent.epoch, %block, uids = intent.weights.entries().len(), "weights published");
    Ok(Some(publication.update(IntentState::Published { block })))
}

/// What the chain stores for an intent.
fn upscaled(intent: &Intent) -> Vec<(Uid, u16)> {
    intent.weights.uids().into_iter().zip(max_upscale(&intent.weights.values())).collect()
}

fn failed(publication: &Publication, why: &str) -> Record {
    error!(epoch = %publication.intent.epoch, why, "the weights were not published");
    metrics::publication("failed");
    publication.update(IntentState::Failed { why: why.to_owned() })
}
