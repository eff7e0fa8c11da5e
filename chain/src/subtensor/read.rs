//! A subnet at one finalised block, in few requests.

use subxt::ext::codec::Encode as _;
use subxt::ext::scale_decode::DecodeAsType;
use weighhouse_types::{
    Axon, Block, Coldkey, Digest, Epoch, Head, Hotkey, Hyperparameters, Metagraph, Netuid, Neuron, Rao,
    Schedule, SubnetState, Uid,
};

use super::endpoints::Endpoints;
use super::fetch::{self, Batch, Slot, Values};
use super::items::{self, AxonInfo, Key};
use super::runtime::{METAGRAPH_API, Runtime};
use super::{rows, schedule};
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

/// Where the hyperparameters are in a batch.
struct RuleSlots {
    small: [Slot<u16>; 6],
    large: [Slot<u64>; 8],
    flags: [Slot<bool>; 3],
    alpha: Slot<(u16, u16)>,
    max_weights_limit: Option<Slot<u16>>,
    min_non_immune_uids: Option<Slot<u16>>,
    activity_cutoff: Option<Slot<u16>>,
    activity_cutoff_factor: Option<Slot<u32>>,
    bonds_penalty: Option<Slot<u16>>,
    steepness: Option<Slot<i16>>,
    yuma3: Option<Slot<bool>>,
    burn_half_life: Option<Slot<u16>>,
    burn_increase: Option<Slot<u128>>,
    max_registrations_per_block: Slot<u16>,
}

impl RuleSlots {
    fn add(batch: &mut Batch<'_>, netuid: Netuid) -> Result<Self, ChainError> {
        let own = &[Key::Small(netuid.0)];
        Ok(Self {
            small: [
                batch.add(items::TEMPO, own)?,
                batch.add(items::KAPPA, own)?,
                batch.add(items::MAX_ALLOWED_UIDS, own)?,
                batch.add(items::MAX_ALLOWED_VALIDATORS, own)?,
                batch.add(items::MIN_ALLOWED_WEIGHTS, own)?,
                batch.add(items::IMMUNITY_PERIOD, own)?,
            ],
            large: [
                batch.add(items::WEIGHTS_SET_RATE_LIMIT, own)?,
                batch.add(items::WEIGHTS_VERSION_KEY, own)?,
                batch.add(items::BONDS_MOVING_AVERAGE, own)?,
                batch.add(items::REVEAL_PERIOD_EPOCHS, own)?,
                batch.add(items::SERVING_RATE_LIMIT, own)?,
                batch.add(items::STAKE_THRESHOLD, &[])?,
                batch.add(items::MIN_BURN, own)?,
                batch.add(items::MAX_BURN, own)?,
            ],
            flags: [
                batch.add(items::LIQUID_ALPHA_ON, own)?,
                batch.add(items::COMMIT_REVEAL_ENABLED, own)?,
                batch.add(items::REGISTRATION_ALLOWED, own)?,
            ],
            alpha: batch.add(items::ALPHA_VALUES, own)?,
            max_weights_limit: batch.add_optional(items::MAX_WEIGHTS_LIMIT, own)?,
            min_non_immune_uids: batch.add_optional(items::MIN_NON_IMMUNE_UIDS, own)?,
            activity_cutoff: batch.add_optional(items::ACTIVITY_CUTOFF, own)?,
            activity_cutoff_factor: batch.add_optional(items::ACTIVITY_CUTOFF_FACTOR, own)?,
            bonds_penalty: batch.add_optional(items::BONDS_PENALTY, own)?,
            steepness: batch.add_optional(items::ALPHA_SIGMOID_STEEPNESS, own)?,
            yuma3: batch.add_optional(items::YUMA3_ON, own)?,
            burn_half_life: batch.add_optional(items::BURN_HALF_LIFE, own)?,
            burn_increase: batch.add_optional(items::BURN_INCREASE, own)?,
            max_registrations_per_block: batch.add(items::MAX_REGISTRATIONS_PER_BLOCK, own)?,
        })
    }

