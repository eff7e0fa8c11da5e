//! Weights under commit-reveal: making a seal, committing to it, and finding whether the chain shows what it hides.
//!
//! A hash is opened by a second call of ours in the epoch that the chain expects it in; a timelocked ciphertext is opened
//! by the chain itself, once the round of its randomness beacon is out.

use rand::Rng as _;
use weighhouse_chain::explain::Regime;
use weighhouse_chain::rules::reveal;
use weighhouse_chain::timelock::{WeightsPayload, seal_weights};
use weighhouse_chain::{Call, ChainError, Preflight, Refusal};
use weighhouse_journal::Publication;
use weighhouse_types::{Block, CommitContent, Epoch, Intent, Seal, SubnetState, Timelock, WeightCommit};

use super::machine::Event;
use super::supersede::is_of_changed_rules;
use super::{Publisher, opening, payload};

/// 128 bits, in the form that the chain takes.
const SALT_WORDS: usize = 8;

/// Makes the seal that a commit will hold. A salted hash may be committed to again on a retry; a
/// ciphertext is bound to a round of the beacon, and is made anew.
pub(super) async fn seal(
    publisher: &Publisher,
    publication: &Publication,
    regime: Regime,
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let intent = &publication.intent;
    let hotkey = publisher.keypair.hotkey();
    // Asked before the seal is made: a commit that the chain will refuse costs a fee and a nonce.
    let preflight = Preflight::read(publisher.chain.as_ref(), state, intent.mechanism, &hotkey).await?;
    if let Err(refusal) = preflight.commit(&payload::set_weights(intent)) {
        return Ok(Event::Postponed(refusal));
    }
    Ok(match (regime, &publication.seal) {
        (Regime::Timelocked { .. }, _) => {
            let timelock = publisher.chain.timelock().await?;
            timelocked(publisher, intent, &timelock, state).map_or_else(Event::Obstructed, Event::Sealed)
        }
        // The journalled salt again: another one would leave a second commit that we could not open.
        (_, Some(salted @ Seal::Salted { .. })) => Event::Sealed(salted.clone()),
        _ => Event::Sealed(Seal::Salted { salt: salt(publisher) }),
    })
}

