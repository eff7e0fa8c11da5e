//! A subnet at one finalised block, in few requests.

use subxt::ext::codec::Encode as _;
use weighhouse_types::{
    Axon, Block, Coldkey, Digest, Head, Hotkey, Metagraph, Netuid, Neuron, Rao, Schedule, SubnetState, Uid,
};

use super::columns::{self, Columns, FULL, METAGRAPH_API, MetagraphCalls, SELECTIVE, Unread};
use super::endpoints::Endpoints;
use super::fetch::{self, Batch};
use super::items::{self, AxonInfo, Key};
use super::rows;
use super::rules::{RuleSlots, TimeSlots};
use super::runtime::Runtime;
use crate::ChainError;

/// No subnet has more neurons: an answer with more is not believed.
pub(super) const NEURONS_MAX: usize = 4096;

const IPV6: u8 = 6;

pub(super) async fn subnet(
    runtime: &Runtime,
    endpoints: &Endpoints,
    head: Head,
    netuid: Netuid,
) -> Result<SubnetState, ChainError> {
    let mut batch = Batch::new(runtime);
    let own = [Key::Small(netuid.0)];
    let added = batch.add(items::NETWORKS_ADDED, &own)?;
    let trust = batch.add(items::VALIDATOR_TRUST, &own)?;
    let rules = RuleSlots::add(&mut batch, netuid)?;
    let times = TimeSlots::add(&mut batch, netuid)?;
    let values = batch.fetch(endpoints, head.hash).await?;
    if !values.need(&added)? {
        return Err(ChainError::NoSubnet(netuid));
    }
    let columns = match &runtime.metagraph {
        Some(calls) => columns_by_call(calls, endpoints, head.hash, netuid).await?,
        None => rows::columns(runtime, endpoints, head.hash, netuid).await?,
    };
    let trust = values.need(&trust)?;
    let hyperparameters = rules.read(&values)?;
    let schedule = times.read(&values, netuid, head.number, hyperparameters.tempo)?;
    Ok(SubnetState {
        head,
        metagraph: metagraph(netuid, head.number, &columns, &trust)?,
        hyperparameters,
        schedule,
    })
}

/// What commits are judged by.
pub(super) struct Times {
    pub(super) schedule: Schedule,
    /// As the chain has it.
    pub(super) tempo: u16,
    pub(super) reveal_period_epochs: u64,
}

pub(super) async fn subnet_times(
    runtime: &Runtime,
    endpoints: &Endpoints,
    head: Head,
    netuid: Netuid,
) -> Result<Times, ChainError> {
    let own = &[Key::Small(netuid.0)];
    let mut batch = Batch::new(runtime);
    let added = batch.add(items::NETWORKS_ADDED, own)?;
    let tempo = batch.add(items::TEMPO, own)?;
    let period = batch.add(items::REVEAL_PERIOD_EPOCHS, own)?;
    let times = TimeSlots::add(&mut batch, netuid)?;
    let values = batch.fetch(endpoints, head.hash).await?;
    if !values.need(&added)? {
        return Err(ChainError::NoSubnet(netuid));
    }
    let tempo = values.need(&tempo)?;
    let schedule = times.read(&values, netuid, head.number, tempo)?;
    Ok(Times { schedule, tempo, reveal_period_epochs: values.need(&period)? })
}

/// One call of the runtime; of one for some fields where there is one.
async fn columns_by_call(
    calls: &MetagraphCalls,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
) -> Result<Columns, ChainError> {
    if let Some(plan) = &calls.selective {
        let arguments = (netuid.0, columns::asked_for()).encode();
        let answer = fetch::call(endpoints, &function(SELECTIVE), arguments, at).await?;
        match plan.read(&answer) {
            Err(Unread::LeftOut(_)) => {}
            read => return read.map_err(|unread| unread.error(netuid)),
        }
    }
    let answer = fetch::call(endpoints, &function(FULL), netuid.0.encode(), at).await?;
    calls.full.read(&answer).map_err(|unread| unread.error(netuid))
}

fn function(method: &str) -> String {
    format!("{METAGRAPH_API}_{method}")
}

pub(super) fn metagraph(
    netuid: Netuid,
    block: Block,
    columns: &Columns,
    trust: &[u16],
) -> Result<Metagraph, ChainError> {
    let count = columns.hotkeys.len();
    if count > NEURONS_MAX {
        return Err(ChainError::Undecodable(format!("subnet {netuid} has {count} neurons")));
    }
    let neurons = (0..count).map(|index| neuron(columns, trust, index)).collect::<Option<_>>();
    let neurons: Vec<Neuron> = neurons.ok_or_else(|| {
        ChainError::Undecodable(format!("the metagraph of subnet {netuid} has columns of different lengths"))
    })?;
    let owner =
        neurons.iter().find(|neuron| neuron.hotkey.0 == columns.owner_hotkey).map(|neuron| neuron.uid);
    Ok(Metagraph { netuid, block, owner, neurons })
}

/// Figures of the last epoch are missing for neurons that registered since: those are zero.
fn neuron(columns: &Columns, trust: &[u16], index: usize) -> Option<Neuron> {
    let share = |column: &[u16]| column.get(index).copied().unwrap_or(0);
    Some(Neuron {
        uid: Uid(u16::try_from(index).ok()?),
        hotkey: Hotkey(*columns.hotkeys.get(index)?),
        coldkey: Coldkey(*columns.coldkeys.get(index)?),
        registered_at: Block(*columns.block_at_registration.get(index)?),
        stake: Rao(*columns.total_stake.get(index)?),
        validator_permit: columns.validator_permit.get(index).copied().unwrap_or(false),
        active: columns.active.get(index).copied().unwrap_or(false),
        last_update: Block(columns.last_update.get(index).copied().unwrap_or(0)),
        axon: axon(columns.axons.get(index)?),
        incentive: share(&columns.incentives),
        dividends: share(&columns.dividends),
        consensus: share(&columns.consensus),
        validator_trust: share(trust),
        emission: Rao(columns.emission.get(index).copied().unwrap_or(0)),
    })
}

pub(super) fn axon(info: &AxonInfo) -> Option<Axon> {
    endpoint(info.block, info.version, info.ip, info.port, info.ip_type)
}

/// `None` for the zeros that stand for one never served.
pub(super) fn endpoint(block: u64, version: u32, ip: u128, port: u16, ip_type: u8) -> Option<Axon> {
    let is_served = ip != 0 || port != 0;
    let ip = match u32::try_from(ip) {
        Ok(bits) if ip_type != IPV6 => std::net::Ipv4Addr::from_bits(bits).to_ipv6_mapped().to_bits(),
        _ => ip,
    };
    is_served.then_some(Axon { ip, port, version, block: Block(block) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axons_are_read_as_they_are_written() {
        let mut info = AxonInfo { block: 7, version: 1, ip: (10 << 24) + 7, port: 9000, ip_type: 4 };
        let read = axon(&info).expect("an axon");
        assert_eq!(read.address().to_string(), "10.0.0.7:9000");
        info.ip_type = 6;
        info.ip = 0x2001_0db8_u128 << 96;
        assert_eq!(axon(&info).expect("an axon").address().to_string(), "[2001:db8::]:9000");
        (info.ip, info.port) = (0, 0);
        assert_eq!(axon(&info), None);
    }
}
