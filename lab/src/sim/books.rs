//! Who earned and spent what, and the figures that become an [`Outcome`].

use super::asking::{Asked, Terms};
use super::chain::Consent;
use super::judges::Judges;
use super::outcome::{MinerOutcome, Newcomers, Outcome, ValidatorOutcome};
use super::plan::{GroupPlan, Plan};
use super::rank::spearman;
use super::registry::{Place, Registry, refill};
use super::scenario::Validator;
use weighhouse_types::profile::Scope;
use weighhouse_yuma::EpochOutput;

/// An identity counts as detected below this share of what an honest one earns.
const DETECTED_BELOW: f64 = 0.1;
/// A newcomer has arrived at this part of its share.
const ARRIVED_AT: f64 = 0.9;

#[derive(Debug, Default)]
pub(super) struct Books {
    /// By group, then epoch.
    by_epoch_rao: Vec<u64>,
    cost: Vec<f64>,
    deserved: Vec<(f64, u64)>,
    validators_rao: Vec<u64>,
    settled_rao: Vec<u64>,
    vtrust: Vec<f64>,
    vtrust_least: f64,
    asked: Vec<u64>,
    misdirected_rao: u64,
    miners_rao: u64,
    burned_rao: u64,
    dust_rao: u64,
    /// Age in epochs at which the first honest miners were paid first.
    first_paid_age: Option<u32>,
}

impl Books {
    pub(super) fn reset(&mut self, plan: &Plan) {
        let groups = plan.groups.len();
        refill(&mut self.by_epoch_rao, groups * plan.scenario.epochs as usize, 0);
        refill(&mut self.cost, groups, 0.0);
        refill(&mut self.deserved, groups, (0.0, 0));
        refill(&mut self.validators_rao, plan.validators.len(), 0);
        refill(&mut self.settled_rao, plan.validators.len(), 0);
        refill(&mut self.vtrust, plan.validators.len(), 0.0);
        refill(&mut self.asked, plan.validators.len(), 0);
        self.vtrust_least = 1.0;
        self.misdirected_rao = 0;
        self.miners_rao = 0;
        self.burned_rao = 0;
        self.dust_rao = 0;
        self.first_paid_age = None;
    }

    /// Miners' cost of answering an epoch's challenges.
    pub(super) fn spend(
        &mut self,
        plan: &Plan,
        terms: &Terms,
        registry: &Registry,
        asked: &[Asked],
        judges: &Judges,
    ) {
        let economy = &plan.scenario.economy;
        let answer = plan.scenario.profile.cost.answer;
        for (total, asked) in self.asked.iter_mut().zip(&judges.asked) {
            *total += asked;
        }
        let asking = |validator: &usize| judges.asked[*validator] > 0;
        let all = (0..plan.validators.len()).filter(asking).count() as f64;
        for (slot, asked) in asked.iter().enumerate() {
            let Some(place) = registry.place(slot) else { continue };
            let group = &plan.groups[usize::from(place.group)];
            let operator = &registry.operators[place.operator as usize];
            let served = if asked.served_stake.is_finite() {
                let above = |validator: &usize| asked.towards(plan.validators[*validator].stake_above) == 0;
                (0..plan.validators.len()).filter(asking).filter(above).count() as f64
            } else {
                all
            };
            let [work, rest] = [asked.conduct[0].load, asked.conduct[1].load];
            let judged = served * work + (all - served) * rest;
            let unjudged = all * economy.unjudged * asked.unjudged_load;
            let is_idle = place.abandoned || place.identity >= group.strategy.answering();
            let standing = if is_idle { 0.0 } else { all * economy.standing * group.backend };
            let factor = group.strategy.cost_factor * operator.cost * answer * f64::from(terms.challenges);
            self.cost[usize::from(place.group)] += factor * (judged + unjudged + standing);
            let deserved = &mut self.deserved[usize::from(place.group)];
            deserved.0 += asked.deserves;
            deserved.1 += 1;
        }
    }

