//! Child keys and takes, as a subnet keeps them.

use std::collections::{BTreeMap, BTreeSet};

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{Block, Child, Coldkey, Hotkey};

use crate::rules::children;

/// A share of 65535 and the block of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Take {
    pub(crate) share: u16,
    pub(crate) changed: Block,
}

/// A subnet's child keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Family {
    pub(crate) children: BTreeMap<Hotkey, Vec<Child>>,
    pub(crate) pending: BTreeMap<Hotkey, (Block, Vec<Child>)>,
    /// The block in which a hotkey's children were last set.
    pub(crate) set: BTreeMap<Hotkey, Block>,
    pub(crate) takes: BTreeMap<Hotkey, Take>,
}

impl Family {
    pub(crate) fn children(&self, hotkey: &Hotkey) -> &[Child] {
        self.children.get(hotkey).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn parents(&self, hotkey: &Hotkey) -> Vec<Child> {
        let of = |(parent, children): (&Hotkey, &Vec<Child>)| {
            let child = children.iter().find(|child| child.hotkey == *hotkey)?;
            Some(Child { proportion: child.proportion, hotkey: *parent })
        };
        self.children.iter().filter_map(of).collect()
    }

    pub(crate) fn parent_hotkeys(&self, hotkey: &Hotkey) -> BTreeSet<Hotkey> {
        self.parents(hotkey).into_iter().map(|parent| parent.hotkey).collect()
    }

    /// Children whose cooldown is over take effect, unless meanwhile one of them has become a parent.
    pub(crate) fn settle(&mut self, block: Block) -> Vec<Hotkey> {
        let due: Vec<Hotkey> =
            self.pending.iter().filter(|(_, (at, _))| *at <= block).map(|(hotkey, _)| *hotkey).collect();
        let mut settled = Vec::new();
        for hotkey in due {
            let Some((_, children)) = self.pending.remove(&hotkey) else { continue };
            if children::check(&hotkey, &children, &self.parent_hotkeys(&hotkey)).is_err() {
                continue;
            }
            match children.is_empty() {
                true => drop(self.children.remove(&hotkey)),
                false => drop(self.children.insert(hotkey, children)),
            }
            settled.push(hotkey);
        }
        settled
    }
}

/// Owners of hotkeys and their takes: what an epoch needs besides its subnet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ownership<'a> {
    pub(crate) owners: &'a BTreeMap<Hotkey, Coldkey>,
    pub(crate) takes: &'a BTreeMap<Hotkey, Take>,
}

impl Ownership<'_> {
    /// The chain's default is its maximum.
    pub(crate) fn take(&self, hotkey: &Hotkey) -> u16 {
        self.takes.get(hotkey).map_or(children::TAKE_MAX, |take| take.share)
    }
}
