//! The metagraph from storage, where the runtime has no function that gives it.

use weighhouse_types::{Digest, Netuid};

use super::columns::NeuronColumns;
use super::endpoints::Endpoints;
use super::fetch::StorageBatch;
use super::items::{self, Key};
use super::limits::NEURONS_MAX;
use super::runtime::Runtime;
use super::stored::AxonInfo;
use crate::ChainError;

const ROOT: u16 = 0;

/// Three requests, whatever the number of neurons. A stake is the hotkey's own here: what child keys lend each other
/// only the runtime's function adds up.
pub(super) async fn columns(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
) -> Result<NeuronColumns, ChainError> {
    let own = &[Key::Small(netuid.0)];
    let mut batch = StorageBatch::new(runtime);
    let count = batch.add(items::SUBNETWORK_N, own)?;
    let owner = batch.add(items::SUBNET_OWNER_HOTKEY, own)?;
    let active = batch.add(items::ACTIVE, own)?;
    let permits = batch.add(items::VALIDATOR_PERMIT, own)?;
    let updates = batch.add(items::LAST_UPDATE, own)?;
    let emission = batch.add(items::EMISSION, own)?;
    let dividends = batch.add(items::DIVIDENDS, own)?;
    let incentives = batch.add(items::INCENTIVE, own)?;
    let consensus = batch.add(items::CONSENSUS, own)?;
    let tao_weight = batch.add(items::TAO_WEIGHT, &[])?;
    let values = batch.fetch(endpoints, at).await?;
    let count = values.need(&count)?;
    // An endpoint's word, which decides how many keys are asked for next.
    if usize::from(count) > NEURONS_MAX {
        return Err(ChainError::Undecodable(format!("subnet {netuid} has {count} neurons")));
    }
    let (hotkeys, block_at_registration) = keys(runtime, endpoints, at, netuid, count).await?;
    let tao_weight = values.need(&tao_weight)?;
    let (coldkeys, axons, total_stake) =
        by_hotkey(runtime, endpoints, at, netuid, &hotkeys, tao_weight).await?;
    Ok(NeuronColumns {
        owner_hotkey: values.get(&owner)?.unwrap_or_default(),
        hotkeys,
        coldkeys,
        axons,
        active: values.need(&active)?,
        validator_permit: values.need(&permits)?,
        last_update: values.need(&updates)?,
        emission: values.need(&emission)?,
        dividends: values.need(&dividends)?,
        incentives: values.need(&incentives)?,
        consensus: values.need(&consensus)?,
        block_at_registration,
        total_stake,
    })
}

async fn keys(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
    count: u16,
) -> Result<(Vec<[u8; 32]>, Vec<u64>), ChainError> {
    let mut batch = StorageBatch::new(runtime);
    let mut slots = Vec::with_capacity(usize::from(count));
    for uid in 0..count {
        let own = &[Key::Small(netuid.0), Key::Small(uid)];
        slots.push((batch.add(items::KEYS, own)?, batch.add(items::BLOCK_AT_REGISTRATION, own)?));
    }
    let values = batch.fetch(endpoints, at).await?;
    let mut hotkeys = Vec::with_capacity(slots.len());
    let mut registered = Vec::with_capacity(slots.len());
    for (hotkey, block) in &slots {
        hotkeys.push(values.need(hotkey)?);
        registered.push(values.need(block)?);
    }
    Ok((hotkeys, registered))
}

type ByHotkey = (Vec<[u8; 32]>, Vec<AxonInfo>, Vec<u64>);

async fn by_hotkey(
    runtime: &Runtime,
    endpoints: &Endpoints,
    at: Digest,
    netuid: Netuid,
    hotkeys: &[[u8; 32]],
    tao_weight: u64,
) -> Result<ByHotkey, ChainError> {
    let mut batch = StorageBatch::new(runtime);
    let mut slots = Vec::with_capacity(hotkeys.len());
    for hotkey in hotkeys {
        let hotkey = Key::Account(*hotkey);
        slots.push((
            batch.add(items::OWNER, &[hotkey])?,
            batch.add(items::AXONS, &[Key::Small(netuid.0), hotkey])?,
            batch.add(items::TOTAL_HOTKEY_ALPHA, &[hotkey, Key::Small(netuid.0)])?,
            batch.add(items::TOTAL_HOTKEY_ALPHA, &[hotkey, Key::Small(ROOT)])?,
        ));
    }
    let values = batch.fetch(endpoints, at).await?;
    let (mut coldkeys, mut axons, mut stakes) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, axon, alpha, tao) in &slots {
        coldkeys.push(values.need(owner)?);
        let none = AxonInfo { block: 0, version: 0, ip: 0, port: 0, ip_type: 0 };
        axons.push(values.get(axon)?.unwrap_or(none));
        stakes.push(stake(values.need(alpha)?, values.need(tao)?, tao_weight));
    }
    Ok((coldkeys, axons, stakes))
}

/// `alpha + tao * weight / 2^64`, rounded down.
fn stake(alpha: u64, tao: u64, weight: u64) -> u64 {
    let tao = (u128::from(tao) * u128::from(weight)) >> 64;
    alpha.saturating_add(u64::try_from(tao).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_stake_counts_with_its_weight() {
        assert_eq!(stake(10, 1_000_000_000, 971_718_665_099_567_868), 10 + 52_676_974);
    }
}
