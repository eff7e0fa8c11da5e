//! One epoch of a subnet: Yuma consensus over its state, and what it pays.
//!
//! As on the chain, the owner's cut, incentive and dividends are paid as stake, and incentive awarded to a hotkey of
//! the subnet owner is burned. Incentive and dividends are paid as Yuma computes them, floored; what is left over by
//! rounding, or for lack of anyone to pay, stays pending and joins the next epoch.

use std::collections::BTreeMap;

use weighhouse_types::{Block, Hotkey, MechId, Rao, Uid};
use weighhouse_yuma::{self as yuma, EpochInput, EpochOutput, InputError, Rules};

use super::state::{LedgerSubnet, Ownership, ReadRow, Slot};
use crate::rules::emission::Pending;
use crate::rules::{mechanisms, reveal};

/// One mechanism's epoch, and how much it weighs in the subnet's own figures.
#[derive(Debug)]
struct MechanismEpoch {
    output: EpochOutput,
    weight: u128,
}

/// Payments of an epoch, in rao.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EpochPayments {
    pub(crate) owner: Rao,
    pub(crate) incentive: Rao,
    pub(crate) dividends: Rao,
    /// Incentive to the owner's hotkeys.
    pub(crate) burned: Rao,
}

impl LedgerSubnet {
    pub(super) fn run_epoch(
        &mut self,
        block: Block,
        ownership: Ownership<'_>,
    ) -> Result<EpochPayments, InputError> {
        let emission = self.pending.shared();
        let parts = mechanisms::split(&self.mechanisms, emission);
        let mut computed = Vec::with_capacity(parts.len());
        for (mechanism, part) in parts.into_iter().enumerate() {
            let id = MechId(u8::try_from(mechanism).expect("there are at most two"));
            let output = yuma::epoch(Rules::Spec425, &self.epoch_input(block, id, part))?;
            computed.push(MechanismEpoch { output, weight: mechanisms::weight(mechanism, part, emission) });
        }
        let paid = self.pay(&computed, ownership);
        self.keep(&computed);
        self.last_step = block;
        self.schedule.blocks_since_last_step = 0;
        self.schedule.last_epoch_block = block;
        self.schedule.pending_epoch_at = None;
        self.schedule.epoch = self.schedule.epoch.next();
        Ok(paid)
    }

    /// Input of one mechanism's epoch, which distributes `emission`.
    pub(super) fn epoch_input(&self, block: Block, mechanism: MechId, emission: Rao) -> EpochInput {
        let rules = &self.rules;
        let uids = || (0..self.neuron_count()).map(Uid);
        let each = |read: fn(&Slot) -> u64| self.neurons.iter().map(read).collect::<Vec<_>>();
        let rows = |read: ReadRow| {
            let row = |uid| {
                let row = read(self, mechanism, uid).into_iter().flatten();
                row.map(|(uid, value)| (uid.0, *value)).collect()
            };
            uids().map(row).collect::<Vec<Vec<(u16, u16)>>>()
        };
        EpochInput {
            block: block.0,
            stake: self.neurons.iter().map(|slot| self.stake_weight(&slot.hotkey)).collect(),
            last_update: uids().map(|uid| self.last_update(mechanism, uid).unwrap_or_default().0).collect(),
            block_at_registration: each(|slot| slot.registered_at.0),
            validator_permit: self.neurons.iter().map(|slot| slot.validator_permit).collect(),
            weights: rows(Self::weights),
            bonds: rows(Self::bonds),
            hyperparameters: rules.into(),
            earliest_commit_block: self.earliest_commits(mechanism, reveal::epoch_at(&self.schedule, block)),
            last_step_boundary_block: match self.last_step {
                // Before the first epoch the boundary lies one tempo back, as the chain assumes.
                Block(0) => block.0.saturating_sub(u64::from(rules.tempo)),
                Block(last) => last.saturating_add(1),
            },
            owner_uid: self.owner_uid().map(|uid| uid.0),
            emission_rao: emission.0,
        }
    }

    /// Pays out the pending pots and leaves in them what nobody received.
    fn pay(&mut self, computed: &[MechanismEpoch], ownership: Ownership<'_>) -> EpochPayments {
        let mut paid = EpochPayments { owner: self.pending.owner, ..EpochPayments::default() };
        let hotkeys: Vec<Hotkey> = self.neurons.iter().map(|slot| slot.hotkey).collect();
        let mut shares: BTreeMap<Hotkey, u64> = BTreeMap::new();
        for (uid, hotkey) in hotkeys.iter().enumerate() {
            let dividends = computed.iter().map(|of| of.output.validator_emission[uid]).sum();
            for (to, share) in self.dividends_by_hotkey(*hotkey, dividends, ownership) {
                *shares.entry(to).or_default() += share;
            }
            paid.dividends.0 += dividends;
        }
        // Staked only after all are computed:
        // a share that was paid first would change the next one's division.
        for (hotkey, share) in shares {
            self.stake_dividends(hotkey, share, ownership);
        }
        for (uid, hotkey) in hotkeys.into_iter().enumerate() {
            let incentive = Rao(computed.iter().map(|of| of.output.server_emission[uid]).sum());
            // Incentive to the owner's own hotkeys is destroyed: owners would otherwise pay themselves.
            if ownership.owners.get(&hotkey) == Some(&self.owner_coldkey) {
                paid.burned.0 += incentive.0;
            } else {
                paid.incentive.0 += incentive.0;
                self.add_stake(hotkey, incentive);
            }
        }
        self.add_stake(self.owner_hotkey, paid.owner);
        let left = (self.pending.shared().0)
            .checked_sub(paid.incentive.0 + paid.burned.0 + paid.dividends.0)
            .expect("Yuma's shares are floored quotients by their sum, so they pay at most the whole");
        // Either pot will do: the next epoch distributes both together.
        self.pending = Pending { validator: Rao(left), ..Pending::default() };
        paid
    }

    /// Bonds and incentive are each mechanism's own; the rest is the subnet's, by the mechanisms' weights.
    fn keep(&mut self, computed: &[MechanismEpoch]) {
        for uid in 0..self.neurons.len() {
            let sum = |read: fn(&EpochOutput) -> &Vec<u16>| {
                let figures = computed.iter().map(|of| (read(&of.output)[uid], of.weight));
                figures.fold(0, |sum, (figure, weight)| mechanisms::accumulate(sum, figure, weight))
            };
            let emission =
                |of: &MechanismEpoch| of.output.server_emission[uid] + of.output.validator_emission[uid];
            let slot = &mut self.neurons[uid];
            slot.active = computed.iter().any(|of| of.output.active[uid]);
            slot.validator_permit = computed.iter().any(|of| of.output.new_permits[uid]);
            slot.dividends = sum(|output| &output.dividends);
            slot.consensus = sum(|output| &output.consensus);
            slot.validator_trust = sum(|output| &output.validator_trust);
            slot.emission = Rao(computed.iter().map(emission).sum());
            for (mechanism, MechanismEpoch { output, .. }) in computed.iter().enumerate() {
                let bonds = output.new_bonds[uid].iter().map(|(uid, bond)| (Uid(*uid), *bond)).collect();
                match mechanism.checked_sub(1) {
                    None => (slot.bonds, slot.incentive) = (bonds, output.incentive[uid]),
                    Some(at) => {
                        let lane = &mut self.lanes[at][uid];
                        (lane.bonds, lane.incentive) = (bonds, output.incentive[uid]);
                    }
                }
            }
        }
    }
}
