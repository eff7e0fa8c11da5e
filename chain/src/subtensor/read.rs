//! A subnet at one finalised block, in few requests.

use subxt::ext::codec::Encode as _;
use subxt::ext::scale_decode::DecodeAsType;
use weighhouse_types::{
    Axon, Block, Coldkey, Digest, Head, Hotkey, Metagraph, Netuid, Neuron, Rao, Schedule, SubnetState, Uid,
};

use super::endpoints::Endpoints;
use super::fetch::{self, Batch};
use super::items::{self, AxonInfo, Key};
use super::rows;
use super::rules::{RuleSlots, TimeSlots};
use super::runtime::{METAGRAPH_API, Runtime};
use crate::ChainError;

/// No subnet has more neurons: an answer with more is not believed.
pub(super) const NEURONS_MAX: usize = 4096;

const IPV6: u8 = 6;

/// The columns of a metagraph, position = uid; named as the runtime's function names them.
#[derive(Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct Columns {
    pub(super) owner_hotkey: [u8; 32],
    pub(super) hotkeys: Vec<[u8; 32]>,
    pub(super) coldkeys: Vec<[u8; 32]>,
    pub(super) axons: Vec<AxonInfo>,
    pub(super) active: Vec<bool>,
    pub(super) validator_permit: Vec<bool>,
    pub(super) last_update: Vec<u64>,
    pub(super) emission: Vec<u64>,
    pub(super) dividends: Vec<u16>,
    pub(super) incentives: Vec<u16>,
    pub(super) consensus: Vec<u16>,
    pub(super) block_at_registration: Vec<u64>,
    pub(super) total_stake: Vec<u64>,
}

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
    let columns = match runtime.layout.metagraph_api {
        true => columns_by_call(runtime, endpoints, head.hash, netuid).await?,
        false => rows::columns(runtime, endpoints, head.hash, netuid).await?,
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

/// One call of the runtime; `None` there is a subnet that isn't.
async fn columns_by_call(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
) -> Result<Columns, ChainError> {
    let (api, method) = METAGRAPH_API;
    let answer = fetch::call(endpoints, &format!("{api}_{method}"), netuid.0.encode(), at).await?;
    decode_columns(runtime, &answer)?.ok_or(ChainError::NoSubnet(netuid))
}

pub(super) fn decode_columns(runtime: &Runtime, answer: &[u8]) -> Result<Option<Columns>, ChainError> {
    let (api, method) = METAGRAPH_API;
    let known = runtime.metadata().runtime_api_trait_by_name(api);
    let known = known.and_then(|api| api.method_by_name(method));
    let known = known.ok_or_else(|| runtime.differs(format_args!("no {api}.{method}")))?;
    runtime.decode(&format!("{api}.{method}"), known.output_ty(), answer)
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