fn salt(publisher: &Publisher) -> Vec<u16> {
    let mut bytes = [0; SALT_WORDS * 2];
    publisher.entropy.clone().fill_bytes(&mut bytes);
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn timelocked(
    publisher: &Publisher,
    intent: &Intent,
    timelock: &Timelock,
    state: &SubnetState,
) -> Result<Seal, String> {
    let (head, period) = (state.head.number, state.hyperparameters.reveal_period_epochs);
    let opens_at = reveal::first_reveal_block(&state.schedule, head, period)
        .ok_or("the subnet runs no epoch in which weights would be revealed")?;
    let reveal_round = reveal::reveal_round(&timelock.rounds, publisher.clock.now(), head, opens_at);
    let message = WeightsPayload {
        hotkey: publisher.keypair.hotkey().0.to_vec(),
        uids: intent.weights.uids(),
        values: intent.weights.values(),
        version_key: intent.version_key,
    };
    let ciphertext =
        seal_weights(&timelock.public_key, reveal_round, &message, &mut publisher.entropy.clone())
            .map_err(|error| error.to_string())?;
    Ok(Seal::Timelocked { ciphertext, reveal_round, version: timelock.version, opens_at })
}

/// Signs the commit to a seal.
pub(super) async fn commit(
    publisher: &Publisher,
    intent: &Intent,
    seal: &Seal,
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let (netuid, mechanism) = (intent.netuid, intent.mechanism);
    let period = state.hyperparameters.reveal_period_epochs;
    // Once more: the process may have been away since it was sealed.
    let hotkey = publisher.keypair.hotkey();
    let preflight = Preflight::read(publisher.chain.as_ref(), state, mechanism, &hotkey).await?;
    match preflight.commit(&payload::set_weights(intent)) {
        Ok(()) => {}
        Err(refusal) if refusal == Refusal::CommitRevealDisabled || is_of_changed_rules(&refusal) => {
            return Ok(Event::SealOutdated);
        }
        Err(refusal) => return Ok(Event::Postponed(refusal)),
    }
    let call = match seal {
        Seal::Salted { salt } => {
            let hash = payload::commit_hash(&hotkey, intent, salt);
            Call::CommitWeights { netuid, mechanism, hash }
        }
        // The schedule moves between sealing and signing when the process was away meanwhile.
        Seal::Timelocked { opens_at, .. }
            if reveal::first_reveal_block(&state.schedule, state.head.number, period) != Some(*opens_at) =>
        {
            return Ok(Event::SealOutdated);
        }
        Seal::Timelocked { ciphertext, reveal_round, version, .. } => Call::CommitTimelockedWeights {
            netuid,
            mechanism,
            ciphertext: ciphertext.clone(),
            reveal_round: *reveal_round,
            version: *version,
        },
    };
    Ok(Event::Signed(publisher.chain.sign(&publisher.keypair, call).await?))
}

/// Finds the epoch that a commit of this block belongs to, as the chain has noted it.
pub(super) async fn commit_epoch(
    publisher: &Publisher,
    publication: &Publication,
    block: Block,
    state: &SubnetState,
) -> Result<Epoch, ChainError> {
    Ok(match unopened_commit(publisher, publication).await? {
        Some(commit) => commit.epoch,
        // Opened and gone already, as when the process was away for the reveal.
        None if block >= state.schedule.last_epoch_block => state.schedule.epoch,
        None => publication.intent.epoch,
    })
}

/// Looks after a commit in its block: reveals it when its epoch has come, or sees whether the chain has opened it.
pub(super) async fn look_after(
    publisher: &Publisher,
    publication: &Publication,
    (block, epoch): (Block, Epoch),
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let due = epoch.0.saturating_add(state.hyperparameters.reveal_period_epochs);
    // A call that is signed now is in the next block at the earliest.
    let next_block = Block(state.head.number.0.saturating_add(1));
    let now = reveal::epoch_at(&state.schedule, next_block).0;
    match &publication.seal {
        Some(Seal::Salted { salt }) if now == due => {
            reveal(publisher, &publication.intent, salt, state).await
        }
        // The chain drops a hash that isn't revealed in its epoch; there is nothing left to try.
        Some(Seal::Salted { .. }) if now > due => {
            Ok(Event::NotShown(format!("the commit of block {block} was not revealed in epoch {due}")))
        }
        Some(Seal::Timelocked { .. }) => opening::opened(publisher, publication, block, (due, now)).await,
        _ => Ok(Event::Nothing),
    }
}

async fn reveal(
    publisher: &Publisher,
    intent: &Intent,
    salt: &[u16],
    state: &SubnetState,
) -> Result<Event, ChainError> {
    let weights = payload::set_weights(intent);
    let hotkey = publisher.keypair.hotkey();
    let preflight = Preflight::read(publisher.chain.as_ref(), state, intent.mechanism, &hotkey).await?;
    if let Err(refusal) = preflight.reveal(&weights) {
        return Ok(Event::Postponed(refusal));
    }
    let call = Call::RevealWeights { weights, salt: salt.to_vec() };
    Ok(Event::Signed(publisher.chain.sign(&publisher.keypair, call).await?))
}

/// Finds our commit among those that the chain keeps until they are opened.
pub(super) async fn unopened_commit(
    publisher: &Publisher,
    publication: &Publication,
) -> Result<Option<WeightCommit>, ChainError> {
    let Publication { intent, seal, .. } = publication;
    let hotkey = publisher.keypair.hotkey();
    let commits = publisher.chain.commits(intent.netuid, intent.mechanism, hotkey).await?;
    // By content and not by block: after a reorganisation the same commit may stand in another block.
    let is_ours = |commit: &WeightCommit| match (&commit.content, seal) {
        (CommitContent::Hash { hash }, Some(Seal::Salted { salt })) => {
            *hash == payload::commit_hash(&hotkey, intent, salt)
        }
        (CommitContent::Timelocked { ciphertext: theirs, .. }, Some(Seal::Timelocked { ciphertext, .. })) => {
            theirs == ciphertext
        }
        _ => false,
    };
    Ok(commits.into_iter().find(is_ours))
}
