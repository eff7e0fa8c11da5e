//! The state as roles see it.

use weighhouse_types::{
    Certificate, Delegation, Head, Hotkey, MechId, Metagraph, Netuid, Neuron, Rao, SubnetState, Uid,
    WeightCommit,
};

use super::state::{LedgerSubnet, ReadRow, Slot, State};
use crate::ChainError;
use crate::rules::reveal;

impl State {
    pub(super) fn subnet(&self, netuid: Netuid) -> Result<&LedgerSubnet, ChainError> {
        self.subnets.get(&netuid).ok_or(ChainError::NoSubnet(netuid))
    }

    pub(super) fn view(&self, netuid: Netuid, head: Head) -> Result<SubnetState, ChainError> {
        let subnet = self.subnet(netuid)?;
        let neurons = subnet.neurons.iter().zip(0..).map(|(slot, uid)| self.neuron(subnet, slot, Uid(uid)));
        let owner = subnet.owner_uid();
        Ok(SubnetState {
            head,
            metagraph: Metagraph { netuid, block: head.number, owner, neurons: neurons.collect() },
            hyperparameters: subnet.rules.clone(),
            schedule: subnet.schedule,
        })
    }

    fn neuron(&self, subnet: &LedgerSubnet, slot: &Slot, uid: Uid) -> Neuron {
        let coldkey =
            *self.owners.get(&slot.hotkey).expect("a hotkey gets its coldkey when it is registered");
        Neuron {
            uid,
            hotkey: slot.hotkey,
            coldkey,
            registered_at: slot.registered_at,
            stake: Rao(subnet.stake_weight(&slot.hotkey)),
            validator_permit: slot.validator_permit,
            active: slot.active,
            last_update: slot.last_update,
            axon: slot.axon,
            incentive: slot.incentive,
            dividends: slot.dividends,
            consensus: slot.consensus,
            validator_trust: slot.validator_trust,
            emission: slot.emission,
        }
    }

    /// A row of weights or bonds; empty where there is no such uid or mechanism.
    pub(super) fn row(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        uid: Uid,
        read: ReadRow,
    ) -> Result<Vec<(Uid, u16)>, ChainError> {
        Ok(read(self.subnet(netuid)?, mechanism, uid).cloned().unwrap_or_default())
    }

    /// Those that the next block could still see revealed.
    pub(super) fn waiting_commits(
        &self,
        netuid: Netuid,
        mechanism: MechId,
        hotkey: &Hotkey,
    ) -> Result<Vec<WeightCommit>, ChainError> {
        let subnet = self.subnet(netuid)?;
        let now = reveal::epoch_at(&subnet.schedule, self.block);
        Ok(subnet.commits.waiting(mechanism, hotkey, now, subnet.rules.reveal_period_epochs))
    }

    pub(super) fn delegation_of(
        &self,
        netuid: Netuid,
        hotkey: &Hotkey,
    ) -> Result<Option<Delegation>, ChainError> {
        Ok(self.delegation(self.subnet(netuid)?, hotkey))
    }

    pub(super) fn certificate(
        &self,
        netuid: Netuid,
        hotkey: &Hotkey,
    ) -> Result<Option<Certificate>, ChainError> {
        let slot = self.subnet(netuid)?.neurons.iter().find(|slot| slot.hotkey == *hotkey);
        Ok(slot.and_then(|slot| slot.certificate.clone()))
    }
}
