//! Reads and calls that few roles need: mechanisms, commits, the timelock, child keys, hyperparameters.

use subxt::dynamic::Value;
use weighhouse_types::{
    Block, Child, Coldkey, CommitContent, Delegation, Digest, Epoch, Head, Hotkey, Hyperparameters, MechId,
    Mechanisms, Netuid, Rounds, TIMELOCK_KEY_BYTES, Timelock, WeightCommit,
};

use super::calls::{self, Payload, number};
use super::endpoints::Endpoints;
use super::fetch::{self, StorageBatch};
use super::items::{self, Key};
use super::read;
use super::runtime::Runtime;
use super::storage_index;
use crate::ChainError;
use crate::rules::hyperparameters::REVEAL_PERIOD_MAX;

pub(super) const BLOCK_MILLIS: u64 = 12_000;
/// The value in runtimes that don't store one.
const TIMELOCK_VERSION: u16 = 4;

pub(super) async fn mechanisms(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
) -> Result<Mechanisms, ChainError> {
    let own = &[Key::Small(netuid.0)];
    let mut batch = StorageBatch::new(runtime);
    let added = batch.add(items::NETWORKS_ADDED, own)?;
    let count = batch.add_optional(items::MECHANISM_COUNT, own)?;
    let split = batch.add_optional(items::MECHANISM_SPLIT, own)?;
    let values = batch.fetch(endpoints, at).await?;
    if !values.need(&added)? {
        return Err(ChainError::NoSubnet(netuid));
    }
    let count = values.get_or(&count, 1)?.max(1);
    // The item's default would read as a split into no shares.
    let emission_split = split.filter(|split| values.is_stored(split));
    let emission_split = emission_split.map(|split| values.need(&split)).transpose()?;
    Ok(Mechanisms { count, emission_split })
}

/// Commits of both kinds that can still be revealed.
pub(super) async fn commits(
    runtime: &Runtime,
    endpoints: &Endpoints,
    head: Head,
    (netuid, mechanism): (Netuid, MechId),
    hotkey: Hotkey,
) -> Result<Vec<WeightCommit>, ChainError> {
    let state = read::subnet_times(runtime, endpoints, head, netuid).await?;
    let index = storage_index(runtime, netuid, mechanism)?;
    // Bounds the keys that are asked for, whatever period a node claims.
    let period = state.reveal_period_epochs.min(REVEAL_PERIOD_MAX);
    let first = state.schedule.epoch.0.saturating_sub(period);
    let mut batch = StorageBatch::new(runtime);
    let hashed = batch.add(items::WEIGHT_COMMITS, &[index, Key::Account(hotkey.0)])?;
    let mut sealed = Vec::new();
    for epoch in first..=state.schedule.epoch.0 {
        if let Some(slot) = batch.add_optional(items::TIMELOCKED_COMMITS, &[index, Key::Large(epoch)])? {
            sealed.push((Epoch(epoch), slot));
        }
    }
    let values = batch.fetch(endpoints, head.hash).await?;
    let mut commits = Vec::new();
    for (hash, first_figure, second_figure, _) in values.get(&hashed)?.unwrap_or_default() {
        let (epoch, block) = match runtime.layout.stateful_epochs {
            true => (Epoch(first_figure), Block(second_figure)),
            false => {
                let block = Block(first_figure);
                (super::schedule::modulo(netuid, state.tempo, block, 0).epoch, block)
            }
        };
        if epoch.0 >= first {
            commits.push(WeightCommit { epoch, block, content: CommitContent::Hash { hash: Digest(hash) } });
        }
    }
    for (epoch, slot) in &sealed {
        let of_epoch = values.get(slot)?.unwrap_or_default();
        for (_, block, ciphertext, reveal_round) in of_epoch.into_iter().filter(|commit| commit.0 == hotkey.0)
        {
            let content = CommitContent::Timelocked { ciphertext, reveal_round };
            commits.push(WeightCommit { epoch: *epoch, block: Block(block), content });
        }
    }
    commits.sort_by_key(|commit| commit.block);
    Ok(commits)
}

