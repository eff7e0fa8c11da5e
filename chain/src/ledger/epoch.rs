//! One epoch of a subnet: Yuma consensus over its state, and what it pays.
//!
//! As on the chain, the owner's cut, incentive and dividends are paid as stake, and incentive awarded to a hotkey of
//! the subnet owner is burned. Incentive and dividends are paid as Yuma computes them, floored; what is left over by
//! rounding, or for lack of anyone to pay, stays pending and joins the next epoch.

use std::collections::BTreeMap;

use weighhouse_scoring::yuma::{self, EpochInput, EpochOutput, InputError, Rules};
use weighhouse_types::{Block, Coldkey, Hotkey, Rao, Uid};

use super::state::{Slot, Subnet};
use crate::rules::emission::Pending;

/// What an epoch paid, in rao.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) owner: Rao,
    pub(crate) incentive: Rao,
    pub(crate) dividends: Rao,
    /// Incentive to the owner's hotkeys.
    pub(crate) burned: Rao,
}

impl Subnet {
    pub(super) fn run_epoch(
        &mut self,
        block: Block,
        owners: &BTreeMap<Hotkey, Coldkey>,
    ) -> Result<Paid, InputError> {
        let output = yuma::epoch(Rules::Spec425, &self.epoch_input(block))?;
        let paid = self.pay(&output, owners);
        self.keep(output);
        self.last_step = block;
        self.schedule.blocks_since_last_step = 0;
        self.schedule.last_epoch_block = block;
        self.schedule.pending_epoch_at = None;
        self.schedule.epoch = self.schedule.epoch.next();
        Ok(paid)
    }

    pub(super) fn epoch_input(&self, block: Block) -> EpochInput {
        let rules = &self.rules;
        let each = |read: fn(&Slot) -> u64| self.neurons.iter().map(read).collect::<Vec<_>>();
        let rows = |read: fn(&Slot) -> &Vec<(Uid, u16)>| {
            let row = |slot| read(slot).iter().map(|(uid, value)| (uid.0, *value)).collect();
            self.neurons.iter().map(row).collect::<Vec<Vec<(u16, u16)>>>()
        };
        EpochInput {
            block: block.0,
            stake: self.neurons.iter().map(|slot| self.stake(&slot.hotkey).0).collect(),
            last_update: each(|slot| slot.last_update.0),
            block_at_registration: each(|slot| slot.registered_at.0),
            validator_permit: self.neurons.iter().map(|slot| slot.validator_permit).collect(),
            weights: rows(|slot| &slot.weights),
            bonds: rows(|slot| &slot.bonds),
            hyperparameters: yuma::Hyperparameters {
                kappa: rules.kappa,
                bonds_penalty: rules.bonds_penalty,
                bonds_moving_average: rules.bonds_moving_average,
                alpha_low: rules.alpha_low,
                alpha_high: rules.alpha_high,
                alpha_sigmoid_steepness: rules.alpha_sigmoid_steepness,
                max_allowed_validators: rules.max_allowed_validators,
                activity_cutoff: rules.activity_cutoff(),
                stake_threshold: rules.stake_threshold.0,
                liquid_alpha: rules.liquid_alpha_enabled,
                yuma3: rules.yuma3_enabled,
                commit_reveal: rules.commit_reveal_weights_enabled,
            },
            earliest_commit_block: vec![None; self.neurons.len()],
            last_step_boundary_block: match self.last_step {
                Block(0) => block.0.saturating_sub(u64::from(rules.tempo)),
                Block(last) => last.saturating_add(1),
            },
            owner_uid: self.owner_uid().map(|uid| uid.0),
            emission_rao: self.pending.shared().0,
        }
    }

    /// Pays out the pending pots and leaves in them what nobody received.
    fn pay(&mut self, output: &EpochOutput, owners: &BTreeMap<Hotkey, Coldkey>) -> Paid {
        let mut paid = Paid { owner: self.pending.owner, ..Paid::default() };
        let hotkeys: Vec<Hotkey> = self.neurons.iter().map(|slot| slot.hotkey).collect();
        let awards = output.server_emission.iter().zip(&output.validator_emission);
        for (hotkey, (incentive, dividends)) in hotkeys.into_iter().zip(awards) {
            if owners.get(&hotkey) == Some(&self.owner_coldkey) {
                paid.burned.0 += incentive;
            } else {
                paid.incentive.0 += incentive;
                self.add_stake(hotkey, Rao(*incentive));
            }
            paid.dividends.0 += dividends;
            self.add_stake(hotkey, Rao(*dividends));
        }
        self.add_stake(self.owner_hotkey, paid.owner);
        let left = (self.pending.shared().0)
            .checked_sub(paid.incentive.0 + paid.burned.0 + paid.dividends.0)
            .expect("Yuma's shares are floored quotients by their sum, so they pay at most the whole");
        self.pending = Pending { validator: Rao(left), ..Pending::default() };
        paid
    }

    fn keep(&mut self, output: EpochOutput) {
        for (uid, (slot, bonds)) in self.neurons.iter_mut().zip(output.new_bonds).enumerate() {
            slot.active = output.active[uid];
            slot.validator_permit = output.new_permits[uid];
            slot.incentive = output.incentive[uid];
            slot.dividends = output.dividends[uid];
            slot.consensus = output.consensus[uid];
            slot.validator_trust = output.validator_trust[uid];
            slot.emission = Rao(output.server_emission[uid] + output.validator_emission[uid]);
            slot.bonds = bonds.into_iter().map(|(uid, bond)| (Uid(uid), bond)).collect();
        }
    }
}
