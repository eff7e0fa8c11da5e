//! The ledger's state, and how one block changes it: prices and emission, epochs that are due, then the calls.
//!
//! **Invariant.** The same state and the same calls give the same bytes, wherever and in whatever order the calls
//! came in; and every rao that was issued is in a balance, a stake, a pending pot, or burned. A refused call changes
//! nothing but its signer's nonce.

pub(crate) mod v1;

use std::collections::BTreeMap;

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{
    Axon, Block, Certificate, Coldkey, Commitment, Digest, Epoch, Hasher, Hotkey, Hyperparameters, MechId,
    Mechanisms, Netuid, Rao, Schedule, Uid,
};

use super::children::{Family, Take};
use super::commits::{Commits, Sealed};
use super::epoch::Books;
use super::extrinsic::{Account, Extrinsic};
use super::genesis::{GenesisFile, NeuronEntry, SubnetEntry};
use super::mechanisms::Lane;
use crate::rules::emission::{self, Pending};
use crate::rules::{registration_price, schedule};
use crate::timelock::LocalBeacon;
use crate::{Call, Event, Refusal};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct State {
    /// The last block that was applied.
    pub(crate) block: Block,
    pub(crate) accounts: BTreeMap<Account, Purse>,
    /// Which coldkey a hotkey belongs to, from its first registration on.
    pub(crate) owners: BTreeMap<Hotkey, Coldkey>,
    pub(crate) subnets: BTreeMap<Netuid, Subnet>,
    /// Everything that ever came into being, in rao.
    pub(crate) issued: Rao,
    pub(crate) burned: Rao,
    /// What hotkeys keep of the dividends of those who stake on them.
    pub(crate) takes: BTreeMap<Hotkey, Take>,
}

/// What an account has, hotkeys' (which only count nonces) included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Purse {
    pub(crate) balance: Rao,
    /// The next call's.
    pub(crate) nonce: u64,
}

/// Reads a uid's row of weights or bonds in one mechanism.
pub(super) type ReadRow = fn(&Subnet, MechId, Uid) -> Option<&Vec<(Uid, u16)>>;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Subnet {
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

/// What a block did: one result per call, in their order, and what happened besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockOutcome {
    pub(crate) calls: Vec<Result<Vec<Event>, Refusal>>,
    pub(crate) events: Vec<Event>,
}

/// The books don't add up: a defect, never a caller's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    #[error("block {block}: {issued} rao were issued but {held} are held")]
    Conservation { block: Block, issued: Rao, held: u128 },
    #[error("block {block}: the epoch can't be computed: {why}")]
    Epoch { block: Block, why: weighhouse_yuma::InputError },
}