pub(super) async fn timelock(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
) -> Result<Timelock, ChainError> {
    if !runtime.layout.timelocked {
        return Err(ChainError::Unsupported { what: "timelocked weight commits" });
    }
    let mut batch = StorageBatch::new(runtime);
    let beacon = batch.add(items::BEACON_CONFIG, &[])?;
    let last = batch.add(items::LAST_STORED_ROUND, &[])?;
    let version = batch.add_optional(items::COMMIT_REVEAL_VERSION, &[])?;
    let values = batch.fetch(endpoints, at).await?;
    let beacon = values.need(&beacon)?;
    let public_key: [u8; TIMELOCK_KEY_BYTES] = beacon.public_key.try_into().map_err(|key: Vec<u8>| {
        ChainError::Undecodable(format!(
            "the timelock's key has {} bytes, not {TIMELOCK_KEY_BYTES}",
            key.len()
        ))
    })?;
    let (genesis, period) = (beacon.genesis_time, beacon.period);
    Ok(Timelock {
        version: values.get_or(&version, TIMELOCK_VERSION)?,
        public_key,
        rounds: Rounds::Clock { genesis, period, block_millis: BLOCK_MILLIS },
        last_round: values.need(&last)?,
    })
}

/// The newest drand pulse that the chain held at a block: nobody on the chain chose it. A chain without pulses has
/// the block's hash instead, which its author could choose among a few.
pub(super) async fn randomness(
    runtime: &Runtime,
    endpoints: &Endpoints,
    block: Digest,
) -> Result<Vec<u8>, ChainError> {
    if items::LAST_STORED_ROUND.exists(runtime) && items::PULSES.exists(runtime) {
        let round = fetch::one(runtime, endpoints, block, items::LAST_STORED_ROUND, &[]).await?;
        let key = [Key::Large(round.unwrap_or(0))];
        let pulse = fetch::one(runtime, endpoints, block, items::PULSES, &key).await?;
        if let Some(pulse) = pulse.filter(|pulse| !pulse.randomness.is_empty()) {
            return Ok(pulse.randomness);
        }
    }
    Ok(block.0.to_vec())
}

pub(super) async fn delegation(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
    hotkey: Hotkey,
) -> Result<Option<Delegation>, ChainError> {
    let (hotkey, netuid) = (Key::Account(hotkey.0), Key::Small(netuid.0));
    let mut batch = StorageBatch::new(runtime);
    let owner = batch.add(items::OWNER, &[hotkey])?;
    let take = batch.add(items::DELEGATES, &[hotkey])?;
    let childkey_take = batch.add(items::CHILDKEY_TAKE, &[hotkey, netuid])?;
    let children = batch.add(items::CHILD_KEYS, &[hotkey, netuid])?;
    let parents = batch.add(items::PARENT_KEYS, &[hotkey, netuid])?;
    let pending = batch.add(items::PENDING_CHILD_KEYS, &[netuid, hotkey])?;
    let values = batch.fetch(endpoints, at).await?;
    if !values.is_stored(&owner) {
        return Ok(None);
    }
    let family = |keys: Vec<(u64, [u8; 32])>| {
        keys.into_iter().map(|(proportion, key)| Child { proportion, hotkey: Hotkey(key) }).collect()
    };
    // The item's default would read as no children, from block 0 on.
    let pending = match values.is_stored(&pending) {
        true => values.get(&pending)?.map(|(children, from)| (Block(from), family(children))),
        false => None,
    };
    Ok(Some(Delegation {
        coldkey: Coldkey(values.need(&owner)?),
        take: values.need(&take)?,
        childkey_take: values.need(&childkey_take)?,
        children: family(values.get(&children)?.unwrap_or_default()),
        parents: family(values.get(&parents)?.unwrap_or_default()),
        pending,
    }))
}

