//! The checks of `set_weights`, in the runtime's order (`internal_set_weights`, spec 425).

use std::collections::BTreeSet;

use weighhouse_types::{Block, Hyperparameters, MechId, Netuid, Rao, Uid};
use weighhouse_yuma::check_vec_max_limited;
use weighhouse_yuma::max_upscale;

use crate::{Refusal, SetWeights};

/// The row of the neuron that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub uid: Uid,
    pub stake: Rao,
    pub validator_permit: bool,
    /// The block of its last weights, commit or registration in the call's mechanism; 0 when it has none.
    pub last_update: Block,
}

/// Facts that the checks look at.
#[derive(Clone, Copy, Debug)]
pub struct WeightsView<'a> {
    /// The block the call would be part of.
    pub block: Block,
    /// Registered neurons.
    pub neurons: u16,
    pub mechanisms: u8,
    /// The uid of the owner's neuron.
    pub owner: Option<Uid>,
    /// `None` when the signing hotkey isn't registered.
    pub caller: Option<Caller>,
    pub hyperparameters: &'a Hyperparameters,
}

/// Checks that need no subnet.
pub(crate) fn check_form(call: &SetWeights) -> Result<(), Refusal> {
    if call.netuid == Netuid(0) {
        return Err(Refusal::CanNotSetRootNetworkWeights);
    }
    if call.uids.len() != call.values.len() {
        let (uids, values) = (count(call.uids.len()), count(call.values.len()));
        return Err(Refusal::WeightVecNotEqualSize { uids, values });
    }
    Ok(())
}

/// All checks of weights that are set plainly, each refused with the runtime's own error.
pub fn check_set_weights(view: &WeightsView<'_>, call: &SetWeights) -> Result<(), Refusal> {
    if view.hyperparameters.commit_reveal_weights_enabled {
        return Err(Refusal::CommitRevealEnabled);
    }
    check_content(view, call)
}

/// The checks of a commit: what is committed is checked when it is revealed.
pub fn check_commit(view: &WeightsView<'_>, mechanism: MechId) -> Result<(), Refusal> {
    let rules = view.hyperparameters;
    check_mechanism(view, mechanism)?;
    if !rules.commit_reveal_weights_enabled {
        return Err(Refusal::CommitRevealDisabled);
    }
    let caller = view.caller.ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
    match blocks_to_wait(caller.last_update, view.block, rules.weights_set_rate_limit) {
        0 => Ok(()),
        blocks => Err(Refusal::CommittingWeightsTooFast { blocks }),
    }
}

/// Everything that is in the way of any weights of this caller's, in the chain's order.
pub(crate) fn obstacles(view: &WeightsView<'_>) -> Vec<Refusal> {
    let rules = view.hyperparameters;
    let Some(caller) = view.caller else { return vec![Refusal::HotKeyNotRegisteredInSubNet] };
    let owner = view.owner == Some(caller.uid);
    let mut found = Vec::new();
    if caller.stake < rules.stake_threshold && !owner {
        let missing = Rao(rules.stake_threshold.0 - caller.stake.0);
        found.push(Refusal::NotEnoughStakeToSetWeights { missing });
    }
    match blocks_to_wait(caller.last_update, view.block, rules.weights_set_rate_limit) {
        0 => {}
        blocks if rules.commit_reveal_weights_enabled => {
            found.push(Refusal::CommittingWeightsTooFast { blocks });
        }
        blocks => found.push(Refusal::SettingWeightsTooFast { blocks }),
    }
    if !owner && !caller.validator_permit {
        found.push(Refusal::NeuronNoValidatorPermit);
    }
    found
}

/// The checks of weights however they came: set, or revealed. Only the former are limited in rate.
pub fn check_content(view: &WeightsView<'_>, call: &SetWeights) -> Result<(), Refusal> {
    let rules = view.hyperparameters;
    check_form(call)?;
    check_mechanism(view, call.mechanism)?;
    if call.uids.len() > usize::from(view.neurons) {
        let (uids, neurons) = (count(call.uids.len()), u32::from(view.neurons));
        return Err(Refusal::UidsLengthExceedUidsInSubNet { uids, neurons });
    }
    let caller = view.caller.ok_or(Refusal::HotKeyNotRegisteredInSubNet)?;
    let owner = view.owner == Some(caller.uid);
    if caller.stake < rules.stake_threshold && !owner {
        let missing = Rao(rules.stake_threshold.0 - caller.stake.0);
        return Err(Refusal::NotEnoughStakeToSetWeights { missing });
    }
    // A key of 0 lets every version in.
    if rules.weights_version_key != 0 && call.version_key < rules.weights_version_key {
        return Err(Refusal::IncorrectWeightVersionKey { required: rules.weights_version_key });
    }
    let wait = blocks_to_wait(caller.last_update, view.block, rules.weights_set_rate_limit);
    if wait > 0 && !rules.commit_reveal_weights_enabled {
        return Err(Refusal::SettingWeightsTooFast { blocks: wait });
    }
    // A single weight on oneself needs no permit, no minimum length and no maximum: the runtime's exemption.
    let own = is_self_weight(caller.uid, &call.uids, &call.values);
    if !own && !owner && !caller.validator_permit {
        return Err(Refusal::NeuronNoValidatorPermit);
    }
    check_uids(&call.uids, view.neurons)?;
    if !own {
        check_length(call.values.len(), view.neurons, rules.min_allowed_weights)?;
        if !check_vec_max_limited(&max_upscale(&call.values), rules.max_weights_limit) {
            return Err(Refusal::MaxWeightExceeded);
        }
    }
    Ok(())
}

fn check_mechanism(view: &WeightsView<'_>, mechanism: MechId) -> Result<(), Refusal> {
    if mechanism.0 < view.mechanisms {
        return Ok(());
    }
    Err(Refusal::MechanismDoesNotExist { mechanism: mechanism.0 })
}

fn blocks_to_wait(last_update: Block, block: Block, limit: u64) -> u64 {
    // The storage's default, which the runtime takes for one who never set weights.
    if last_update == Block(0) {
        return 0;
    }
    limit.saturating_sub(block.saturating_since(last_update))
}

fn check_uids(uids: &[Uid], neurons: u16) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    if let Some(uid) = uids.iter().find(|uid| !seen.insert(**uid)) {
        return Err(Refusal::DuplicateUids { uid: *uid });
    }
    match uids.iter().find(|uid| uid.0 >= neurons) {
        Some(uid) => Err(Refusal::UidVecContainInvalidOne { uid: *uid }),
        None => Ok(()),
    }
}

fn check_length(length: usize, neurons: u16, min_allowed: u16) -> Result<(), Refusal> {
    // A subnet with fewer neurons than that could not be weighed at all.
    let minimum = neurons.min(min_allowed);
    if length >= usize::from(minimum) {
        return Ok(());
    }
    Err(Refusal::WeightVecLengthIsLow { length: count(length), minimum: u32::from(minimum) })
}

/// One weight, on oneself.
fn is_self_weight(uid: Uid, uids: &[Uid], values: &[u16]) -> bool {
    values.len() == 1 && uids.first() == Some(&uid)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
