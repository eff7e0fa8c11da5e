//! Weights under commit-reveal. What hides them is durable before the commit is signed, so that a killed process
//! reveals what it had committed to; and a reveal that never came is found in the epoch after it was due.

use rand::Rng as _;
use tracing::error;
use weighhouse_chain::explain::Regime;
use weighhouse_chain::rules::reveal;
use weighhouse_chain::timelock::{WeightsPayload, seal_weights};
use weighhouse_chain::{Call, ChainError, Preflight, Signed};
use weighhouse_journal::Publication;
use weighhouse_types::{
    Block, Committed, Digest, Epoch, Intent, IntentState, Seal, SubnetState, Timelock, WeightCommit,
};

use super::{News, failed, payload, postponed, published, upscaled};
use crate::metrics;
use crate::parts::Parts;

/// 128 bits, in the form that the chain takes.
const SALT_WORDS: usize = 8;

/// What the commit will hold. A hash is bound to no moment: its salt stays.
pub(super) async fn seal(
    parts: &Parts,
    publication: &Publication,
    regime: Regime,
    state: &SubnetState,
) -> News {
    let intent = &publication.intent;
    let hotkey = parts.keypair.hotkey();
    let preflight = Preflight::read(parts.chain.as_ref(), state, intent.mechanism, &hotkey).await?;
    if let Err(refusal) = preflight.commit(&payload(intent)) {
        postponed(intent, &refusal);
        return Ok(None);
    }
    let seal = match (regime, &publication.seal) {
        (Regime::Timelocked { .. }, _) => {
            let timelock = parts.chain.timelock().await?;
            match timelocked(parts, intent, &timelock, state) {
                Ok(seal) => seal,
                Err(why) => return Ok(Some(failed(intent, &why))),
            }
        }
        (_, Some(salted @ Seal::Salted { .. })) => salted.clone(),
        _ => Seal::Salted { salt: salt(parts) },
    };
    Ok(Some(IntentState::Sealed { seal }))
}

