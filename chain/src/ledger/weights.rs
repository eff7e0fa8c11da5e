//! Weights as the chain stores them: checked, upscaled so that the largest is 65535, kept in the order given.

use weighhouse_scoring::conform::max_upscale;
use weighhouse_types::Hotkey;

use super::state::State;
use crate::rules::weights::{Caller, WeightsView, check_form, check_set_weights};
use crate::{Event, Refusal, SetWeights};

impl State {
    pub(super) fn set_weights(&mut self, hotkey: Hotkey, call: &SetWeights) -> Result<Vec<Event>, Refusal> {
        check_form(call)?;
        let block = self.block;
        let subnet = self.subnet_mut(call.netuid)?;
        let uid = subnet.uid_of(&hotkey);
        let caller = uid.and_then(|uid| {
            let slot = subnet.neurons.get(uid.index())?;
            let (validator_permit, last_update) = (slot.validator_permit, slot.last_update);
            Some(Caller { uid, stake: subnet.stake(&hotkey), validator_permit, last_update })
        });
        let view = WeightsView {
            block,
            neurons: subnet.neuron_count(),
            owner: subnet.owner_uid(),
            caller,
            hyperparameters: &subnet.rules,
        };
        check_set_weights(&view, call)?;
        let (Some(uid), values) = (uid, max_upscale(&call.values)) else {
            return Err(Refusal::HotKeyNotRegisteredInSubNet);
        };
        let slot = subnet.neurons.get_mut(uid.index()).ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
        slot.weights = call.uids.iter().copied().zip(values).collect();
        slot.last_update = block;
        Ok(vec![Event::WeightsSet { netuid: call.netuid, mechanism: call.mechanism, uid }])
    }
}
