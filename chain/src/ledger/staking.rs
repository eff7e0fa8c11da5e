//! Balances and stake: one currency, one rao staked counts as one. Anyone stakes on a hotkey, and takes back what is
//! its own.

use weighhouse_types::{Coldkey, Hotkey, Netuid, Rao};

use super::state::{LedgerSubnet, State};
use crate::{Event, Refusal};

/// An account that would come into being with less is not made, so that dust can't fill the state.
pub(crate) const EXISTENTIAL_DEPOSIT: Rao = Rao(500);

/// Of a subnet's token: there is one currency.
pub(crate) const ALPHA_PRICE: Rao = Rao(Rao::PER_TAO);

/// Calls are included for nothing.
pub(crate) const FEE: Rao = Rao(0);

impl State {
    pub(super) fn add_stake(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        hotkey: Hotkey,
        amount: Rao,
    ) -> Result<Vec<Event>, Refusal> {
        self.subnet_mut(netuid)?;
        // A hotkey that nobody registered has no owner for its take.
        let owner = *self.owners.get(&hotkey).ok_or(Refusal::HotKeyAccountNotExists)?;
        self.debit(coldkey, amount)?;
        // Only for its refusal, which comes before the hotkey's.
        let subnet = self.subnet_mut(netuid)?;
        if owner != coldkey {
            subnet.nominations.entry((hotkey, coldkey)).or_default().0 += amount.0;
        }
        subnet.add_stake(hotkey, amount);
        Ok(vec![Event::StakeAdded { hotkey, amount }])
    }

    pub(super) fn remove_stake(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        hotkey: Hotkey,
        amount: Rao,
    ) -> Result<Vec<Event>, Refusal> {
        self.subnet_mut(netuid)?;
        let owner = *self.owners.get(&hotkey).ok_or(Refusal::HotKeyAccountNotExists)?;
        let subnet = self.subnet_mut(netuid)?;
        let staked =
            if owner == coldkey { subnet.own_stake(hotkey) } else { subnet.nomination(hotkey, coldkey) };
        if amount == Rao(0) {
            return Err(Refusal::AmountTooLow);
        }
        if staked < amount {
            return Err(Refusal::NotEnoughStakeToWithdraw { staked });
        }
        if owner != coldkey {
            subnet.nominations.insert((hotkey, coldkey), Rao(staked.0 - amount.0));
            // Zeros would let the state grow with everybody who ever staked.
            subnet.nominations.retain(|_, stake| *stake > Rao(0));
        }
        let left = Rao(subnet.stake(&hotkey).0 - amount.0);
        match left {
            Rao(0) => subnet.stakes.remove(&hotkey),
            left => subnet.stakes.insert(hotkey, left),
        };
        self.accounts.entry(coldkey.0).or_default().balance.0 += amount.0;
        Ok(vec![Event::StakeRemoved { hotkey, amount }])
    }

    pub(super) fn transfer(
        &mut self,
        from: Coldkey,
        to: Coldkey,
        amount: Rao,
    ) -> Result<Vec<Event>, Refusal> {
        if amount < EXISTENTIAL_DEPOSIT && amount > Rao(0) && !self.accounts.contains_key(&to.0) {
            return Err(Refusal::ExistentialDeposit { minimum: EXISTENTIAL_DEPOSIT });
        }
        self.debit(from, amount)?;
        self.accounts.entry(to.0).or_default().balance.0 += amount.0;
        Ok(vec![Event::Transferred { from, to, amount }])
    }

    pub(super) fn check_holder(&self, coldkey: Coldkey, hotkey: Hotkey) -> Result<(), Refusal> {
        if self.owners.get(&hotkey) == Some(&coldkey) {
            return Ok(());
        }
        Err(Refusal::NonAssociatedColdKey)
    }

    fn debit(&mut self, coldkey: Coldkey, amount: Rao) -> Result<(), Refusal> {
        if amount == Rao(0) {
            return Err(Refusal::AmountTooLow);
        }
        let purse = self.accounts.entry(coldkey.0).or_default();
        if purse.balance < amount {
            return Err(Refusal::NotEnoughBalance { missing: Rao(amount.0 - purse.balance.0) });
        }
        purse.balance.0 -= amount.0;
        Ok(())
    }
}

impl LedgerSubnet {
    fn nomination(&self, hotkey: Hotkey, coldkey: Coldkey) -> Rao {
        self.nominations.get(&(hotkey, coldkey)).copied().unwrap_or_default()
    }

    /// The part of a hotkey's stake that is its own coldkey's.
    fn own_stake(&self, hotkey: Hotkey) -> Rao {
        let others = self.nominations.range((hotkey, Coldkey([0; 32]))..=(hotkey, Coldkey([255; 32])));
        let others: u64 = others.map(|(_, stake)| stake.0).sum();
        Rao(self.stake(&hotkey).0 - others)
    }
}
