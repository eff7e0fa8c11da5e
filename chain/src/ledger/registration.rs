//! A uid for a burned price, and whose uid it was.

use weighhouse_types::{Block, Coldkey, Hotkey, Netuid, Rao, Uid};

use super::state::{Lane, LedgerSubnet, Slot, State};
use crate::rules::pruning::{Candidate, neuron_to_prune};
use crate::rules::registration_price;
use crate::{Event, Refusal};

impl State {
    /// The checks are the runtime's, in its order (`do_register_limit`, then `do_register`), with the limit per block
    /// where registration itself is checked.
    pub(super) fn register(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        hotkey: Hotkey,
        limit: Rao,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        let balance = self.accounts.get(&coldkey.0).map_or(Rao(0), |purse| purse.balance);
        let holder = self.owners.get(&hotkey).copied();
        let subnet = self.subnet_mut(netuid)?;
        let price = subnet.registration_price;
        // The price may have risen since the call was signed; the limit is what the signer agreed to.
        if price > limit {
            return Err(Refusal::RegistrationPriceLimitExceeded { burn: price });
        }
        if !subnet.rules.registration_allowed {
            return Err(Refusal::RegistrationDisabled);
        }
        if subnet.registrations_this_block >= subnet.rules.max_registrations_per_block {
            return Err(Refusal::TooManyRegistrationsThisBlock);
        }
        if let Some(uid) = subnet.uid_of(&hotkey) {
            return Err(Refusal::HotKeyAlreadyRegisteredInSubNet { uid });
        }
        if balance < price {
            return Err(Refusal::NotEnoughBalance { missing: Rao(price.0 - balance.0) });
        }
        if holder.is_some_and(|holder| holder != coldkey) {
            return Err(Refusal::NonAssociatedColdKey);
        }
        let uid = subnet.free_uid(block)?;
        let mut events = Vec::with_capacity(2);
        if let Some(pruned) = subnet.seat(uid, hotkey, block) {
            events.push(Event::NeuronPruned { netuid, uid, hotkey: pruned });
        }
        events.push(Event::NeuronRegistered { netuid, uid, hotkey, burned: price });
        subnet.registration_price = registration_price::raised(price, &subnet.rules);
        subnet.registrations_this_block += 1;
        self.owners.insert(hotkey, coldkey);
        self.accounts.entry(coldkey.0).or_default().balance.0 -= price.0;
        self.burned.0 += price.0;
        Ok(events)
    }
}

impl LedgerSubnet {
    /// The next uid, or where the subnet is full the one to prune.
    fn free_uid(&self, block: Block) -> Result<Uid, Refusal> {
        if self.neuron_count() < self.rules.max_allowed_uids {
            return Ok(Uid(self.neuron_count()));
        }
        neuron_to_prune(&self.candidates(), block, &self.rules).ok_or(Refusal::NoNeuronIdAvailable)
    }

    fn candidates(&self) -> Vec<Candidate> {
        let owner = self.owner_uid();
        let candidate = |(slot, uid): (&Slot, u16)| Candidate {
            uid: Uid(uid),
            emission: slot.emission,
            registered_at: slot.registered_at,
            immortal: owner == Some(Uid(uid)),
        };
        self.neurons.iter().zip(0..).map(candidate).collect()
    }

    /// Puts a hotkey on a uid and says whose it was. Weights on the uid's former holder become zero; bonds to it are
    /// dropped by the next epoch, which sees the registration.
    fn seat(&mut self, uid: Uid, hotkey: Hotkey, block: Block) -> Option<Hotkey> {
        let slot = Slot::new(hotkey, block);
        let Some(seat) = self.neurons.get_mut(uid.index()) else {
            self.neurons.push(slot);
            self.lanes.iter_mut().for_each(|lanes| lanes.push(Lane::new(block)));
            return None;
        };
        let pruned = std::mem::replace(seat, slot).hotkey;
        self.lanes.iter_mut().for_each(|lanes| lanes[uid.index()] = Lane::new(block));
        self.prometheus.remove(&pruned);
        let further = self.lanes.iter_mut().flatten().flat_map(|lane| &mut lane.weights);
        // Whoever comes next must not inherit weights that were meant for the one before.
        for (to, weight) in self.neurons.iter_mut().flat_map(|slot| &mut slot.weights).chain(further) {
            if *to == uid {
                *weight = 0;
            }
        }
        Some(pruned)
    }
}