impl State {
    pub(crate) fn genesis(file: &GenesisFile) -> Self {
        let purse = |balance| Purse { balance, nonce: 0 };
        let mut state = Self {
            block: Block(0),
            accounts: file.accounts.iter().map(|entry| (entry.coldkey.0, purse(entry.balance))).collect(),
            owners: BTreeMap::new(),
            subnets: file.subnets.iter().map(|entry| (entry.netuid, Subnet::genesis(entry))).collect(),
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

    /// Applies the next block. The extrinsics are in their order: by signer, then nonce; each signer's begin at its
    /// own next nonce and leave no gap.
    pub(crate) fn apply_block(
        &mut self,
        extrinsics: &[Extrinsic],
        beacon: &LocalBeacon,
    ) -> Result<BlockOutcome, Broken> {
        self.block.0 += 1;
        self.accrue();
        let mut events = self.reveal_timelocked(beacon);
        self.run_epochs(&mut events)?;
        let calls = extrinsics.iter().map(|extrinsic| self.apply(extrinsic)).collect();
        self.check_conservation()?;
        Ok(BlockOutcome { calls, events })
    }

    /// Prices fall, and the block's emission becomes pending.
    fn accrue(&mut self) {
        for subnet in self.subnets.values_mut() {
            if self.block.0 > 1 {
                subnet.registration_price =
                    registration_price::decayed(subnet.registration_price, &subnet.rules);
            }
            subnet.registrations_this_block = 0;
            let emission = Rao(subnet.emission_per_block.0.min(u64::MAX - self.issued.0));
            self.issued.0 += emission.0;
            subnet.pending.add(emission::split(emission));
        }
    }

    fn run_epochs(&mut self, events: &mut Vec<Event>) -> Result<(), Broken> {
        let block = self.block;
        let mut epochs = 0;
        for (netuid, subnet) in &mut self.subnets {
            subnet.schedule.blocks_since_last_step = subnet.schedule.blocks_since_last_step.saturating_add(1);
            if !schedule::should_run_epoch(&subnet.schedule, block) {
                continue;
            }
            if epochs == schedule::EPOCHS_PER_BLOCK_MAX {
                subnet.schedule.pending_epoch_at = Some(Block(block.0 + 1));
                continue;
            }
            let books = Books { owners: &self.owners, takes: &self.takes };
            let paid = subnet.run_epoch(block, books).map_err(|why| Broken::Epoch { block, why })?;
            epochs += 1;
            self.burned.0 += paid.burned.0;
            let (owner, incentive, dividends) = (paid.owner, paid.incentive, paid.dividends);
            events.push(Event::EpochRun { netuid: *netuid, owner, incentive, dividends });
            for hotkey in subnet.family.settle(block) {
                events.push(Event::ChildrenSet { netuid: *netuid, hotkey });
            }
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, extrinsic: &Extrinsic) -> Result<Vec<Event>, Refusal> {
        self.accounts.entry(extrinsic.signer).or_default().nonce = extrinsic.nonce + 1;
        match self.apply_hotkeys(Hotkey(extrinsic.signer), &extrinsic.call) {
            Some(result) => result,
            None => self.apply_coldkeys(Coldkey(extrinsic.signer), &extrinsic.call),
        }
    }

    /// Calls that hotkeys sign; `None` for others.
    fn apply_hotkeys(&mut self, hotkey: Hotkey, call: &Call) -> Option<Result<Vec<Event>, Refusal>> {
        Some(match call {
            Call::SetWeights(call) => self.set_weights(hotkey, call),
            Call::CommitWeights { netuid, mechanism, hash } => {
                self.commit_weights(hotkey, *netuid, *mechanism, *hash)
            }
            Call::RevealWeights { weights, salt } => self.reveal_weights(hotkey, weights, salt),
            Call::BatchRevealWeights { netuid, reveals } => {
                self.batch_reveal_weights(hotkey, *netuid, reveals)
            }
            Call::CommitTimelockedWeights { netuid, mechanism, ciphertext, reveal_round, version } => {
                let sealed = Sealed { ciphertext, reveal_round: *reveal_round, version: *version };
                self.commit_timelocked(hotkey, *netuid, *mechanism, sealed)
            }
            Call::ServeAxon { netuid, axon } => self.serve_axon(hotkey, *netuid, *axon, None),
            Call::ServeAxonTls { netuid, axon, certificate } => {
                self.serve_axon(hotkey, *netuid, *axon, Some(certificate))
            }
            Call::ServePrometheus { netuid, endpoint } => self.serve_prometheus(hotkey, *netuid, *endpoint),
            Call::SetCommitment { netuid, data } => self.set_commitment(hotkey, *netuid, data),
            _ => return None,
        })
    }

    fn apply_coldkeys(&mut self, coldkey: Coldkey, call: &Call) -> Result<Vec<Event>, Refusal> {
        match call {
            Call::Register { netuid, hotkey, limit } => self.register(coldkey, *netuid, *hotkey, *limit),
            Call::AddStake { netuid, hotkey, amount } => self.add_stake(coldkey, *netuid, *hotkey, *amount),
            Call::RemoveStake { netuid, hotkey, amount } => {
                self.remove_stake(coldkey, *netuid, *hotkey, *amount)
            }
            Call::Transfer { to, amount } => self.transfer(coldkey, *to, *amount),
            Call::SetHyperparameters { netuid, hyperparameters } => {
                self.set_hyperparameters(coldkey, *netuid, hyperparameters)
            }
            Call::SetChildren { netuid, hotkey, children } => {
                self.set_children(coldkey, *netuid, *hotkey, children)
            }
            Call::SetChildkeyTake { netuid, hotkey, take } => {
                self.set_childkey_take(coldkey, *netuid, *hotkey, *take)
            }
            Call::SetTake { hotkey, take } => self.set_take(coldkey, *hotkey, *take),
            Call::SetTempo { netuid, tempo } => self.set_tempo(coldkey, *netuid, *tempo),
            Call::TriggerEpoch { netuid } => self.trigger_epoch(coldkey, *netuid),
            Call::SetActivityCutoffFactor { netuid, factor_milli } => {
                self.set_activity_cutoff_factor(coldkey, *netuid, *factor_milli)
            }
            Call::SetMechanisms { netuid, mechanisms } => self.set_mechanisms(coldkey, *netuid, mechanisms),
            call => Err(Refusal::Unsupported { what: format!("{call:?}") }),
        }
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

    pub(crate) fn subnet_mut(&mut self, netuid: Netuid) -> Result<&mut Subnet, Refusal> {
        self.subnets.get_mut(&netuid).ok_or(Refusal::SubnetNotExists { netuid })
    }

    /// The digest that a block's header carries.
    pub(crate) fn root(bytes: &[u8]) -> Digest {
        Hasher::new("weighhouse/state/v1").part(bytes).finish()
    }

    fn held(&self) -> u128 {
        let balances = self.accounts.values().map(|purse| u128::from(purse.balance.0)).sum::<u128>();
        let subnets = self.subnets.values().map(|subnet| {
            let stakes = subnet.stakes.values().map(|stake| u128::from(stake.0)).sum::<u128>();
            let Pending { owner, server, validator } = subnet.pending;
            stakes + u128::from(owner.0) + u128::from(server.0) + u128::from(validator.0)
        });
        balances + subnets.sum::<u128>() + u128::from(self.burned.0)
    }

    pub(crate) fn check_conservation(&self) -> Result<(), Broken> {
        let held = self.held();
        if held == u128::from(self.issued.0) {
            return Ok(());
        }
        Err(Broken::Conservation { block: self.block, issued: self.issued, held })
    }
}

impl Subnet {
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
