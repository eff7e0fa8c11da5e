//! A chain's answer to weights in its next block: its own checks on the state that it shows, before anything is
//! signed.

use weighhouse_types::{Block, Hotkey, MechId, MechanismRows, Mechanisms, Netuid, SubnetState};

use crate::rules::weights::{check_form, obstacles};
use crate::rules::{Caller, WeightsView, check_commit, check_content, check_set_weights};
use crate::{Chain, ChainError, Refusal, SetWeights};

/// A hotkey before one mechanism of a subnet.
#[derive(Clone, Copy, Debug)]
pub struct Preflight<'a> {
    netuid: Netuid,
    view: WeightsView<'a>,
}

impl<'a> Preflight<'a> {
    /// `rows` are the mechanism's; of mechanism 0 the metagraph shows them.
    pub fn new(
        state: &'a SubnetState,
        mechanisms: &Mechanisms,
        rows: &MechanismRows,
        hotkey: &Hotkey,
    ) -> Self {
        let caller = state.metagraph.by_hotkey(hotkey).map(|neuron| Caller {
            uid: neuron.uid,
            stake: neuron.stake,
            validator_permit: neuron.validator_permit,
            last_update: rows.last_update.get(neuron.uid.index()).copied().unwrap_or(neuron.last_update),
        });
        let view = WeightsView {
            block: Block(state.head.number.0.saturating_add(1)),
            neurons: u16::try_from(state.metagraph.neurons.len()).unwrap_or(u16::MAX),
            mechanisms: mechanisms.count,
            owner: state.metagraph.owner,
            caller,
            hyperparameters: &state.hyperparameters,
        };
        Self { netuid: state.metagraph.netuid, view }
    }

    /// Asks the chain for what the metagraph doesn't show of a further mechanism.
    pub async fn read(
        chain: &dyn Chain,
        state: &'a SubnetState,
        mechanism: MechId,
        hotkey: &Hotkey,
    ) -> Result<Self, ChainError> {
        if mechanism == MechId(0) {
            return Ok(Self::new(state, &Mechanisms::default(), &MechanismRows::default(), hotkey));
        }
        let netuid = state.metagraph.netuid;
        let mechanisms = chain.mechanisms(netuid).await?;
        let rows = match mechanism.0 < mechanisms.count {
            true => chain.mechanism(netuid, mechanism).await?,
            false => MechanismRows::default(),
        };
        Ok(Self::new(state, &mechanisms, &rows, hotkey))
    }

    /// Of weights that are set plainly.
    pub fn set(&self, call: &SetWeights) -> Result<(), Refusal> {
        self.check_subnet(call)?;
        check_set_weights(&self.view, call)
    }

    /// Of weights that are committed to: the commit, and what its reveal will be checked for.
    pub fn commit(&self, call: &SetWeights) -> Result<(), Refusal> {
        self.check_subnet(call)?;
        check_commit(&self.view, call.mechanism)?;
        check_content(&self.view, call)
    }

    /// Of a reveal that comes in its epoch.
    pub fn reveal(&self, call: &SetWeights) -> Result<(), Refusal> {
        self.check_subnet(call)?;
        if !self.view.hyperparameters.commit_reveal_weights_enabled {
            return Err(Refusal::CommitRevealDisabled);
        }
        check_content(&self.view, call)
    }

    /// Everything that is in the way of any weights, in the chain's order.
    pub fn obstacles(&self) -> Vec<Refusal> {
        obstacles(&self.view)
    }

    fn check_subnet(&self, call: &SetWeights) -> Result<(), Refusal> {
        check_form(call)?;
        match call.netuid == self.netuid {
            true => Ok(()),
            false => Err(Refusal::SubnetNotExists { netuid: call.netuid }),
        }
    }
}

/// [`Preflight::set`] of mechanism 0.
pub fn preflight(state: &SubnetState, hotkey: &Hotkey, call: &SetWeights) -> Result<(), Refusal> {
    Preflight::new(state, &Mechanisms::default(), &MechanismRows::default(), hotkey).set(call)
}