    /// Books an epoch's emission, and tells identities how they fared.
    pub(super) fn pay(
        &mut self,
        plan: &Plan,
        registry: &mut Registry,
        asked: &[Asked],
        consent: &Consent<'_>,
        epoch: u32,
    ) {
        let output = consent.output;
        let first = plan.validators.len();
        let epochs = plan.scenario.epochs as usize;
        let is_warm = epoch >= plan.scenario.warmup_epochs;
        let mut paid = 0;
        for (validator, emission) in output.validator_emission[..first].iter().enumerate() {
            let burned = output.server_emission[validator];
            self.validators_rao[validator] += emission;
            self.burned_rao += burned;
            if is_warm {
                self.settled_rao[validator] += emission;
            }
            paid += emission + burned;
        }
        let level = self.level(plan, registry, asked, &output.server_emission[first..], epoch);
        for (slot, asked) in asked.iter().enumerate() {
            let emission = output.server_emission[first + slot];
            registry.emission_rao[slot] = output.combined_emission[first + slot];
            let registered = registry.registered_epoch[slot];
            let Some(place) = registry.place_mut(slot) else { continue };
            paid += emission;
            self.miners_rao += emission;
            self.by_epoch_rao[usize::from(place.group) * epochs + epoch as usize] += emission;
            if emission > 0 && consent.predates(registered) {
                self.misdirected_rao += emission;
            }
            place.unpaid_epochs = if emission == 0 { place.unpaid_epochs + 1 } else { 0 };
            if is_warm {
                place.earned_rao += emission;
                place.deserved += asked.deserves;
                place.epochs += 1;
            }
            let group = &plan.groups[usize::from(place.group)];
            self.note(place, group, asked, level, emission, epoch);
            if let Some(back) = group.strategy.comes_back
                && back.unpaid_epochs > 0
                && place.unpaid_epochs >= back.unpaid_epochs
                && !place.abandoned
            {
                registry.give_up(slot, epoch + back.after_epochs.max(1));
            }
        }
        self.dust_rao += plan.scenario.subnet.emission_rao - paid;
        self.trust(plan, output, epoch);
    }

    /// Milestones of one identity: its first dishonest answer, its detection, its arrival at an honest share; and whether
    /// what it earns lets it rest.
    fn note(
        &self,
        place: &mut Place,
        group: &GroupPlan,
        asked: &Asked,
        level: Level,
        emission: u64,
        epoch: u32,
    ) {
        let emission = emission as f64;
        let is_good = asked.conduct.iter().all(|conduct| conduct.good);
        if !is_good && place.first_dishonest.is_none() {
            place.first_dishonest = Some(epoch);
        }
        let age = epoch - place.since;
        let is_known = level.honest > 0.0 && self.first_paid_age.is_some_and(|first| age >= first);
        let is_low = emission < DETECTED_BELOW * level.honest;
        if place.first_dishonest.is_some() && place.detected.is_none() && is_known && is_low {
            place.detected = Some(epoch);
        }
        if !group.attacker && place.since > 0 && place.reached.is_none() && level.honest > 0.0 {
            let share = level.honest * asked.deserves / level.deserved;
            if emission >= ARRIVED_AT * share {
                place.reached = Some(epoch);
            }
        }
        let switch = &group.strategy.switch;
        if let Some(rest_above) = switch.rest_above {
            let relative = emission / level.paid;
            place.rests = relative > rest_above || (place.rests && relative >= switch.work_below);
        }
    }