    fn read(&self, values: &Values<'_>) -> Result<Hyperparameters, ChainError> {
        let standard = Hyperparameters::default();
        let [tempo, kappa, max_uids, max_validators, min_weights, immunity] = &self.small;
        let [rate_limit, version_key, bonds_average, reveal_period, serving, threshold, min_burn, max_burn] =
            &self.large;
        let [liquid_alpha, commit_reveal, registration] = &self.flags;
        let (alpha_low, alpha_high) = values.need(&self.alpha)?;
        let tempo = values.need(tempo)?;
        Ok(Hyperparameters {
            tempo,
            kappa: values.need(kappa)?,
            max_allowed_uids: values.need(max_uids)?,
            max_allowed_validators: values.need(max_validators)?,
            min_allowed_weights: values.need(min_weights)?,
            max_weights_limit: values.get_or(&self.max_weights_limit, standard.max_weights_limit)?,
            weights_set_rate_limit: values.need(rate_limit)?,
            weights_version_key: values.need(version_key)?,
            immunity_period: values.need(immunity)?,
            min_non_immune_uids: values.get_or(&self.min_non_immune_uids, 0)?,
            activity_cutoff_factor_milli: self.cutoff_factor(values, tempo)?,
            bonds_moving_average: values.need(bonds_average)?,
            bonds_penalty: values.get_or(&self.bonds_penalty, standard.bonds_penalty)?,
            liquid_alpha_enabled: values.need(liquid_alpha)?,
            alpha_low,
            alpha_high,
            alpha_sigmoid_steepness: values.get_or(&self.steepness, standard.alpha_sigmoid_steepness)?,
            yuma3_enabled: values.get_or(&self.yuma3, false)?,
            commit_reveal_weights_enabled: values.need(commit_reveal)?,
            reveal_period_epochs: values.need(reveal_period)?,
            serving_rate_limit: values.need(serving)?,
            stake_threshold: Rao(values.need(threshold)?),
            min_burn: Rao(values.need(min_burn)?),
            max_burn: Rao(values.need(max_burn)?),
            burn_half_life: values.get_or(&self.burn_half_life, standard.burn_half_life)?,
            burn_increase_percent: match &self.burn_increase {
                Some(slot) => hundredths(values.need(slot)?),
                None => standard.burn_increase_percent,
            },
            max_registrations_per_block: values.need(&self.max_registrations_per_block)?,
            registration_allowed: values.need(registration)?,
        })
    }

    /// Runtimes that store the cutoff in blocks get the least factor that amounts to as many.
    fn cutoff_factor(&self, values: &Values<'_>, tempo: u16) -> Result<u32, ChainError> {
        if let Some(slot) = &self.activity_cutoff_factor {
            return values.need(slot);
        }
        let blocks = values.get_or(&self.activity_cutoff, 5000)?;
        Ok((u32::from(blocks) * 1000).div_ceil(u32::from(tempo.max(1))))
    }
}

/// A number with 64 fractional bits, in hundredths.
fn hundredths(bits: u128) -> u32 {
    let rounded = (bits.saturating_mul(100).saturating_add(1 << 63)) >> 64;
    u32::try_from(rounded).unwrap_or(u32::MAX)
}

/// Where the schedule is in a batch.
struct TimeSlots {
    since: Slot<u64>,
    stateful: Option<[Slot<u64>; 3]>,
}

impl TimeSlots {
    fn add(batch: &mut Batch<'_>, netuid: Netuid) -> Result<Self, ChainError> {
        let own = &[Key::Small(netuid.0)];
        let stateful = [
            batch.add_optional(items::LAST_EPOCH_BLOCK, own)?,
            batch.add_optional(items::PENDING_EPOCH_AT, own)?,
            batch.add_optional(items::SUBNET_EPOCH_INDEX, own)?,
        ];
        let stateful = match stateful {
            [Some(last), Some(pending), Some(index)] => Some([last, pending, index]),
            _ => None,
        };
        Ok(Self { since: batch.add(items::BLOCKS_SINCE_LAST_STEP, own)?, stateful })
    }

    fn read(
        &self,
        values: &Values<'_>,
        netuid: Netuid,
        head: Block,
        tempo: u16,
    ) -> Result<Schedule, ChainError> {
        let blocks_since_last_step = values.need(&self.since)?;
        let Some([last, pending, index]) = &self.stateful else {
            return Ok(schedule::modulo(netuid, tempo, head, blocks_since_last_step));
        };
        let pending = values.need(pending)?;
        Ok(Schedule {
            epoch: Epoch(values.need(index)?),
            last_epoch_block: Block(values.need(last)?),
            tempo,
            pending_epoch_at: (pending > 0).then_some(Block(pending)),
            blocks_since_last_step,
        })
    }
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

    #[test]
    fn a_cutoff_in_blocks_comes_back_as_it_was() {
        for (blocks, tempo) in [(5000_u32, 360_u16), (5000, 99), (360, 10), (1, 999)] {
            let factor = (blocks * 1000).div_ceil(u32::from(tempo));
            let rules =
                Hyperparameters { tempo, activity_cutoff_factor_milli: factor, ..Hyperparameters::default() };
            assert_eq!(rules.activity_cutoff(), u64::from(blocks));
        }
        assert_eq!(hundredths(23_242_897_532_874_035_200), 126);
    }
}
