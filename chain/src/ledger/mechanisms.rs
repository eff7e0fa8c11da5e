//! Mechanisms of a subnet: their number, and each one's weights, bonds and updates.

use weighhouse_types::{Block, Coldkey, MechId, MechanismRows, Mechanisms, Netuid, Uid};

use super::state::{Lane, LedgerSubnet, State};
use crate::rules::mechanisms;
use crate::{Event, Refusal};

impl State {
    /// Another count starts with an even split, as on the chain.
    pub(super) fn set_mechanisms(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        mechanisms: &Mechanisms,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let subnet = self.owned_subnet(coldkey, netuid)?;
        mechanisms::check(mechanisms, subnet.rules.max_allowed_uids)?;
        let further = usize::from(mechanisms.count - 1);
        let neurons = subnet.neurons.len();
        subnet.lanes.resize_with(further, || vec![Lane::new(block); neurons]);
        subnet.commits.keep_mechanisms(mechanisms.count);
        subnet.mechanisms = mechanisms.clone();
        Ok(vec![Event::MechanismsSet { netuid, mechanisms: mechanisms.clone() }])
    }
}

impl LedgerSubnet {
    /// `None` where there is no such uid or mechanism; so too below.
    pub(crate) fn weights(&self, mechanism: MechId, uid: Uid) -> Option<&Vec<(Uid, u16)>> {
        match self.further(mechanism) {
            None => Some(&self.neurons.get(uid.index())?.weights),
            Some(at) => Some(&self.lanes.get(at)?.get(uid.index())?.weights),
        }
    }

    pub(crate) fn bonds(&self, mechanism: MechId, uid: Uid) -> Option<&Vec<(Uid, u16)>> {
        match self.further(mechanism) {
            None => Some(&self.neurons.get(uid.index())?.bonds),
            Some(at) => Some(&self.lanes.get(at)?.get(uid.index())?.bonds),
        }
    }

    pub(crate) fn last_update(&self, mechanism: MechId, uid: Uid) -> Option<Block> {
        match self.further(mechanism) {
            None => Some(self.neurons.get(uid.index())?.last_update),
            Some(at) => Some(self.lanes.get(at)?.get(uid.index())?.last_update),
        }
    }

    pub(crate) fn store_weights(&mut self, mechanism: MechId, uid: Uid, row: Vec<(Uid, u16)>) {
        match self.further(mechanism) {
            None => self.neurons[uid.index()].weights = row,
            Some(at) => self.lanes[at][uid.index()].weights = row,
        }
    }

    pub(crate) fn store_last_update(&mut self, mechanism: MechId, uid: Uid, block: Block) {
        match self.further(mechanism) {
            None => self.neurons[uid.index()].last_update = block,
            Some(at) => self.lanes[at][uid.index()].last_update = block,
        }
    }

    pub(crate) fn mechanism_rows(&self, mechanism: MechId) -> Option<MechanismRows> {
        let at = match self.further(mechanism) {
            None => {
                let last_update = self.neurons.iter().map(|slot| slot.last_update).collect();
                let incentive = self.neurons.iter().map(|slot| slot.incentive).collect();
                return Some(MechanismRows { last_update, incentive });
            }
            Some(at) => at,
        };
        let lanes = self.lanes.get(at)?;
        Some(MechanismRows {
            last_update: lanes.iter().map(|lane| lane.last_update).collect(),
            incentive: lanes.iter().map(|lane| lane.incentive).collect(),
        })
    }

    /// Index of a mechanism's lanes; `None` for mechanism 0.
    fn further(&self, mechanism: MechId) -> Option<usize> {
        mechanism.0.checked_sub(1).map(usize::from)
    }
}
