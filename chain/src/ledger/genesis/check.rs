//! Conditions that a genesis must meet for the ledger's sums to fit and its subnets to run.

use std::collections::{BTreeMap, BTreeSet};

use weighhouse_types::{Coldkey, Hotkey, Netuid};

use super::{BlockTime, GenesisError, GenesisFile, SubnetEntry};
use crate::rules::hyperparameters;

const NAME_BYTES_MAX: usize = 64;
const BLOCK_MILLIS_MIN: u64 = 10;
const BLOCK_MILLIS_MAX: u64 = 3_600_000;
const SUBNETS_MAX: usize = 16;
const ACCOUNTS_MAX: usize = 100_000;
/// Leaves room for centuries of emission below 2^64.
const SUPPLY_MAX: u64 = u64::MAX / 2;
/// 1000 TAO.
const EMISSION_PER_BLOCK_MAX: u64 = 1_000_000_000_000;

pub(super) fn check(file: &GenesisFile) -> Result<(), GenesisError> {
    let value = |field, why: String| Err(GenesisError::Value { field, why });
    if file.name.is_empty() || file.name.len() > NAME_BYTES_MAX {
        return value("name", format!("has {} bytes, allowed are 1 to {NAME_BYTES_MAX}", file.name.len()));
    }
    if let BlockTime::Every { millis } = file.block_time
        && !(BLOCK_MILLIS_MIN..=BLOCK_MILLIS_MAX).contains(&millis)
    {
        return value("block_time", format!("is {millis} ms, allowed are {BLOCK_MILLIS_MIN} ms to 1 h"));
    }
    if file.subnets.is_empty() || file.subnets.len() > SUBNETS_MAX {
        return value("subnets", format!("are {}, allowed are 1 to {SUBNETS_MAX}", file.subnets.len()));
    }
    if file.accounts.len() > ACCOUNTS_MAX {
        return value("accounts", format!("are {}, allowed are up to {ACCOUNTS_MAX}", file.accounts.len()));
    }
    let mut coldkeys = BTreeSet::new();
    if let Some(twice) = file.accounts.iter().find(|account| !coldkeys.insert(account.coldkey)) {
        return value("accounts", format!("list {} twice", twice.coldkey));
    }
    let balances = file.accounts.iter().map(|account| account.balance.0);
    let stakes = file.subnets.iter().flat_map(|subnet| &subnet.neurons).map(|neuron| neuron.stake.0);
    if balances.chain(stakes).try_fold(0u64, u64::checked_add).is_none_or(|supply| supply > SUPPLY_MAX) {
        return value("accounts", format!("and stakes hold more than {SUPPLY_MAX} rao"));
    }
    let mut owners = BTreeMap::new();
    let mut netuids = BTreeSet::new();
    for subnet in &file.subnets {
        if !netuids.insert(subnet.netuid) {
            return value("subnets", format!("list {} twice", subnet.netuid));
        }
        check_subnet(subnet, &mut owners)?;
    }
    Ok(())
}

fn check_subnet(subnet: &SubnetEntry, owners: &mut BTreeMap<Hotkey, Coldkey>) -> Result<(), GenesisError> {
    let netuid = subnet.netuid;
    let refuse = |why: String| Err(GenesisError::Subnet { netuid, why });
    if netuid == Netuid(0) {
        return refuse("0 is the root's number".to_owned());
    }
    let rules = &subnet.hyperparameters;
    hyperparameters::check(rules, subnet.neurons.len())
        .map_err(|refusal| GenesisError::Hyperparameters { netuid, refusal })?;
    if subnet.emission_per_block.0 > EMISSION_PER_BLOCK_MAX {
        return refuse(format!(
            "emission_per_block_tao is over {}",
            weighhouse_types::tao::format(weighhouse_types::Rao(EMISSION_PER_BLOCK_MAX))
        ));
    }
    if !(rules.min_burn..=rules.max_burn).contains(&subnet.registration_price) {
        return refuse("registration_price_tao is not between min_burn and max_burn".to_owned());
    }
    let mut hotkeys = BTreeSet::new();
    let listed = subnet.neurons.iter().map(|neuron| (neuron.hotkey, neuron.coldkey));
    if let Some((twice, _)) = listed.clone().find(|(hotkey, _)| !hotkeys.insert(*hotkey)) {
        return refuse(format!("neuron {twice} comes twice"));
    }
    for (hotkey, coldkey) in listed.chain([(subnet.owner_hotkey, subnet.owner_coldkey)]) {
        if *owners.entry(hotkey).or_insert(coldkey) != coldkey {
            return refuse(format!("hotkey {hotkey} is given two coldkeys"));
        }
    }
    Ok(())
}
