//! Data of the ledger's state. The changes to it stand above: `block` applies a block, and each kind of call has a
//! file of its own.

mod commits;
mod family;
mod lane;
pub(crate) mod v1;

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{
    Axon, Block, Certificate, Coldkey, Commitment, Digest, Epoch, Hasher, Hotkey, Hyperparameters, MechId,
    Mechanisms, Netuid, Rao, Schedule, Uid,
};

use super::extrinsic::Account;
use super::genesis::{GenesisFile, NeuronEntry, SubnetEntry};
use crate::Refusal;
use crate::rules::emission::Pending;

pub(crate) use commits::{Commits, HashCommit, TimelockCommit};
pub(crate) use family::{Family, Ownership, Take};
pub(crate) use lane::Lane;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct State {
    /// The last block that was applied.
    pub(crate) block: Block,
    pub(crate) accounts: BTreeMap<Account, Purse>,
    /// Coldkeys by hotkey, from a hotkey's first registration on.
    pub(crate) owners: BTreeMap<Hotkey, Coldkey>,
    pub(crate) subnets: BTreeMap<Netuid, LedgerSubnet>,
    /// Everything that ever came into being, in rao.
    pub(crate) issued: Rao,
    pub(crate) burned: Rao,
    /// Shares that hotkeys keep of the dividends of those who stake on them.
    pub(crate) takes: BTreeMap<Hotkey, Take>,
}

/// Balance and nonce of an account; a hotkey's only counts nonces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Purse {
    pub(crate) balance: Rao,
    /// The next call's.
    pub(crate) nonce: u64,
}

/// Reads a uid's row of weights or bonds in one mechanism.
pub(super) type ReadRow = fn(&LedgerSubnet, MechId, Uid) -> Option<&Vec<(Uid, u16)>>;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct LedgerSubnet {
    pub(crate) owner_coldkey: Coldkey,
    pub(crate) owner_hotkey: Hotkey,
    pub(crate) rules: Hyperparameters,
    pub(crate) emission_per_block: Rao,
    pub(crate) registration_price: Rao,
    pub(crate) registrations_this_block: u16,
    pub(crate) pending: Pending,
    pub(crate) schedule: Schedule,
    /// The block of the last epoch that was computed; bonds to miners that registered since are dropped.
    pub(crate) last_step: Block,
    /// Position is the uid.
    pub(crate) neurons: Vec<Slot>,
    /// By hotkey: a neuron that was pruned keeps its stake.
    pub(crate) stakes: BTreeMap<Hotkey, Rao>,
    /// The part of a hotkey's stake that is others' than its own coldkey's.
    pub(crate) nominations: BTreeMap<(Hotkey, Coldkey), Rao>,
    pub(crate) mechanisms: Mechanisms,
    /// Of mechanism 1 and up; position is the uid. What is mechanism 0's is in the slot.
    pub(crate) lanes: Vec<Vec<Lane>>,
    pub(crate) commits: Commits,
    pub(crate) family: Family,
    pub(crate) commitments: BTreeMap<Hotkey, Commitment>,
    pub(crate) prometheus: BTreeMap<Hotkey, Axon>,
    /// The block of the owner's last change of the tempo.
    pub(crate) tempo_set: Option<Block>,
}

/// One uid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Slot {
    pub(crate) hotkey: Hotkey,
    pub(crate) registered_at: Block,
    pub(crate) last_update: Block,
    pub(crate) validator_permit: bool,
    pub(crate) active: bool,
    pub(crate) axon: Option<Axon>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) incentive: u16,
    pub(crate) dividends: u16,
    pub(crate) consensus: u16,
    pub(crate) validator_trust: u16,
    pub(crate) emission: Rao,
    pub(crate) weights: Vec<(Uid, u16)>,
    pub(crate) bonds: Vec<(Uid, u16)>,
}

impl State {
    pub(crate) fn genesis(file: &GenesisFile) -> Self {
        let purse = |balance| Purse { balance, nonce: 0 };
        let mut state = Self {
            block: Block(0),
            accounts: file.accounts.iter().map(|entry| (entry.coldkey.0, purse(entry.balance))).collect(),
            owners: BTreeMap::new(),
            subnets: file.subnets.iter().map(|entry| (entry.netuid, LedgerSubnet::genesis(entry))).collect(),
            issued: Rao(0),
            burned: Rao(0),
            takes: BTreeMap::new(),
        };
        for entry in &file.subnets {
            state.owners.insert(entry.owner_hotkey, entry.owner_coldkey);
            state.owners.extend(entry.neurons.iter().map(|neuron| (neuron.hotkey, neuron.coldkey)));
        }
        state.issued = Rao(u64::try_from(state.held()).expect("a checked genesis holds at most 2^63 rao"));
        state
    }

