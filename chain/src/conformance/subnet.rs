//! From registration to the epoch.

use weighhouse_types::{Axon, Block, Certificate, Commitment, Hotkey, Netuid, Rao, SubnetState, Uid};

use super::stage::{MAIN, next_epoch, on_miners, row, stored, uid_of, wait_for_rate};
use super::{Actors, CaseStop, CheckResult, Report, ensure, hidden, included, need, refused, same};
use crate::preflight;
use crate::{Call, Chain, ChainError, Event, Refusal};

/// Checks a chain that has a subnet. The subnet changes under it: use one of its own.
pub async fn subnet(chain: &dyn Chain, actors: &Actors) -> Report {
    let mut report = Report::default();
    report.note("a metagraph is of one block and whole", metagraph(chain, actors).await);
    report.note("costs are told before they are paid", costs(chain, actors).await);
    report.note("a registration costs its price and gives a uid", registers(chain, actors).await);
    report.note("stake is added and taken back", stakes(chain, actors).await);
    report.note("an axon and its certificate are served", serves(chain, actors).await);
    report.note("a prometheus endpoint is served", serves_prometheus(chain, actors).await);
    report.note("a commitment is published", commitment(chain, actors).await);
    report.note(
        "weights that can't be taken are refused by name, as was said before",
        refuses(chain, actors).await,
    );
    report.note("weights are stored upscaled, and an epoch pays by them", pays(chain, actors).await);
    report.note("children take effect after a cooldown", children(chain, actors).await);
    report.note("takes are set within bounds", takes(chain, actors).await);
    report.note("hashed weights are revealed in their epoch", hidden::hashed(chain, actors).await);
    report.note("timelocked weights open by themselves", hidden::timelocked(chain, actors).await);
    report.note("an epoch is triggered ahead of time", triggers(chain, actors).await);
    report
}

async fn metagraph(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let state = chain.subnet(actors.netuid).await?;
    same("the metagraph's block", state.metagraph.block, state.head.number)?;
    for (position, neuron) in (0..).zip(&state.metagraph.neurons) {
        same("a uid", neuron.uid, Uid(position))?;
    }
    let mechanisms = chain.mechanisms(actors.netuid).await?;
    ensure(mechanisms.count >= 1, || "there is no mechanism".to_owned())?;
    let rows = chain.mechanism(actors.netuid, MAIN).await?;
    let shown: Vec<Block> = state.metagraph.neurons.iter().map(|neuron| neuron.last_update).collect();
    ensure(rows.last_update.len() >= shown.len(), || "last updates are missing".to_owned())
}

async fn costs(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let payer = need("miner", actors.miners.first())?;
    let least = chain.existential_deposit().await?;
    ensure(least > Rao(0), || "an account without anything stays in being".to_owned())?;
    ensure(chain.alpha_price(actors.netuid).await? > Rao(0), || "the token costs nothing".to_owned())?;
    let unknown = chain.alpha_price(Netuid(u16::MAX)).await.map_err(|error| error.to_string());
    same("the price in no subnet", unknown, Err(ChainError::NoSubnet(Netuid(u16::MAX)).to_string()))?;
    let amount = Rao(least.0.saturating_mul(2));
    let call = Call::Transfer { to: payer.coldkey.coldkey(), amount };
    let (before, fee) = (chain.balance(payer.coldkey.coldkey()).await?, chain.fee(&call).await?);
    included(chain, &payer.coldkey, call).await?;
    let taken = before.0.saturating_sub(chain.balance(payer.coldkey.coldkey()).await?.0);
    // A fee by the call's length is told before the call has its last byte.
    ensure(taken.abs_diff(fee.0) <= fee.0 / 5, || format!("{fee} rao were told and {taken} taken"))
}

async fn registers(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let newcomer = need("newcomer", actors.newcomer.as_ref())?;
    let (netuid, hotkey) = (actors.netuid, newcomer.hotkey.hotkey());
    let price = chain.burn(netuid).await?;
    let register = |limit| Call::Register { netuid, hotkey, limit };
    refused(chain, &newcomer.coldkey, register(Rao(0))).await?;
    let (block, _) = included(chain, &newcomer.coldkey, register(Rao(price.0.saturating_mul(2)))).await?;
    let state = chain.subnet(netuid).await?;
    let neuron =
        state.metagraph.by_hotkey(&hotkey).ok_or_else(|| CaseStop::Failed("it has no uid".to_owned()))?;
    same("the coldkey", neuron.coldkey, newcomer.coldkey.coldkey())?;
    same("the block of registration", neuron.registered_at, block)?;
    let again = refused(chain, &newcomer.coldkey, register(Rao(u64::MAX / 2))).await?;
    let expected = Refusal::HotKeyAlreadyRegisteredInSubNet { uid: neuron.uid };
    same("a second registration", again.name(), expected.name())
}

