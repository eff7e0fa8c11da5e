//! Accounts of a run: earnings, costs and the other figures that become an [`SimulationOutcome`].
//!
//! Rao are counted as integers and conserved: what neither miners nor validators get is burned or dust. Computing is counted in
//! CPU-seconds; the plan's `rao_value` brings both to one unit when the accounts are closed.

use ndarray::Array2;

use super::asking::{SlotConduct, Terms};
use super::chain::EpochResult;
use super::judges::Judges;
use super::outcome::{MinerOutcome, Newcomers, SimulationOutcome, ValidatorOutcome};
use super::plan::{GroupPlan, SimulationPlan};
use super::rank::spearman;
use super::registry::{MinerRegistration, Registry, refill};
use super::scenario::ScenarioValidator;
use weighhouse_types::profile::Scope;
use weighhouse_yuma::EpochOutput;

/// An identity counts as detected below this share of what an honest one earns.
const DETECTED_BELOW: f64 = 0.1;
/// A newcomer has arrived at this part of its share.
const ARRIVED_AT: f64 = 0.9;

#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Emission by group (row) and epoch (column).
    by_epoch_rao: Array2<u64>,
    cost: Vec<f64>,
    /// Of unjudged requests, if there were one per judged one.
    unjudged: Vec<f64>,
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

