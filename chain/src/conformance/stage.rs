//! Steps that several checks share: weights on the miners, waiting for a rate limit or an epoch, reading weights back.

use weighhouse_types::{Block, MechId, SubnetState, Uid};
use weighhouse_yuma::max_upscale;

use super::{Actor, Actors, CaseStop, CheckResult, same};
use crate::{Chain, SetWeights};

pub(super) const MAIN: MechId = MechId(0);

pub(super) fn row(actors: &Actors, values: &[(Uid, u16)], state: &SubnetState) -> SetWeights {
    SetWeights {
        netuid: actors.netuid,
        mechanism: MAIN,
        uids: values.iter().map(|(uid, _)| *uid).collect(),
        values: values.iter().map(|(_, value)| *value).collect(),
        version_key: state.hyperparameters.weights_version_key,
    }
}

/// The miners' uids, with weights that halve from one to the next.
pub(super) fn on_miners(actors: &Actors, state: &SubnetState) -> Result<SetWeights, CaseStop> {
    let uid = |miner: &Actor| Some(state.metagraph.by_hotkey(&miner.hotkey.hotkey())?.uid);
    let uids: Vec<Uid> = actors.miners.iter().filter_map(uid).collect();
    if uids.is_empty() {
        return Err(CaseStop::Unexecuted("no miner is registered".to_owned()));
    }
    let values: Vec<(Uid, u16)> = uids.into_iter().zip((0..8u32).map(|at| 1_000 >> at)).collect();
    Ok(row(actors, &values, state))
}

pub(super) fn uid_of(state: &SubnetState, actor: &Actor) -> Result<Uid, CaseStop> {
    let neuron = state.metagraph.by_hotkey(&actor.hotkey.hotkey());
    Ok(neuron.ok_or_else(|| CaseStop::Failed("the validator has no uid".to_owned()))?.uid)
}

pub(super) async fn stored(chain: &dyn Chain, actors: &Actors, uid: Uid, call: &SetWeights) -> CheckResult {
    let expected: Vec<(Uid, u16)> = call.uids.iter().copied().zip(max_upscale(&call.values)).collect();
    same("the stored weights", chain.weights(actors.netuid, MAIN, uid).await?, expected)
}

/// Waits until the validator may publish again.
pub(super) async fn wait_for_rate(chain: &dyn Chain, actors: &Actors, validator: &Actor) -> CheckResult {
    let state = chain.subnet(actors.netuid).await?;
    let updated = state.metagraph.by_hotkey(&validator.hotkey.hotkey()).map(|neuron| neuron.last_update);
    let free = updated.unwrap_or_default().0.saturating_add(state.hyperparameters.weights_set_rate_limit);
    let mut head = state.head.number;
    while head.0 < free {
        head = chain.next_block(head).await?.number;
    }
    Ok(())
}

/// The subnet after its next epoch; given up after two tempos and what the chain may defer.
pub(super) async fn next_epoch(chain: &dyn Chain, actors: &Actors) -> Result<SubnetState, CaseStop> {
    let start = chain.subnet(actors.netuid).await?;
    let last = Block(start.head.number.0 + 2 * u64::from(start.schedule.tempo) + 20);
    let mut head = start.head.number;
    loop {
        let state = chain.subnet(actors.netuid).await?;
        if state.schedule.epoch > start.schedule.epoch {
            return Ok(state);
        }
        if head >= last {
            return Err(CaseStop::Failed(format!(
                "no epoch between blocks {} and {head}",
                start.head.number
            )));
        }
        head = chain.next_block(head).await?.number;
    }
}