    pub(crate) fn nonce(&self, account: &Account) -> u64 {
        self.accounts.get(account).map_or(0, |purse| purse.nonce)
    }

    /// Only accounts that hold something, hold a hotkey or are one may sign: calls are free.
    pub(crate) fn knows(&self, account: &Account) -> bool {
        self.accounts.contains_key(account)
            || self.owners.contains_key(&Hotkey(*account))
            || self.subnets.values().any(|subnet| subnet.owner_coldkey.0 == *account)
    }

    pub(crate) fn subnet_mut(&mut self, netuid: Netuid) -> Result<&mut LedgerSubnet, Refusal> {
        self.subnets.get_mut(&netuid).ok_or(Refusal::SubnetNotExists { netuid })
    }

    /// The digest that a block's header carries.
    pub(crate) fn root(bytes: &[u8]) -> Digest {
        Hasher::new("weighhouse/state/v1").part(bytes).finish()
    }

    /// Every rao in a balance, a stake, a pending pot, or burned.
    pub(super) fn held(&self) -> u128 {
        let balances = self.accounts.values().map(|purse| u128::from(purse.balance.0)).sum::<u128>();
        let subnets = self.subnets.values().map(|subnet| {
            let stakes = subnet.stakes.values().map(|stake| u128::from(stake.0)).sum::<u128>();
            let Pending { owner, server, validator } = subnet.pending;
            stakes + u128::from(owner.0) + u128::from(server.0) + u128::from(validator.0)
        });
        balances + subnets.sum::<u128>() + u128::from(self.burned.0)
    }
}

impl LedgerSubnet {
    fn genesis(entry: &SubnetEntry) -> Self {
        let mut stakes = BTreeMap::new();
        for neuron in entry.neurons.iter().filter(|neuron| neuron.stake > Rao(0)) {
            stakes.insert(neuron.hotkey, neuron.stake);
        }
        let slot = |neuron: &NeuronEntry| Slot {
            validator_permit: neuron.validator_permit,
            ..Slot::new(neuron.hotkey, Block(0))
        };
        Self {
            owner_coldkey: entry.owner_coldkey,
            owner_hotkey: entry.owner_hotkey,
            rules: entry.hyperparameters.clone(),
            emission_per_block: entry.emission_per_block,
            registration_price: entry.registration_price,
            registrations_this_block: 0,
            pending: Pending::default(),
            schedule: Schedule {
                epoch: Epoch(0),
                last_epoch_block: Block(0),
                tempo: entry.hyperparameters.tempo,
                pending_epoch_at: None,
                blocks_since_last_step: 0,
            },
            last_step: Block(0),
            neurons: entry.neurons.iter().map(slot).collect(),
            stakes,
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

    pub(crate) fn uid_of(&self, hotkey: &Hotkey) -> Option<Uid> {
        let position = self.neurons.iter().position(|slot| slot.hotkey == *hotkey)?;
        u16::try_from(position).ok().map(Uid)
    }

    /// The uid of the owner's own neuron.
    pub(crate) fn owner_uid(&self) -> Option<Uid> {
        self.uid_of(&self.owner_hotkey)
    }

    pub(crate) fn stake(&self, hotkey: &Hotkey) -> Rao {
        self.stakes.get(hotkey).copied().unwrap_or_default()
    }

    pub(crate) fn add_stake(&mut self, hotkey: Hotkey, amount: Rao) {
        if amount > Rao(0) {
            self.stakes.entry(hotkey).or_default().0 += amount.0;
        }
    }

    pub(crate) fn neuron_count(&self) -> u16 {
        u16::try_from(self.neurons.len()).expect("a subnet has at most 256 uids")
    }
}

impl Slot {
    /// A neuron that has just registered: nothing of the uid's former holder is left.
    pub(crate) fn new(hotkey: Hotkey, at: Block) -> Self {
        Self {
            hotkey,
            registered_at: at,
            last_update: at,
            validator_permit: false,
            active: true,
            axon: None,
            certificate: None,
            incentive: 0,
            dividends: 0,
            consensus: 0,
            validator_trust: 0,
            emission: Rao(0),
            weights: Vec::new(),
            bonds: Vec::new(),
        }
    }
}