    /// What miners earn in this epoch, for comparison: honest incumbents' mean, and the mean of all who are paid.
    fn level(
        &mut self,
        plan: &Plan,
        registry: &Registry,
        asked: &[Asked],
        emission: &[u64],
        epoch: u32,
    ) -> Level {
        let mut level = Level { honest: 0.0, deserved: 1.0, paid: f64::INFINITY };
        let (mut honest, mut count, mut deserved) = (0_u64, 0_u32, 0.0);
        let (mut all, mut paid) = (0_u64, 0_u32);
        for (slot, emission) in emission.iter().enumerate() {
            let Some(place) = registry.place(slot) else { continue };
            all += emission;
            paid += u32::from(*emission > 0);
            if !plan.groups[usize::from(place.group)].attacker
                && (place.since == 0 || place.reached.is_some())
            {
                honest += emission;
                count += 1;
                deserved += asked[slot].deserves;
            }
        }
        if count > 0 {
            level.honest = honest as f64 / f64::from(count);
            level.deserved = deserved / f64::from(count);
        }
        if paid > 0 {
            level.paid = all as f64 / f64::from(paid);
        }
        if honest > 0 && self.first_paid_age.is_none() {
            self.first_paid_age = Some(epoch);
        }
        level
    }

    fn trust(&mut self, plan: &Plan, output: &EpochOutput, epoch: u32) {
        if epoch < plan.scenario.warmup_epochs {
            return;
        }
        for (validator, planned) in plan.validators.iter().enumerate() {
            let vtrust = f64::from(output.validator_trust[validator]) / f64::from(u16::MAX);
            self.vtrust[validator] += vtrust;
            if planned.persona == Validator::Honest {
                self.vtrust_least = self.vtrust_least.min(vtrust);
            }
        }
    }

    pub(super) fn close(&self, plan: &Plan, registry: &Registry, judges: &Judges, seed: u64) -> Outcome {
        let scenario = &plan.scenario;
        let warm = f64::from((scenario.epochs - scenario.warmup_epochs.min(scenario.epochs)).max(1));
        let honest = |validator: &usize| plan.validators[*validator].persona == Validator::Honest;
        let trusted: Vec<f64> = (0..plan.validators.len())
            .filter(honest)
            .map(|validator| self.vtrust[validator] / warm)
            .collect();
        let validators_rao = self.validators_rao.iter().sum();
        Outcome {
            seed,
            epochs: scenario.epochs,
            profile: scenario.profile.clone(),
            rao_value: plan.rao_value,
            miners: (0..plan.groups.len()).map(|group| self.miners(plan, registry, group)).collect(),
            validators: self.validators(plan, warm),
            rank_correlation: rank_correlation(registry, scenario.epochs - scenario.warmup_epochs),
            vtrust_least: self.vtrust_least,
            vtrust_mean: trusted.iter().sum::<f64>() / trusted.len().max(1) as f64,
            newcomers: newcomers(plan, registry),
            misdirected_rao: self.misdirected_rao,
            miners_rao: self.miners_rao,
            validators_rao,
            burned_rao: self.burned_rao,
            dust_rao: self.dust_rao,
            abstentions: judges.abstentions,
        }
    }

    fn miners(&self, plan: &Plan, registry: &Registry, group: usize) -> MinerOutcome {
        let planned = &plan.groups[group];
        let bought = registry.bought[group];
        let epochs = plan.scenario.epochs as usize;
        let by_epoch = &self.by_epoch_rao[group * epochs..(group + 1) * epochs];
        let emission_rao: u64 = by_epoch.iter().sum();
        let cost = self.cost[group];
        let spent = cost + plan.rao_value * bought.paid_rao as f64;
        let earned = plan.rao_value * emission_rao as f64;
        let (mut dishonest, mut detected, mut delay) = (0, 0, 0.0);
        for place in registry.places.iter().filter(|place| usize::from(place.group) == group) {
            let Some(first) = place.first_dishonest else { continue };
            dishonest += 1;
            if let Some(seen) = place.detected {
                detected += 1;
                delay += f64::from(seen - first);
            }
        }
        let (deserved, times) = self.deserved[group];
        MinerOutcome {
            name: plan.scenario.miners[group].name.clone(),
            attacker: planned.attacker,
            operators: bought.operators,
            emission_rao,
            emission_by_epoch_rao: by_epoch.to_vec(),
            cost,
            registrations: bought.registrations,
            registration_rao: bought.paid_rao,
            evictions: bought.evictions,
            profit: earned - spent,
            return_per_cost: (spent > 0.0).then(|| earned / spent),
            quality: deserved / times.max(1) as f64,
            dishonest,
            detected,
            epochs_to_detect: (detected > 0).then(|| delay / f64::from(detected)),
        }
    }

