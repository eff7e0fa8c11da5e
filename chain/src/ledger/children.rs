//! Calls about child keys and takes, and the stake and dividends that follow from them.

use std::collections::BTreeMap;

use weighhouse_types::{Block, Child, Coldkey, Delegation, Hotkey, Netuid, Rao};

use super::state::{LedgerSubnet, Ownership, State, Take};
use crate::rules::children::{
    self, COOLDOWN_TEMPOS, Parent, RAISE_TAKE_BLOCKS, SET_CHILDREN_BLOCKS, TAKE_MAX,
};
use crate::{Event, Refusal};

impl State {
    pub(super) fn set_children(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        hotkey: Hotkey,
        children: &[Child],
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        // Only for its refusal, which comes before the coldkey's;
        // its borrow has to end before `check_holder`.
        self.subnet_mut(netuid)?;
        self.check_holder(coldkey, hotkey)?;
        let subnet = self.subnet_mut(netuid)?;
        let since = subnet.family.set.get(&hotkey).map_or(u64::MAX, |set| block.saturating_since(*set));
        if since < SET_CHILDREN_BLOCKS {
            return Err(Refusal::TxRateLimitExceeded { blocks: SET_CHILDREN_BLOCKS - since });
        }
        children::check(&hotkey, children, &subnet.family.parent_hotkeys(&hotkey))?;
        let (stake, threshold) = (subnet.stake(&hotkey), subnet.rules.stake_threshold);
        if !children.is_empty() && stake < threshold && hotkey != subnet.owner_hotkey {
            return Err(Refusal::NotEnoughStakeToSetChildkeys { missing: Rao(threshold.0 - stake.0) });
        }
        let cooldown = u64::from(subnet.rules.tempo).saturating_mul(COOLDOWN_TEMPOS);
        // The family changes later, so that nobody moves stake around right before an epoch.
        let at = Block(block.0.saturating_add(cooldown));
        subnet.family.set.insert(hotkey, block);
        subnet.family.pending.insert(hotkey, (at, children.to_vec()));
        Ok(vec![Event::SetChildrenScheduled { netuid, hotkey, at }])
    }

    pub(super) fn set_childkey_take(
        &mut self,
        coldkey: Coldkey,
        netuid: Netuid,
        hotkey: Hotkey,
        take: u16,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        self.check_holder(coldkey, hotkey)?;
        let subnet = self.subnet_mut(netuid)?;
        if take > TAKE_MAX {
            return Err(Refusal::InvalidChildkeyTake { maximum: TAKE_MAX });
        }
        if let Some(before) = subnet.family.takes.get(&hotkey)
            && let blocks @ 1.. = blocks_to_raise(before, take, block)
        {
            return Err(Refusal::TxChildkeyTakeRateLimitExceeded { blocks });
        }
        subnet.family.takes.insert(hotkey, Take { share: take, changed: block });
        Ok(vec![Event::ChildkeyTakeSet { netuid, hotkey, take }])
    }

    pub(super) fn set_take(
        &mut self,
        coldkey: Coldkey,
        hotkey: Hotkey,
        take: u16,
    ) -> Result<Vec<Event>, Refusal> {
        let block = self.block;
        self.check_holder(coldkey, hotkey)?;
        if take > TAKE_MAX {
            return Err(Refusal::DelegateTakeTooHigh { maximum: TAKE_MAX });
        }
        let ownership = Ownership { owners: &self.owners, takes: &self.takes };
        if take == ownership.take(&hotkey) {
            return Err(Refusal::DelegateTakeTooLow);
        }
        if let Some(before) = self.takes.get(&hotkey)
            && let blocks @ 1.. = blocks_to_raise(before, take, block)
        {
            return Err(Refusal::DelegateTxRateLimitExceeded { blocks });
        }
        self.takes.insert(hotkey, Take { share: take, changed: block });
        Ok(vec![Event::TakeSet { hotkey, take }])
    }

    pub(super) fn delegation(&self, subnet: &LedgerSubnet, hotkey: &Hotkey) -> Option<Delegation> {
        let coldkey = *self.owners.get(hotkey)?;
        let family = &subnet.family;
        Some(Delegation {
            coldkey,
            take: Ownership { owners: &self.owners, takes: &self.takes }.take(hotkey),
            childkey_take: subnet.childkey_take(hotkey),
            children: family.children(hotkey).to_vec(),
            parents: family.parents(hotkey),
            pending: family.pending.get(hotkey).cloned(),
        })
    }
}

/// Lowering is free; 0 where it may be raised.
fn blocks_to_raise(before: &Take, take: u16, block: Block) -> u64 {
    match take > before.share {
        true => RAISE_TAKE_BLOCKS.saturating_sub(block.saturating_since(before.changed)),
        false => 0,
    }
}

impl LedgerSubnet {
    /// The stake that a hotkey votes with: its own, less what its children speak for, and what its parents lend it.
    pub(super) fn stake_weight(&self, hotkey: &Hotkey) -> u64 {
        let own = self.own_stake_weight(hotkey);
        let lent = self.family.parents(hotkey).into_iter();
        lent.map(|parent| children::share(self.stake(&parent.hotkey).0, parent.proportion))
            .fold(own, u64::saturating_add)
    }

    fn own_stake_weight(&self, hotkey: &Hotkey) -> u64 {
        let stake = self.stake(hotkey).0;
        let given = self.family.children(hotkey).iter().map(|child| children::share(stake, child.proportion));
        given.fold(stake, u64::saturating_sub)
    }

    fn childkey_take(&self, hotkey: &Hotkey) -> u16 {
        self.family.takes.get(hotkey).map_or(0, |take| take.share)
    }

    /// Splits a hotkey's dividends into its own part and its parents'.
    pub(super) fn dividends_by_hotkey(
        &self,
        hotkey: Hotkey,
        dividends: u64,
        ownership: Ownership<'_>,
    ) -> BTreeMap<Hotkey, u64> {
        let owner = ownership.owners.get(&hotkey);
        let parent = |parent: Child| Parent {
            hotkey: parent.hotkey,
            stake: children::share(self.stake(&parent.hotkey).0, parent.proportion),
            same_owner: ownership.owners.get(&parent.hotkey) == owner,
        };
        let parents: Vec<Parent> = self.family.parents(&hotkey).into_iter().map(parent).collect();
        children::distribute(
            hotkey,
            self.own_stake_weight(&hotkey),
            self.childkey_take(&hotkey),
            &parents,
            dividends,
        )
    }

    /// Stakes dividends: the take on the owner's account, the rest by who staked how much; what rounding leaves is the
    /// owner's.
    pub(super) fn stake_dividends(&mut self, hotkey: Hotkey, dividends: u64, ownership: Ownership<'_>) {
        let total = u128::from(self.stake(&hotkey).0);
        let shared = u128::from(dividends - children::take(dividends, ownership.take(&hotkey)));
        // Everybody who staked on this hotkey: the keys sort by the hotkey first.
        let low = (hotkey, Coldkey([0; 32]));
        let high = (hotkey, Coldkey([255; 32]));
        for (_, stake) in self.nominations.range_mut(low..=high).filter(|_| total > 0) {
            let part = shared * u128::from(stake.0) / total;
            stake.0 += u64::try_from(part).expect("a part is no larger than the whole, a u64");
        }
        self.add_stake(hotkey, Rao(dividends));
    }
}
