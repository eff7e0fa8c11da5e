//! Whom a miner would share with, and whose uid it would have.

use serde::Serialize;
use weighhouse_types::{Coldkey, Hotkey, Neuron, SubnetState, Uid};

use crate::rules::pruning::{Candidate, neuron_to_prune};

/// Where a hotkey's uid comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// It has one.
    Registered { uid: Uid },
    /// One that nobody has.
    Free,
    /// The subnet is full, and this one makes room.
    Replaces { uid: Uid },
    /// The subnet is full, and nobody can make room now.
    None,
    /// The subnet takes no registrations.
    Closed,
}

/// The neurons that a miner would share with.
#[derive(Clone, Debug)]
pub struct Competition<'a> {
    pub(super) state: &'a SubnetState,
    pub(super) own: Option<&'a Neuron>,
    pub place: Place,
    /// Incentives of the other miners, of 1.
    pub incentives: Vec<f64>,
    /// Share of all incentive that goes to no miner: to hotkeys of the subnet's owner, where it is burned, and to the
    /// policy's burn.
    pub set_apart: f64,
}

impl<'a> Competition<'a> {
    pub fn new(state: &'a SubnetState, hotkey: Option<&Hotkey>, burn: Option<&Hotkey>) -> Self {
        let own = hotkey.and_then(|hotkey| state.metagraph.by_hotkey(hotkey));
        let place = place(state, own);
        let owner = owner(state);
        let is_apart = |neuron: &&Neuron| Some(neuron.coldkey) == owner || Some(&neuron.hotkey) == burn;
        let mut competition = Self { state, own, place, incentives: Vec::new(), set_apart: 0.0 };
        let (apart, miners): (Vec<&Neuron>, Vec<&Neuron>) = competition.others().partition(is_apart);
        let share = |neuron: &Neuron| f64::from(neuron.incentive) / f64::from(u16::MAX);
        competition.incentives =
            miners.iter().filter(|neuron| is_miner(neuron)).map(|neuron| share(neuron)).collect();
        let apart: f64 = apart.iter().map(|neuron| share(neuron)).sum();
        let all = apart + competition.incentives.iter().sum::<f64>();
        competition.set_apart = if all > 0.0 { apart / all } else { 0.0 };
        competition
    }

    /// Everybody else, without whoever makes room.
    pub(super) fn others(&self) -> impl Iterator<Item = &'a Neuron> + use<'a> {
        let gone = match self.place {
            Place::Registered { uid } | Place::Replaces { uid } => Some(uid),
            Place::Free | Place::None | Place::Closed => None,
        };
        self.state.metagraph.neurons.iter().filter(move |neuron| Some(neuron.uid) != gone)
    }
}

fn is_miner(neuron: &Neuron) -> bool {
    neuron.incentive > 0 || !neuron.validator_permit
}

fn owner(state: &SubnetState) -> Option<Coldkey> {
    state.metagraph.owner.and_then(|uid| state.metagraph.neuron(uid)).map(|neuron| neuron.coldkey)
}

fn place(state: &SubnetState, own: Option<&Neuron>) -> Place {
    let rules = &state.hyperparameters;
    if let Some(own) = own {
        return Place::Registered { uid: own.uid };
    }
    if !rules.registration_allowed {
        return Place::Closed;
    }
    if state.metagraph.neurons.len() < usize::from(rules.max_allowed_uids) {
        return Place::Free;
    }
    let candidates: Vec<Candidate> =
        state.metagraph.neurons.iter().map(|neuron| candidate(state, neuron)).collect();
    match neuron_to_prune(&candidates, state.head.number, rules) {
        Some(uid) => Place::Replaces { uid },
        None => Place::None,
    }
}

pub(super) fn candidate(state: &SubnetState, neuron: &Neuron) -> Candidate {
    Candidate {
        uid: neuron.uid,
        emission: neuron.emission,
        registered_at: neuron.registered_at,
        immortal: state.metagraph.owner == Some(neuron.uid),
    }
}
