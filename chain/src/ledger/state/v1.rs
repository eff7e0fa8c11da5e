//! The state as format 1 wrote it: before commits, further mechanisms, child keys and takes.

use super::*;

#[derive(Decode)]
#[cfg_attr(test, derive(Encode))]
pub(crate) struct StateV1 {
    block: Block,
    accounts: BTreeMap<Account, Purse>,
    owners: BTreeMap<Hotkey, Coldkey>,
    subnets: BTreeMap<Netuid, SubnetV1>,
    issued: Rao,
    burned: Rao,
}

#[derive(Decode)]
#[cfg_attr(test, derive(Encode))]
struct SubnetV1 {
    owner_coldkey: Coldkey,
    owner_hotkey: Hotkey,
    rules: Hyperparameters,
    emission_per_block: Rao,
    registration_price: Rao,
    registrations_this_block: u16,
    pending: Pending,
    schedule: Schedule,
    last_step: Block,
    neurons: Vec<Slot>,
    stakes: BTreeMap<Hotkey, Rao>,
}

impl From<StateV1> for State {
    fn from(old: StateV1) -> Self {
        let StateV1 { block, accounts, owners, subnets, issued, burned } = old;
        let subnets = subnets.into_iter().map(|(netuid, subnet)| (netuid, subnet.into())).collect();
        Self { block, accounts, owners, subnets, issued, burned, takes: BTreeMap::new() }
    }
}

impl From<SubnetV1> for LedgerSubnet {
    fn from(old: SubnetV1) -> Self {
        Self {
            owner_coldkey: old.owner_coldkey,
            owner_hotkey: old.owner_hotkey,
            rules: old.rules,
            emission_per_block: old.emission_per_block,
            registration_price: old.registration_price,
            registrations_this_block: old.registrations_this_block,
            pending: old.pending,
            schedule: old.schedule,
            last_step: old.last_step,
            neurons: old.neurons,
            stakes: old.stakes,
            nominations: BTreeMap::new(),
            mechanisms: Mechanisms::default(),
            lanes: Vec::new(),
            commits: Commits::default(),
            family: Family::default(),
            commitments: BTreeMap::new(),
            prometheus: BTreeMap::new(),
            tempo_set: None,
        }
    }
}

#[cfg(test)]
impl From<State> for StateV1 {
    fn from(new: State) -> Self {
        let State { block, accounts, owners, subnets, issued, burned, .. } = new;
        let subnet = |subnet: LedgerSubnet| SubnetV1 {
            owner_coldkey: subnet.owner_coldkey,
            owner_hotkey: subnet.owner_hotkey,
            rules: subnet.rules,
            emission_per_block: subnet.emission_per_block,
            registration_price: subnet.registration_price,
            registrations_this_block: subnet.registrations_this_block,
            pending: subnet.pending,
            schedule: subnet.schedule,
            last_step: subnet.last_step,
            neurons: subnet.neurons,
            stakes: subnet.stakes,
        };
        let subnets = subnets.into_iter().map(|(netuid, of)| (netuid, subnet(of))).collect();
        Self { block, accounts, owners, subnets, issued, burned }
    }
}
