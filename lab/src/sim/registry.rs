//! Holders of uids: registration at a price, immunity, pruning, and operators that come back.
//!
//! Rules of opentensor/subtensor at spec 425 (`subnets/registration.rs`): when all uids are taken the one with the lowest
//! emission is pruned, of equals the oldest registration, of these the lowest uid; immune ones only where too few others
//! exist. Validators' uids are never pruned here.

use super::plan::SimulationPlan;
use super::rng::{Normal, Stream};
use super::scenario::ScenarioSubnet;

/// Streams of random numbers, by what they are for.
pub(super) mod streams {
    pub(crate) const OPERATOR: u64 = 1;
    pub(crate) const ARRIVALS: u64 = 2;
    pub(crate) const DRIFT: u64 = 3;
    pub(crate) const COMMON: u64 = 4;
    pub(crate) const OWN: u64 = 5;
    pub(crate) const DIFFERING: u64 = 6;
    pub(crate) const SPOT: u64 = 7;
    pub(crate) const LIKENESS: u64 = 8;
}

/// Blocks after an epoch's start at which all of its registrations happen: right after the reveals, which come three
/// blocks in.
const REGISTRATION_BLOCK: u64 = 4;

/// No registration holds the uid.
pub(super) const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    pub(super) group: u16,
    pub(super) quality: f64,
    pub(super) cost: f64,
}

/// One registration, past or present.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinerRegistration {
    pub(super) operator: u32,
    pub(super) group: u16,
    pub(super) identity: u16,
    pub(super) since: u32,
    /// Its operator gave it up: it does nothing until it is pruned.
    pub(super) abandoned: bool,
    pub(super) rests: bool,
    pub(super) unpaid_epochs: u32,
    pub(super) first_dishonest: Option<u32>,
    pub(super) detected: Option<u32>,
    pub(super) reached: Option<u32>,
    /// After the warm-up: emission, and the sum over epochs of the mean mark that its answers deserve.
    pub(super) earned_rao: u64,
    pub(super) deserved: f64,
    pub(super) epochs: u32,
}

#[derive(Clone, Copy, Debug)]
struct PendingRegistration {
    epoch: u32,
    operator: u32,
    identity: u16,
}

/// A group's registrations and what they cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Purchases {
    pub(super) operators: u32,
    pub(super) registrations: u32,
    pub(super) paid_rao: u64,
    pub(super) evictions: u32,
}

#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By slot: the registration that holds it.
    pub(super) holder: Vec<u32>,
    /// By slot: the block and epoch of that registration.
    pub(super) registered_block: Vec<u64>,
    pub(super) registered_epoch: Vec<u32>,
    /// By slot: what the chain shows as its emission in the last epoch, in rao.
    pub(super) emission_rao: Vec<u64>,
    pub(super) registrations: Vec<MinerRegistration>,
    pub(super) operators: Vec<Operator>,
    pub(super) purchases: Vec<Purchases>,
    /// Slots that changed hands since the epoch began.
    pub(super) changed: Vec<usize>,
    pending: Vec<PendingRegistration>,
    price_rao: f64,
}

impl Registry {
    pub(super) fn reset(&mut self, plan: &SimulationPlan) {
        let slots = plan.miner_slots;
        refill(&mut self.holder, slots, NOBODY);
        refill(&mut self.registered_block, slots, 0);
        refill(&mut self.registered_epoch, slots, 0);
        refill(&mut self.emission_rao, slots, 0);
        refill(&mut self.purchases, plan.groups.len(), Purchases::default());
        self.registrations.clear();
        self.operators.clear();
        self.changed.clear();
        self.pending.clear();
        self.price_rao = plan.scenario.subnet.registration.initial_rao as f64;
    }

    pub(super) fn registration(&self, slot: usize) -> Option<&MinerRegistration> {
        self.registrations.get(self.holder[slot] as usize)
    }

    pub(super) fn registration_mut(&mut self, slot: usize) -> Option<&mut MinerRegistration> {
        self.registrations.get_mut(self.holder[slot] as usize)
    }

    /// All registrations of an epoch's first block.
    pub(super) fn open(&mut self, plan: &SimulationPlan, seed: u64, epoch: u32) {
        self.changed.clear();
        self.decay_price(plan, epoch);
        for group in 0..plan.groups.len() {
            let planned = &plan.groups[group];
            let mut operators = if planned.start == epoch { planned.operators } else { 0 };
            let arrivals = Stream::new(seed, &[streams::ARRIVALS, group as u64]).uniform(u64::from(epoch));
            // A uniform number added before rounding down gives `arrivals` on average.
            operators += (planned.arrivals + arrivals) as u32;
            for _ in 0..operators {
                self.found(plan, seed, group, epoch);
            }
        }
        let due = |pending: &PendingRegistration| pending.epoch <= epoch;
        while let Some(at) = self.pending.iter().position(due) {
            let PendingRegistration { operator, identity, .. } = self.pending.remove(at);
            self.register(plan, operator, identity, epoch);
        }
    }