async fn stakes(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let miner = need("miner", actors.miners.first())?;
    let (netuid, hotkey, amount) = (actors.netuid, miner.hotkey.hotkey(), Rao(100_000_000));
    let stake =
        |state: &SubnetState| state.metagraph.by_hotkey(&hotkey).map_or(Rao(0), |neuron| neuron.stake);
    let before = stake(&chain.subnet(netuid).await?);
    included(chain, &miner.coldkey, Call::AddStake { netuid, hotkey, amount }).await?;
    let staked = stake(&chain.subnet(netuid).await?);
    ensure(staked > before, || format!("{before} rao before, {staked} after"))?;
    let amount = Rao((staked.0 - before.0) / 2);
    included(chain, &miner.coldkey, Call::RemoveStake { netuid, hotkey, amount }).await?;
    let left = stake(&chain.subnet(netuid).await?);
    ensure(left < staked, || format!("{staked} rao before, {left} after"))
}

async fn serves(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let miner = need("miner", actors.miners.first())?;
    let (netuid, hotkey) = (actors.netuid, miner.hotkey.hotkey());
    // A public address: a real chain refuses loopback.
    let axon = Axon::new(([8, 8, 4, 4], 8091).into(), 1, Block(0));
    let certificate = Certificate { algorithm: 1, public_key: vec![3; 32] };
    let call = Call::ServeAxonTls { netuid, axon, certificate: certificate.clone() };
    let (block, _) = included(chain, &miner.hotkey, call).await?;
    let state = chain.subnet(netuid).await?;
    let served = state.metagraph.by_hotkey(&hotkey).and_then(|neuron| neuron.axon);
    same("the axon", served, Some(Axon { block, ..axon }))?;
    let many = chain.certificates(netuid, &[Hotkey([7; 32]), hotkey]).await?;
    same("certificates of many", many, vec![None, Some(certificate.clone())])?;
    same("the certificate", chain.certificate(netuid, hotkey).await?, Some(certificate))
}

async fn serves_prometheus(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let miner = need("miner", actors.miners.first())?;
    let netuid = actors.netuid;
    let endpoint = Axon::new(([8, 8, 4, 4], 9100).into(), 1, Block(0));
    let (block, _) = included(chain, &miner.hotkey, Call::ServePrometheus { netuid, endpoint }).await?;
    let served = chain.prometheus(netuid, miner.hotkey.hotkey()).await?;
    same("the endpoint", served, Some(Axon { block, ..endpoint }))
}

async fn commitment(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let miner = need("miner", actors.miners.first())?;
    let (netuid, data) = (actors.netuid, b"weighhouse".to_vec());
    let hotkey = miner.hotkey.hotkey();
    let publish = |data: &[u8]| Call::SetCommitment { netuid, data: data.to_vec() };
    let (first, _) = included(chain, &miner.hotkey, publish(&data)).await?;
    let found = chain.commitment(netuid, hotkey).await?;
    same("the commitment", found.map(|commitment| commitment.data), Some(data.clone()))?;
    let (second, _) = included(chain, &miner.hotkey, publish(b"another")).await?;
    let stood = |block| chain.commitment_at(netuid, hotkey, block);
    let first_one = Commitment { block: first, data };
    same("the commitment of its block", stood(first).await?, Some(first_one.clone()))?;
    same("the commitment before the second", stood(Block(second.0 - 1)).await?, Some(first_one))?;
    let second_one = Commitment { block: second, data: b"another".to_vec() };
    same("the commitment that took its place", stood(second).await?, Some(second_one))
}

async fn refuses(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let miner = need("miner", actors.miners.first())?;
    let state = chain.subnet(actors.netuid).await?;
    let other = state.metagraph.neurons.iter().find(|neuron| neuron.hotkey != miner.hotkey.hotkey());
    let other = other.ok_or_else(|| CaseStop::Unexecuted("there is one neuron only".to_owned()))?.uid;
    // Without a permit that is what is said; a miner whose earnings gave it one named the same uid twice.
    let call = row(actors, &[(other, 1), (other, 1)], &state);
    let said = preflight(&state, &miner.hotkey.hotkey(), &call).map_err(|refusal| refusal.name());
    let refusal = refused(chain, &miner.hotkey, Call::SetWeights(call)).await?;
    same("what was said before and what the chain said", said, Err(refusal.name()))
}