    fn validators(&self, plan: &Plan, warm: f64) -> Vec<ValidatorOutcome> {
        let cost = plan.scenario.profile.cost;
        let epochs = f64::from(plan.scenario.epochs);
        let figures = |group: usize| {
            let members =
                || plan.validators.iter().enumerate().filter(move |(_, planned)| planned.group == group);
            let count = members().count() as u32;
            let stake_rao: u64 = members().map(|(_, planned)| planned.stake_rao).sum();
            let emission_rao: u64 = members().map(|(validator, _)| self.validators_rao[validator]).sum();
            let settled_rao: u64 = members().map(|(validator, _)| self.settled_rao[validator]).sum();
            let vtrust: f64 = members().map(|(validator, _)| self.vtrust[validator]).sum();
            let asked: u64 = members().map(|(validator, _)| self.asked[validator]).sum();
            let references = match plan.scenario.profile.scope {
                Scope::Private => asked as f64,
                Scope::Shared => asked as f64 / plan.miner_slots.max(1) as f64,
            };
            let cost = references * cost.reference + asked as f64 * cost.judge;
            ValidatorOutcome {
                name: plan.scenario.validators[group].name.clone(),
                count,
                stake_rao,
                emission_rao,
                settled_rao,
                dividend_per_stake: settled_rao as f64 / (stake_rao as f64).max(1.0),
                vtrust_mean: vtrust / warm / f64::from(count.max(1)),
                cost,
                profit: plan.rao_value * emission_rao as f64 - cost,
                settled_profit: (plan.rao_value * settled_rao as f64 / warm - cost / epochs) * 1e18
                    / (stake_rao as f64).max(1.0),
            }
        };
        let mut outcomes: Vec<_> = (0..plan.scenario.validators.len()).map(figures).collect();
        let is_honest = |group: &usize| plan.scenario.validators[*group].persona == Validator::Honest;
        let honest =
            (0..outcomes.len()).find(is_honest).map_or(0.0, |group| outcomes[group].dividend_per_stake);
        for outcome in &mut outcomes {
            outcome.dividend_per_stake = if honest > 0.0 { outcome.dividend_per_stake / honest } else { 0.0 };
        }
        outcomes
    }
}

#[derive(Clone, Copy)]
struct Level {
    honest: f64,
    /// The mean mark that the same deserve.
    deserved: f64,
    paid: f64,
}

/// Registrations that lived for at least half of the epochs after the warm-up.
fn rank_correlation(registry: &Registry, epochs: u32) -> Option<f64> {
    let lived = registry.places.iter().filter(|place| place.epochs > 0 && 2 * place.epochs >= epochs);
    let (earned, deserved): (Vec<f64>, Vec<f64>) = lived
        .map(|place| {
            (place.earned_rao as f64 / f64::from(place.epochs), place.deserved / f64::from(place.epochs))
        })
        .unzip();
    spearman(&earned, &deserved)
}

fn newcomers(plan: &Plan, registry: &Registry) -> Newcomers {
    let is_newcomer = |place: &&Place| place.since > 0 && !plan.groups[usize::from(place.group)].attacker;
    let mut newcomers = Newcomers::default();
    let mut sum = 0.0;
    for place in registry.places.iter().filter(is_newcomer) {
        newcomers.count += 1;
        if let Some(reached) = place.reached {
            let epochs = reached - place.since + 1;
            newcomers.reached += 1;
            sum += f64::from(epochs);
            newcomers.epochs_most = newcomers.epochs_most.max(Some(epochs));
        }
    }
    newcomers.epochs_mean = (newcomers.reached > 0).then(|| sum / f64::from(newcomers.reached));
    newcomers
}