/// The owner's calls for every hyperparameter that differs, all of them or none. The chain lets an owner set some of
/// these only, and each only now and then: it refuses by name.
pub(super) fn set_hyperparameters(
    netuid: Netuid,
    now: &Hyperparameters,
    wanted: &Hyperparameters,
) -> Result<Payload, ChainError> {
    let figure = |name: &'static str, argument: &'static str, now: u64, wanted: u64| {
        (now != wanted).then(|| (name, vec![("netuid", number(netuid.0)), (argument, number(wanted))]))
    };
    let flag = |name: &'static str, argument: &'static str, now: bool, wanted: bool| {
        (now != wanted).then(|| (name, vec![("netuid", number(netuid.0)), (argument, Value::bool(wanted))]))
    };
    macro_rules! figures {
        ($($name:literal $argument:literal $field:ident;)*) => {
            [$(figure($name, $argument, now.$field.into(), wanted.$field.into())),*]
        };
    }
    let figures = figures! {
        "sudo_set_tempo" "tempo" tempo;
        "sudo_set_kappa" "kappa" kappa;
        "sudo_set_max_allowed_uids" "max_allowed_uids" max_allowed_uids;
        "sudo_set_max_allowed_validators" "max_allowed_validators" max_allowed_validators;
        "sudo_set_min_allowed_weights" "min_allowed_weights" min_allowed_weights;
        "sudo_set_weights_set_rate_limit" "weights_set_rate_limit" weights_set_rate_limit;
        "sudo_set_weights_version_key" "weights_version_key" weights_version_key;
        "sudo_set_immunity_period" "immunity_period" immunity_period;
        "sudo_set_min_non_immune_uids" "min" min_non_immune_uids;
        "sudo_set_bonds_moving_average" "bonds_moving_average" bonds_moving_average;
        "sudo_set_bonds_penalty" "bonds_penalty" bonds_penalty;
        "sudo_set_commit_reveal_weights_interval" "interval" reveal_period_epochs;
        "sudo_set_serving_rate_limit" "serving_rate_limit" serving_rate_limit;
        "sudo_set_max_registrations_per_block" "max_registrations_per_block" max_registrations_per_block;
    };
    let burns = [
        figure("sudo_set_min_burn", "min_burn", now.min_burn.0, wanted.min_burn.0),
        figure("sudo_set_max_burn", "max_burn", now.max_burn.0, wanted.max_burn.0),
    ];
    let flags = [
        flag(
            "sudo_set_liquid_alpha_enabled",
            "enabled",
            now.liquid_alpha_enabled,
            wanted.liquid_alpha_enabled,
        ),
        flag("sudo_set_yuma3_enabled", "enabled", now.yuma3_enabled, wanted.yuma3_enabled),
        flag(
            "sudo_set_commit_reveal_weights_enabled",
            "enabled",
            now.commit_reveal_weights_enabled,
            wanted.commit_reveal_weights_enabled,
        ),
        flag(
            "sudo_set_network_registration_allowed",
            "registration_allowed",
            now.registration_allowed,
            wanted.registration_allowed,
        ),
    ];
    let alpha = ((now.alpha_low, now.alpha_high) != (wanted.alpha_low, wanted.alpha_high)).then(|| {
        let low = ("alpha_low", number(wanted.alpha_low));
        let high = ("alpha_high", number(wanted.alpha_high));
        ("sudo_set_alpha_values", vec![("netuid", number(netuid.0)), low, high])
    });
    let calls: Vec<_> = figures.into_iter().chain(burns).chain(flags).chain([alpha]).flatten().collect();
    if calls.is_empty() {
        return Err(ChainError::NotAccepted("the subnet has these hyperparameters already".to_owned()));
    }
    Ok(calls::all_of(calls))
}
