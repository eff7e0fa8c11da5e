//! Weights as the chain stores them: checked, upscaled so that the largest is 65535, kept in the order given.

use weighhouse_types::{Block, Hotkey, MechId, Rao};
use weighhouse_yuma::max_upscale;

use super::state::{LedgerSubnet, State};
use crate::rules::weights::{Caller, WeightsView, check_content, check_form, check_set_weights};
use crate::{Event, Refusal, SetWeights};

impl State {
    pub(super) fn set_weights(&mut self, hotkey: Hotkey, call: &SetWeights) -> Result<Vec<Event>, Refusal> {
        check_form(call)?;
        let block = self.block;
        let subnet = self.subnet_mut(call.netuid)?;
        check_set_weights(&subnet.weights_view(&hotkey, call.mechanism, block), call)?;
        subnet.apply_weights(hotkey, call, block)
    }
}

impl LedgerSubnet {
    /// Facts that the rules look at when the hotkey sets weights or commits to some.
    pub(super) fn weights_view(&self, hotkey: &Hotkey, mechanism: MechId, block: Block) -> WeightsView<'_> {
        let caller = self.uid_of(hotkey).and_then(|uid| {
            let validator_permit = self.neurons.get(uid.index())?.validator_permit;
            // A mechanism that doesn't exist is refused for that, whatever was updated when.
            let last_update = self.last_update(mechanism, uid).unwrap_or_default();
            Some(Caller { uid, stake: Rao(self.stake_weight(hotkey)), validator_permit, last_update })
        });
        WeightsView {
            block,
            neurons: self.neuron_count(),
            mechanisms: self.mechanisms.count,
            owner: self.owner_uid(),
            caller,
            hyperparameters: &self.rules,
        }
    }

    /// Stores weights that were set, or revealed. With commit-reveal on, it was the commit that counted as an update.
    pub(super) fn apply_weights(
        &mut self,
        hotkey: Hotkey,
        call: &SetWeights,
        block: Block,
    ) -> Result<Vec<Event>, Refusal> {
        let (netuid, mechanism) = (call.netuid, call.mechanism);
        check_content(&self.weights_view(&hotkey, mechanism, block), call)?;
        let uid = self.uid_of(&hotkey).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        let values = max_upscale(&call.values);
        self.store_weights(mechanism, uid, call.uids.iter().copied().zip(values).collect());
        if !self.rules.commit_reveal_weights_enabled {
            self.store_last_update(mechanism, uid, block);
        }
        Ok(vec![Event::WeightsSet { netuid, mechanism, uid }])
    }
}