impl Accounts {
    pub(super) fn reset(&mut self, plan: &SimulationPlan) {
        let groups = plan.groups.len();
        let shape = (groups, plan.scenario.epochs as usize);
        if self.by_epoch_rao.dim() == shape {
            self.by_epoch_rao.fill(0);
        } else {
            self.by_epoch_rao = Array2::zeros(shape);
        }
        refill(&mut self.cost, groups, 0.0);
        refill(&mut self.unjudged, groups, 0.0);
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
        plan: &SimulationPlan,
        terms: &Terms,
        registry: &Registry,
        asked: &[SlotConduct],
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
            let Some(registration) = registry.registration(slot) else { continue };
            let group = &plan.groups[usize::from(registration.group)];
            let operator = &registry.operators[registration.operator as usize];
            let served = if asked.served_stake.is_finite() {
                let above = |validator: &usize| asked.towards(plan.validators[*validator].stake_above) == 0;
                (0..plan.validators.len()).filter(asking).filter(above).count() as f64
            } else {
                all
            };
            let [work, rest] = [asked.conduct[0].load, asked.conduct[1].load];
            let judged = served * work + (all - served) * rest;
            let is_idle = registration.abandoned || registration.identity >= group.strategy.answering();
            // Nobody keeps hardware ready for a uid that never answers.
            let standing = if is_idle { 0.0 } else { all * economy.standing * group.backend };
            let factor = group.strategy.cost_factor * operator.cost * answer * f64::from(terms.challenges);
            self.cost[usize::from(registration.group)] += factor * (judged + standing);
            self.unjudged[usize::from(registration.group)] += factor * all * asked.unjudged_load;
            let deserved = &mut self.deserved[usize::from(registration.group)];
            deserved.0 += asked.deserves;
            deserved.1 += 1;
        }
    }

    /// Accounts an epoch's emission, and tells identities how they fared.
    pub(super) fn pay(
        &mut self,
        plan: &SimulationPlan,
        registry: &mut Registry,
        asked: &[SlotConduct],
        consent: &EpochResult<'_>,
        epoch: u32,
    ) {
        let output = consent.output;
        let first = plan.validators.len();
        let is_warm = epoch >= plan.scenario.warmup_epochs;
        let mut paid = 0;
        for (validator, emission) in output.validator_emission[..first].iter().enumerate() {
            // A validator answers nobody, so that what it earns as a miner is the burn.
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
            let Some(registration) = registry.registration_mut(slot) else { continue };
            paid += emission;
            self.miners_rao += emission;
            self.by_epoch_rao[[usize::from(registration.group), epoch as usize]] += emission;
            if emission > 0 && consent.predates(registered) {
                self.misdirected_rao += emission;
            }
            registration.unpaid_epochs = if emission == 0 { registration.unpaid_epochs + 1 } else { 0 };
            if is_warm {
                registration.earned_rao += emission;
                registration.deserved += asked.deserves;
                registration.epochs += 1;
            }
            let group = &plan.groups[usize::from(registration.group)];
            self.note(registration, group, asked, level, emission, epoch);
            if let Some(back) = group.strategy.comes_back
                && back.unpaid_epochs > 0
                && registration.unpaid_epochs >= back.unpaid_epochs
                && !registration.abandoned
            {
                registry.give_up(slot, epoch + back.after_epochs.max(1));
            }
        }
        // Left over by rounding, or earned by places that nobody holds.
        self.dust_rao += plan.scenario.subnet.emission_rao - paid;
        self.trust(plan, output, epoch);
    }

    /// Records the milestones of one identity: its first dishonest answer, its detection, its arrival at an honest share; and whether
    /// what it earns lets it rest.
    fn note(
        &self,
        registration: &mut MinerRegistration,
        group: &GroupPlan,
        asked: &SlotConduct,
        level: EmissionLevel,
        emission: u64,
        epoch: u32,
    ) {
        let emission = emission as f64;
        let is_good = asked.conduct.iter().all(|conduct| conduct.good);
        if !is_good && registration.first_dishonest.is_none() {
            registration.first_dishonest = Some(epoch);
        }
        let age = epoch - registration.since;
        // Before honest miners of that age were paid, low pay says nothing of anybody.
        let is_known = level.honest > 0.0 && self.first_paid_age.is_some_and(|first| age >= first);
        let is_low = emission < DETECTED_BELOW * level.honest;
        if registration.first_dishonest.is_some() && registration.detected.is_none() && is_known && is_low {
            registration.detected = Some(epoch);
        }
        if !group.attacker && registration.since > 0 && registration.reached.is_none() && level.honest > 0.0 {
            let share = level.honest * asked.deserves / level.deserved;
            if emission >= ARRIVED_AT * share {
                registration.reached = Some(epoch);
            }
        }
        let switch = &group.strategy.switch;
        if let Some(rest_above) = switch.rest_above {
            let relative = emission / level.paid;
            registration.rests =
                relative > rest_above || (registration.rests && relative >= switch.work_below);
        }
    }

    /// Emission levels of this epoch, for comparison: honest incumbents' mean, and the mean of all who are paid.
    fn level(
        &mut self,
        plan: &SimulationPlan,
        registry: &Registry,
        asked: &[SlotConduct],
        emission: &[u64],
        epoch: u32,
    ) -> EmissionLevel {
        // Where nobody is paid, pay relative to an infinite mean is 0 and nobody rests.
        let mut level = EmissionLevel { honest: 0.0, deserved: 1.0, paid: f64::INFINITY };
        let (mut honest, mut count, mut deserved) = (0_u64, 0_u32, 0.0);
        let (mut all, mut paid) = (0_u64, 0_u32);
        for (slot, emission) in emission.iter().enumerate() {
            let Some(registration) = registry.registration(slot) else { continue };
            all += emission;
            paid += u32::from(*emission > 0);
            if !plan.groups[usize::from(registration.group)].attacker
                // A newcomer counts once it has arrived; before that, it would lower the level.
                && (registration.since == 0 || registration.reached.is_some())
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

    fn trust(&mut self, plan: &SimulationPlan, output: &EpochOutput, epoch: u32) {
        if epoch < plan.scenario.warmup_epochs {
            return;
        }
        for (validator, planned) in plan.validators.iter().enumerate() {
            let vtrust = f64::from(output.validator_trust[validator]) / f64::from(u16::MAX);
            self.vtrust[validator] += vtrust;
            if planned.persona == ScenarioValidator::Honest {
                self.vtrust_least = self.vtrust_least.min(vtrust);
            }
        }
    }

    pub(super) fn close(
        &self,
        plan: &SimulationPlan,
        registry: &Registry,
        judges: &Judges,
        seed: u64,
    ) -> SimulationOutcome {
        let scenario = &plan.scenario;
        let warm = f64::from((scenario.epochs - scenario.warmup_epochs.min(scenario.epochs)).max(1));
        let honest = |validator: &usize| plan.validators[*validator].persona == ScenarioValidator::Honest;
        let trusted: Vec<f64> = (0..plan.validators.len())
            .filter(honest)
            .map(|validator| self.vtrust[validator] / warm)
            .collect();
        let validators_rao = self.validators_rao.iter().sum();
        SimulationOutcome {
            seed,
            epochs: scenario.epochs,
            profile: scenario.profile.clone(),
            rao_value: plan.rao_value,
            miners: (0..plan.groups.len()).map(|group| self.miners(plan, registry, group)).collect(),
            validators: self.validators(plan, warm),
            dividends: (0..plan.validators.len())
                .filter(honest)
                .map(|validator| (plan.validators[validator].stake_rao, self.settled_rao[validator]))
                .collect(),
            rank_correlation: rank_correlation(
                registry,
                scenario.epochs.saturating_sub(scenario.warmup_epochs),
            ),
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

    fn miners(&self, plan: &SimulationPlan, registry: &Registry, group: usize) -> MinerOutcome {
        let planned = &plan.groups[group];
        let purchases = registry.purchases[group];
        let by_epoch = self.by_epoch_rao.row(group);
        let emission_rao: u64 = by_epoch.iter().sum();
        let unjudged_cost = self.unjudged[group];
        let cost = self.cost[group] + plan.scenario.economy.unjudged * unjudged_cost;
        let spent = cost + plan.rao_value * purchases.paid_rao as f64;
        let earned = plan.rao_value * emission_rao as f64;
        let (mut dishonest, mut detected, mut delay) = (0, 0, 0.0);
        for registration in
            registry.registrations.iter().filter(|registration| usize::from(registration.group) == group)
        {
            let Some(first) = registration.first_dishonest else { continue };
            dishonest += 1;
            if let Some(seen) = registration.detected {
                detected += 1;
                delay += f64::from(seen - first);
            }
        }
        let (deserved, times) = self.deserved[group];
        MinerOutcome {
            name: plan.scenario.miners[group].name.clone(),
            attacker: planned.attacker,
            operators: purchases.operators,
            emission_rao,
            emission_by_epoch_rao: by_epoch.to_vec(),
            cost,
            unjudged_cost,
            registrations: purchases.registrations,
            registration_rao: purchases.paid_rao,
            evictions: purchases.evictions,
            profit: earned - spent,
            return_per_cost: (spent > 0.0).then(|| earned / spent),
            quality: deserved / times.max(1) as f64,
            dishonest,
            detected,
            epochs_to_detect: (detected > 0).then(|| delay / f64::from(detected)),
        }
    }

    fn validators(&self, plan: &SimulationPlan, warm: f64) -> Vec<ValidatorOutcome> {
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
                // One reference serves all miners of a shared challenge.
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
        let is_honest = |group: &usize| plan.scenario.validators[*group].persona == ScenarioValidator::Honest;
        let honest =
            (0..outcomes.len()).find(is_honest).map_or(0.0, |group| outcomes[group].dividend_per_stake);
        for outcome in &mut outcomes {
            outcome.dividend_per_stake = if honest > 0.0 { outcome.dividend_per_stake / honest } else { 0.0 };
        }
        outcomes
    }
}

#[derive(Clone, Copy)]
struct EmissionLevel {
    honest: f64,
    /// The mean mark that the same deserve.
    deserved: f64,
    paid: f64,
}

/// Registrations that lived for at least half of the epochs after the warm-up.
fn rank_correlation(registry: &Registry, epochs: u32) -> Option<f64> {
    let lived = registry
        .registrations
        .iter()
        .filter(|registration| registration.epochs > 0 && 2 * registration.epochs >= epochs);
    let (earned, deserved): (Vec<f64>, Vec<f64>) = lived
        .map(|registration| {
            (
                registration.earned_rao as f64 / f64::from(registration.epochs),
                registration.deserved / f64::from(registration.epochs),
            )
        })
        .unzip();
    spearman(&earned, &deserved)
}

fn newcomers(plan: &SimulationPlan, registry: &Registry) -> Newcomers {
    let is_newcomer = |registration: &&MinerRegistration| {
        registration.since > 0 && !plan.groups[usize::from(registration.group)].attacker
    };
    let mut newcomers = Newcomers::default();
    let mut sum = 0.0;
    for registration in registry.registrations.iter().filter(is_newcomer) {
        newcomers.count += 1;
        if let Some(reached) = registration.reached {
            let epochs = reached - registration.since + 1;
            newcomers.reached += 1;
            sum += f64::from(epochs);
            newcomers.epochs_most = newcomers.epochs_most.max(Some(epochs));
        }
    }
    newcomers.epochs_mean = (newcomers.reached > 0).then(|| sum / f64::from(newcomers.reached));
    newcomers
}
