//! Balances and stake: one currency, one rao staked counts as one.

use weighhouse_types::{Coldkey, Hotkey, Netuid, Rao};

use super::state::State;
use crate::{Event, Refusal};

/// An account that would come into being with less is not made, so that dust can't fill the state.
pub(crate) const EXISTENTIAL_DEPOSIT: Rao = Rao(500);

impl State {
    /// Only a hotkey's own coldkey stakes on it.
    pub(super) fn add_stake(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        hotkey: Hotkey,
        amount: Rao,
    ) -> Result<Vec<Event>, Refusal> {
        self.subnet_mut(netuid)?;
        self.check_holder(coldkey, hotkey)?;
        self.debit(coldkey, amount)?;
        self.subnet_mut(netuid)?.add_stake(hotkey, amount);
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
        self.check_holder(coldkey, hotkey)?;
        let subnet = self.subnet_mut(netuid)?;
        let staked = subnet.stake(&hotkey);
        if amount == Rao(0) {
            return Err(Refusal::AmountTooLow);
        }
        if staked < amount {
            return Err(Refusal::NotEnoughStakeToWithdraw { staked });
        }
        if staked == amount {
            subnet.stakes.remove(&hotkey);
        } else {
            subnet.stakes.insert(hotkey, Rao(staked.0 - amount.0));
        }
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

    fn check_holder(&self, coldkey: Coldkey, hotkey: Hotkey) -> Result<(), Refusal> {
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
