//! A subnet at one finalised block, in few requests.

use subxt::config::substrate::H256;
use subxt::rpcs::client::{RawValue, rpc_params};
use weighhouse_types::{
    Axon, Block, Coldkey, Commitment, Digest, Head, Hotkey, Metagraph, Netuid, Neuron, Rao, Schedule,
    SubnetState, Uid,
};

use super::columns::{self, MetagraphCalls, NeuronColumns, Unread};
use super::endpoint::{Endpoint, EndpointFailure};
use super::endpoints::{EndpointAnswers, Endpoints, agree};
use super::events;
use super::fetch::{self, EncodedKeys, StorageBatch, StorageEntries, StorageSlot};
use super::items::{self, Key};
use super::limits::NEURONS_MAX;
use super::rows;
use super::rules::{RuleSlots, TimeSlots};
use super::runtime::Runtime;
use super::socket::{Hex, Request};
use super::stored::{self, AxonInfo};
use crate::ChainError;

const IPV6: u8 = 6;

/// Question for a subnet, encoded once for any block of a runtime.
#[derive(Debug)]
pub(super) struct Question {
    netuid: Netuid,
    /// The runtime's version.
    pub(super) spec: u32,
    asked: EncodedKeys,
    added: StorageSlot<bool>,
    trust: StorageSlot<Vec<u16>>,
    rules: RuleSlots,
    times: TimeSlots,
    /// A function of the runtime and its arguments.
    call: Option<(String, Hex)>,
}

impl Question {
    pub(super) fn new(runtime: &Runtime, netuid: Netuid) -> Result<Self, ChainError> {
        let mut batch = StorageBatch::new(runtime);
        let own = [Key::Small(netuid.0)];
        let added = batch.add(items::NETWORKS_ADDED, &own)?;
        let trust = batch.add(items::VALIDATOR_TRUST, &own)?;
        let rules = RuleSlots::add(&mut batch, netuid)?;
        let times = TimeSlots::add(&mut batch, netuid)?;
        let call = runtime.metagraph.as_ref().map(|calls| calls.call(netuid));
        let asked = batch.ready()?;
        Ok(Self { netuid, spec: runtime.spec(), asked, added, trust, rules, times, call })
    }

    pub(super) fn requests(&self, at: Digest) -> Vec<Request<'static>> {
        let mut requests = self.asked.requests(at);
        if let Some((function, arguments)) = &self.call {
            requests.push(Request::new(fetch::CALL, rpc_params![function, arguments, H256(at.0)]));
        }
        requests
    }

    fn read(
        &self,
        endpoint: &Endpoint,
        answers: &[Box<RawValue>],
    ) -> Result<(StorageEntries, Option<Hex>), EndpointFailure> {
        let (found, called) = answers.split_at(answers.len() - usize::from(self.call.is_some()));
        let found = self.asked.read(endpoint, found)?;
        Ok((found, called.first().map(|answer| endpoint.read(fetch::CALL, answer)).transpose()?))
    }

    /// From answers to [`Self::requests`] at the head, where there are any.
    pub(super) async fn state(
        &self,
        runtime: &Runtime,
        endpoints: &Endpoints,
        head: Head,
        answers: Option<EndpointAnswers<'_>>,
    ) -> Result<SubnetState, ChainError> {
        let read = |endpoint: &Endpoint, answers: &[Box<RawValue>]| self.read(endpoint, answers);
        let (found, answer) = match answers {
            Some(answers) => agree(answers, None, "a subnet", read)?,
            None => endpoints.all_agreed(&self.requests(head.hash), read).await?,
        };
        let values = self.asked.values(runtime, found)?;
        if !values.need(&self.added)? {
            return Err(ChainError::NoSubnet(self.netuid));
        }
        let columns = match (&runtime.metagraph, answer) {
            (Some(calls), Some(answer)) => {
                by_call(calls, &answer.0, endpoints, head.hash, self.netuid).await?
            }
            _ => rows::columns(runtime, endpoints, head.hash, self.netuid).await?,
        };
        let trust = values.need(&self.trust)?;
        let hyperparameters = self.rules.read(&values)?;
        let schedule = self.times.read(&values, self.netuid, head.number, hyperparameters.tempo)?;
        let metagraph = metagraph(self.netuid, head.number, &columns, &trust)?;
        Ok(SubnetState { head, metagraph, hyperparameters, schedule })
    }
}

pub(super) async fn subnet(
    runtime: &Runtime,
    endpoints: &Endpoints,
    head: Head,
    netuid: Netuid,
) -> Result<SubnetState, ChainError> {
    Question::new(runtime, netuid)?.state(runtime, endpoints, head, None).await
}

/// Hyperparameters that commits are judged by.
pub(super) struct Times {
    pub(super) schedule: Schedule,
    /// The value on the chain.
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
    let mut batch = StorageBatch::new(runtime);
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

/// From an answer to [`MetagraphCalls::call`]; where that leaves a field out, all are asked for.
async fn by_call(
    calls: &MetagraphCalls,
    answer: &[u8],
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
) -> Result<NeuronColumns, ChainError> {
    match calls.read(answer) {
        Err(Unread::LeftOut(_)) if calls.selective.is_some() => {}
        read => return read.map_err(|unread| unread.error(netuid)),
    }
    let (function, arguments) = columns::full(netuid);
    let answer = fetch::call(endpoints, &function, arguments, at).await?;
    calls.full.read(&answer).map_err(|unread| unread.error(netuid))
}

pub(super) fn metagraph(
    netuid: Netuid,
    block: Block,
    columns: &NeuronColumns,
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
fn neuron(columns: &NeuronColumns, trust: &[u16], index: usize) -> Option<Neuron> {
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

/// `None` for the zeros that stand for one never served.
pub(super) fn axon(info: &AxonInfo) -> Option<Axon> {
    let is_served = info.ip != 0 || info.port != 0;
    let ip = match u32::try_from(info.ip) {
        // The type decides: an IPv6 address such as ::1 fits 32 bits too.
        Ok(bits) if info.ip_type != IPV6 => std::net::Ipv4Addr::from_bits(bits).to_ipv6_mapped().to_bits(),
        _ => info.ip,
    };
    is_served.then_some(Axon { ip, port: info.port, version: info.version, block: Block(info.block) })
}

pub(super) fn commitment(stored: stored::Commitment) -> Commitment {
    let mut data = Vec::new();
    stored.info.fields.iter().for_each(|field| events::collect(field, &mut data));
    Commitment { block: Block(stored.block), data }
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