async fn pays(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    need("validator", actors.validators.first())?;
    for validator in &actors.validators {
        wait_for_rate(chain, actors, validator).await?;
        let state = chain.subnet(actors.netuid).await?;
        if state.hyperparameters.commit_reveal_weights_enabled {
            return Err(CaseStop::Unexecuted("commit-reveal is on".to_owned()));
        }
        let call = on_miners(actors, &state)?;
        included(chain, &validator.hotkey, Call::SetWeights(call.clone())).await?;
        stored(chain, actors, uid_of(&state, validator)?, &call).await?;
    }
    let state = next_epoch(chain, actors).await?;
    let incentive = |miner: &super::Actor| {
        state.metagraph.by_hotkey(&miner.hotkey.hotkey()).map_or(0, |neuron| neuron.incentive)
    };
    let incentives: Vec<u16> = actors.miners.iter().map(incentive).collect();
    ensure(incentives[0] > 0, || format!("nobody earned: {incentives:?}"))?;
    ensure(incentives.is_sorted_by(|a, b| a >= b), || format!("{incentives:?} don't follow the weights"))?;
    let first = uid_of(&state, &actors.validators[0])?;
    let bonds = chain.bonds(actors.netuid, MAIN, first).await?;
    ensure(!bonds.is_empty(), || "the first validator has no bonds".to_owned())
}

async fn children(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let (parent, child) =
        (need("validator", actors.validators.first())?, need("miner", actors.miners.first())?);
    let (netuid, hotkey) = (actors.netuid, parent.hotkey.hotkey());
    let child = weighhouse_types::Child { proportion: u64::MAX / 10, hotkey: child.hotkey.hotkey() };
    let set = |children| Call::SetChildren { netuid, hotkey, children };
    let own = refused(chain, &parent.coldkey, set(vec![weighhouse_types::Child { hotkey, ..child }])).await?;
    same("one's own child", own, Refusal::InvalidChild)?;
    included(chain, &parent.coldkey, set(vec![child])).await?;
    let delegation = chain.delegation(netuid, hotkey).await?;
    let delegation = delegation.ok_or_else(|| CaseStop::Failed("the hotkey is unknown".to_owned()))?;
    let scheduled = delegation.pending.map(|(_, children)| children).unwrap_or(delegation.children);
    same("the children", scheduled, vec![child])
}

async fn takes(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let validator = need("validator", actors.validators.first())?;
    let (netuid, hotkey) = (actors.netuid, validator.hotkey.hotkey());
    refused(chain, &validator.coldkey, Call::SetTake { hotkey, take: u16::MAX }).await?;
    included(chain, &validator.coldkey, Call::SetTake { hotkey, take: 6_553 }).await?;
    included(chain, &validator.coldkey, Call::SetChildkeyTake { netuid, hotkey, take: 655 }).await?;
    let delegation = chain.delegation(netuid, hotkey).await?;
    let takes = delegation.map(|delegation| (delegation.take, delegation.childkey_take));
    same("the takes", takes, Some((6_553, 655)))
}

async fn triggers(chain: &dyn Chain, actors: &Actors) -> CheckResult {
    let owner = need("owner", actors.owner.as_ref())?;
    let netuid = actors.netuid;
    let before = chain.subnet(netuid).await?;
    let (_, events) = match chain.execute(owner, Call::TriggerEpoch { netuid }).await {
        Err(crate::ChainError::Refused(Refusal::AutoEpochAlreadyImminent { .. })) => {
            next_epoch(chain, actors).await?;
            included(chain, owner, Call::TriggerEpoch { netuid }).await?
        }
        other => other?,
    };
    let fires_at = events.iter().find_map(|event| match event {
        Event::EpochTriggered { fires_at, .. } => Some(*fires_at),
        _ => None,
    });
    let fires_at = fires_at.ok_or_else(|| CaseStop::Failed(format!("{events:?} name no block")))?;
    let mut head = chain.head().await?.number;
    while head < fires_at {
        head = chain.next_block(head).await?.number;
    }
    let after = chain.subnet(netuid).await?;
    ensure(after.schedule.epoch > before.schedule.epoch, || format!("no epoch by block {head}"))
}
