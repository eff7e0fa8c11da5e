//! Commit-reveal, which the subnet's owner turns on for the while.

use weighhouse_seams::{Clock as _, Entropy, SystemClock};
use weighhouse_types::{Block, Uid};

use super::stage::{MAIN, next_epoch, on_miners, stored, uid_of, wait_for_rate};
use super::{Actor, Actors, CaseStop, CheckResult, ensure, included, need, refused, same};
use crate::rules::reveal;
use crate::timelock::{WeightsPayload, seal_weights};
use crate::{Call, Chain, Refusal, SetWeights};

/// Turns commit-reveal on or off; the owner's to do.
async fn switch(chain: &dyn Chain, actors: &Actors, on: bool) -> CheckResult {
    let state = chain.subnet(actors.netuid).await?;
    if state.hyperparameters.commit_reveal_weights_enabled == on {
        return Ok(());
    }
    let owner = need("owner", actors.owner.as_ref())?;
    let mut hyperparameters = Box::new(state.hyperparameters);
    hyperparameters.commit_reveal_weights_enabled = on;
    included(chain, owner, Call::SetHyperparameters { netuid: actors.netuid, hyperparameters }).await?;
    Ok(())
}

/// Other weights than the ones before, so that a reveal shows.
async fn prepared<'a>(
    chain: &dyn Chain,
    actors: &'a Actors,
    value: u16,
) -> Result<(&'a Actor, Uid, SetWeights), CaseStop> {
    let validator = need("validator", actors.validators.first())?;
    switch(chain, actors, true).await?;
    wait_for_rate(chain, actors, validator).await?;
    // With a whole epoch ahead, it doesn't matter in which of the next blocks the commit is.
    let state = next_epoch(chain, actors).await?;
    let mut call = on_miners(actors, &state)?;
    call.values.rotate_right(1);
    call.values[0] = value;
    Ok((validator, uid_of(&state, validator)?, call))
}

pub(super) async fn hashed(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let (validator, uid, weights) = prepared(chain, actors, 3).await?;
    let plain = refused(chain, &validator.hotkey, Call::SetWeights(weights.clone())).await?;
    same("plain weights", plain, Refusal::CommitRevealEnabled)?;
    let (netuid, salt) = (actors.netuid, vec![1, 2, 3, 4]);
    let SetWeights { uids, values, version_key, .. } = &weights;
    let index = reveal::storage_index(netuid, MAIN);
    let hotkey = validator.hotkey.hotkey();
    let hash = reveal::commit_hash(&hotkey, index, uids, values, &salt, *version_key);
    included(chain, &validator.hotkey, Call::CommitWeights { netuid, mechanism: MAIN, hash }).await?;
    let waiting = chain.commits(netuid, MAIN, hotkey).await?;
    ensure(!waiting.is_empty(), || "the commit is nowhere".to_owned())?;
    let call = || Call::RevealWeights { weights: weights.clone(), salt: salt.clone() };
    let period = chain.subnet(netuid).await?.hyperparameters.reveal_period_epochs;
    for _ in 0..period {
        next_epoch(chain, actors).await?;
    }
    included(chain, &validator.hotkey, call()).await?;
    stored(chain, actors, uid, &weights).await?;
    let again = refused(chain, &validator.hotkey, call()).await?;
    same("a second reveal", again, Refusal::NoWeightsCommitFound)?;
    switch(chain, actors, false).await
}

pub(super) async fn timelocked(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let timelock = chain.timelock().await?;
    let (validator, uid, weights) = prepared(chain, actors, 5).await?;
    let state = chain.subnet(actors.netuid).await?;
    let (head, period) = (state.head.number, state.hyperparameters.reveal_period_epochs);
    let first = reveal::first_reveal_block(&state.schedule, head, period)
        .ok_or_else(|| CaseStop::Unexecuted("the subnet doesn't run".to_owned()))?;
    let round = reveal::reveal_round(&timelock.rounds, SystemClock::new().now(), head, first);
    let payload = WeightsPayload {
        hotkey: validator.hotkey.public().to_vec(),
        uids: weights.uids.clone(),
        values: weights.values.clone(),
        version_key: weights.version_key,
    };
    let sealed = seal_weights(&timelock.public_key, round, &payload, &mut Entropy::system());
    let ciphertext = sealed.map_err(|error| CaseStop::Failed(error.to_string()))?;
    let (netuid, mechanism, version) = (actors.netuid, MAIN, timelock.version);
    let call = Call::CommitTimelockedWeights { netuid, mechanism, ciphertext, reveal_round: round, version };
    included(chain, &validator.hotkey, call).await?;
    // Two blocks for a call that wasn't in the very next one, and what the pulse may take.
    let last = Block(first.0 + u64::from(state.schedule.tempo) * 2 + 20);
    let mut head = chain.head().await?.number;
    while !chain.commits(netuid, MAIN, validator.hotkey.hotkey()).await?.is_empty() {
        ensure(head < last, || format!("the commit still waits at block {head}"))?;
        head = chain.next_block(head).await?.number;
    }
    stored(chain, actors, uid, &weights).await?;
    switch(chain, actors, false).await
}