fn salt(parts: &Parts) -> Vec<u16> {
    let mut bytes = [0; SALT_WORDS * 2];
    parts.entropy.clone().fill_bytes(&mut bytes);
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn timelocked(
    parts: &Parts,
    intent: &Intent,
    timelock: &Timelock,
    state: &SubnetState,
) -> Result<Seal, String> {
    let (head, period) = (state.head.number, state.hyperparameters.reveal_period_epochs);
    let opens_at = reveal::first_reveal_block(&state.schedule, head, period)
        .ok_or("the subnet runs no epoch in which weights would be revealed")?;
    let reveal_round = reveal::reveal_round(&timelock.rounds, parts.clock.now(), head, opens_at);
    let message = WeightsPayload {
        hotkey: parts.keypair.hotkey().0.to_vec(),
        uids: intent.weights.uids(),
        values: intent.weights.values(),
        version_key: intent.version_key,
    };
    let ciphertext = seal_weights(&timelock.public_key, reveal_round, &message, &mut parts.entropy.clone())
        .map_err(|error| error.to_string())?;
    Ok(Seal::Timelocked { ciphertext, reveal_round, version: timelock.version, opens_at })
}

pub(super) async fn commit(parts: &Parts, intent: &Intent, seal: &Seal, state: &SubnetState) -> News {
    let (netuid, mechanism) = (intent.netuid, intent.mechanism);
    let period = state.hyperparameters.reveal_period_epochs;
    let call = match seal {
        Seal::Salted { salt } => {
            Call::CommitWeights { netuid, mechanism, hash: commit_hash(parts, intent, salt) }
        }
        // The schedule moved between sealing and signing, as when the process was away: another round.
        Seal::Timelocked { opens_at, .. }
            if reveal::first_reveal_block(&state.schedule, state.head.number, period) != Some(*opens_at) =>
        {
            return Ok(Some(IntentState::Expired));
        }
        Seal::Timelocked { ciphertext, reveal_round, version, .. } => Call::CommitTimelockedWeights {
            netuid,
            mechanism,
            ciphertext: ciphertext.clone(),
            reveal_round: *reveal_round,
            version: *version,
        },
    };
    let Signed { bytes, hash, expires } = parts.chain.sign(&parts.keypair, call).await?;
    Ok(Some(IntentState::Committing { extrinsic: bytes, hash, expires }))
}

/// The epoch that a commit of this block belongs to, as the chain has noted it.
pub(super) async fn epoch_of(
    parts: &Parts,
    publication: &Publication,
    block: Block,
    state: &SubnetState,
) -> Result<Epoch, ChainError> {
    let found = waiting(parts, publication).await?;
    Ok(match found {
        Some(commit) => commit.epoch,
        // Gone already: the process was away for the reveal.
        None if block >= state.schedule.last_epoch_block => state.schedule.epoch,
        None => publication.intent.epoch,
    })
}

/// A commit in its block: nothing to do until it is time to reveal it, or until the chain should have.
pub(super) async fn wait(
    parts: &Parts,
    publication: &Publication,
    (block, epoch): (Block, Epoch),
    state: &SubnetState,
) -> News {
    let intent = &publication.intent;
    let due = epoch.0.saturating_add(state.hyperparameters.reveal_period_epochs);
    let next = Block(state.head.number.0.saturating_add(1));
    let now = reveal::epoch_at(&state.schedule, next).0;
    match &publication.seal {
        Some(Seal::Salted { salt }) if now == due => reveal(parts, intent, salt, state).await,
        Some(Seal::Salted { .. }) if now > due => {
            Ok(Some(missed(intent, &format!("the commit of block {block} was not revealed in epoch {due}"))))
        }
        Some(Seal::Timelocked { .. }) => opened(parts, publication, block, (due, now), state).await,
        _ => Ok(None),
    }
}

async fn reveal(parts: &Parts, intent: &Intent, salt: &[u16], state: &SubnetState) -> News {
    let weights = payload(intent);
    let hotkey = parts.keypair.hotkey();
    let preflight = Preflight::read(parts.chain.as_ref(), state, intent.mechanism, &hotkey).await?;
    if let Err(refusal) = preflight.reveal(&weights) {
        postponed(intent, &refusal);
        return Ok(None);
    }
    let call = Call::RevealWeights { weights, salt: salt.to_vec() };
    let Signed { bytes, hash, expires } = parts.chain.sign(&parts.keypair, call).await?;
    Ok(Some(IntentState::Revealing { extrinsic: bytes, hash, expires }))
}

/// Whether the chain has opened a timelocked commit; what it shows then decides.
async fn opened(
    parts: &Parts,
    publication: &Publication,
    block: Block,
    (due, now): (u64, u64),
    state: &SubnetState,
) -> News {
    let intent = &publication.intent;
    let waits = waiting(parts, publication).await?.is_some();
    if waits && now <= due {
        return Ok(None);
    }
    let Some(own) = state.metagraph.by_hotkey(&parts.keypair.hotkey()) else {
        return Ok(Some(missed(intent, "our hotkey lost its uid before the weights were opened")));
    };
    let stored = parts.chain.weights(intent.netuid, intent.mechanism, own.uid).await?;
    if !waits && stored == upscaled(intent) {
        return Ok(Some(published(intent, state.head.number)));
    }
    let why = match waits {
        true => format!("the chain did not open the commit of block {block} in epoch {due}"),
        false => {
            format!("the chain dropped the commit of block {block}, or shows other weights in its place")
        }
    };
    Ok(Some(missed(intent, &why)))
}

/// Our commit among those that the chain keeps.
async fn waiting(parts: &Parts, publication: &Publication) -> Result<Option<WeightCommit>, ChainError> {
    let Publication { intent, seal, .. } = publication;
    let commits = parts.chain.commits(intent.netuid, intent.mechanism, parts.keypair.hotkey()).await?;
    let is_ours = |commit: &WeightCommit| match (&commit.content, seal) {
        (Committed::Hash { hash }, Some(Seal::Salted { salt })) => *hash == commit_hash(parts, intent, salt),
        (Committed::Timelocked { ciphertext: theirs, .. }, Some(Seal::Timelocked { ciphertext, .. })) => {
            theirs == ciphertext
        }
        _ => false,
    };
    Ok(commits.into_iter().find(is_ours))
}

fn commit_hash(parts: &Parts, intent: &Intent, salt: &[u16]) -> Digest {
    let (uids, values) = (intent.weights.uids(), intent.weights.values());
    let index = reveal::storage_index(intent.netuid, intent.mechanism);
    reveal::commit_hash(&parts.keypair.hotkey(), index, &uids, &values, salt, intent.version_key)
}

pub(super) fn missed(intent: &Intent, why: &str) -> IntentState {
    error!(epoch = %intent.epoch, why, "the weights were committed to and never revealed");
    metrics::publication("missed");
    IntentState::Missed { why: why.to_owned() }
}