    /// Gives a slot's uid up and registers again later.
    pub(super) fn give_up(&mut self, slot: usize, epoch: u32) {
        if let Some(registration) = self.registration_mut(slot) {
            registration.abandoned = true;
            let MinerRegistration { operator, identity, .. } = *registration;
            self.pending.push(PendingRegistration { epoch, operator, identity });
        }
    }

    /// Moves each operator's quality by the scenario's drift, reflected at 0 and 1.
    pub(super) fn drift(&mut self, plan: &SimulationPlan, seed: u64, epoch: u32) {
        let drift = plan.scenario.judging.drift;
        if drift == 0.0 {
            return;
        }
        let stream = Stream::new(seed, &[streams::DRIFT, u64::from(epoch)]);
        for (at, operator) in self.operators.iter_mut().enumerate() {
            let (deviate, _) = Normal::table().pair(stream.at(at as u64));
            let moved = (operator.quality + drift * deviate).abs();
            // Reflected at 1; a step longer than the range ends at 0.
            operator.quality = if moved > 1.0 { (2.0 - moved).max(0.0) } else { moved };
        }
    }

    fn found(&mut self, plan: &SimulationPlan, seed: u64, group: usize, epoch: u32) {
        let planned = &plan.groups[group];
        let operator = self.operators.len() as u32;
        let stream = Stream::new(seed, &[streams::OPERATOR, u64::from(operator)]);
        let between = |[low, high]: [f64; 2], at| low + (high - low) * stream.uniform(at);
        self.operators.push(Operator {
            group: group as u16,
            quality: between(planned.quality, 0),
            cost: between(planned.cost, 1),
        });
        self.purchases[group].operators += 1;
        for identity in 0..planned.strategy.identities {
            self.register(plan, operator, identity, epoch);
        }
    }

    fn register(&mut self, plan: &SimulationPlan, operator: u32, identity: u16, epoch: u32) {
        let group = self.operators[operator as usize].group;
        let opened = u64::from(epoch) * plan.scenario.subnet.tempo_blocks;
        let block = if epoch == 0 { 0 } else { opened + REGISTRATION_BLOCK };
        let Some(slot) = self.free_slot().or_else(|| self.prune(plan, block, epoch)) else { return };
        let purchases = &mut self.purchases[usize::from(group)];
        purchases.registrations += 1;
        purchases.paid_rao += self.price_rao as u64;
        if epoch > 0 {
            let registration = &plan.scenario.subnet.registration;
            self.price_rao = (self.price_rao * registration.factor).min(registration.most_rao as f64);
        }
        self.holder[slot] = self.registrations.len() as u32;
        self.registered_block[slot] = block;
        self.registered_epoch[slot] = epoch;
        self.emission_rao[slot] = 0;
        self.changed.push(slot);
        self.registrations.push(MinerRegistration {
            operator,
            group,
            identity,
            since: epoch,
            abandoned: false,
            rests: false,
            unpaid_epochs: 0,
            first_dishonest: None,
            detected: None,
            reached: None,
            earned_rao: 0,
            deserved: 0.0,
            epochs: 0,
        });
    }

    fn free_slot(&self) -> Option<usize> {
        self.holder.iter().position(|holder| *holder == NOBODY)
    }

    /// Takes a uid from its holder.
    fn prune(&mut self, plan: &SimulationPlan, block: u64, epoch: u32) -> Option<usize> {
        let immunity = plan.scenario.subnet.immunity_blocks;
        let is_immune = |slot: &usize| block - self.registered_block[*slot] < immunity;
        let slots = self.holder.len();
        let others = plan.validators.len() + (0..slots).filter(|slot| !is_immune(slot)).count();
        let spares_immune = others > usize::from(plan.scenario.subnet.min_non_immune_uids);
        let least = |immune: bool| {
            (0..slots)
                .filter(|slot| is_immune(slot) == immune)
                .min_by_key(|&slot| (self.emission_rao[slot], self.registered_block[slot], slot))
        };
        let slot = least(false).filter(|_| spares_immune).or_else(|| least(true)).or_else(|| least(false))?;
        let MinerRegistration { operator, group, identity, abandoned, .. } = *self.registration(slot)?;
        self.purchases[usize::from(group)].evictions += 1;
        // Whoever gave the uid up has its return planned already.
        if let Some(back) = plan.groups[usize::from(group)].strategy.comes_back.filter(|_| !abandoned) {
            let epoch = epoch.saturating_add(back.after_epochs.max(1));
            self.pending.push(PendingRegistration { epoch, operator, identity });
        }
        Some(slot)
    }

    fn decay_price(&mut self, plan: &SimulationPlan, epoch: u32) {
        if epoch > 0 {
            let ScenarioSubnet { tempo_blocks, registration, .. } = &plan.scenario.subnet;
            let halvings = *tempo_blocks as f64 / registration.half_life_blocks as f64;
            self.price_rao = (self.price_rao * libm::exp2(-halvings)).max(registration.least_rao as f64);
        }
    }
}

/// Sets a vector to `count` times `value` without giving its memory back.
pub(super) fn refill<T: Clone>(vector: &mut Vec<T>, count: usize, value: T) {
    vector.clear();
    vector.resize(count, value);
}
