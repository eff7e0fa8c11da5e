//! The loop over epochs, and many runs at once.

use std::sync::Arc;

use rayon::prelude::*;

use super::accounts::Accounts;
use super::asking::{self, EpochView, MarkDistributions, SlotConduct, Terms};
use super::chain::SimulatedChain;
use super::error::ScenarioError;
use super::judges::Judges;
use super::outcome::SimulationOutcome;
use super::plan::SimulationPlan;
use super::registry::Registry;
use super::scenario::{Scenario, ScenarioValidator};

#[cfg(test)]
mod tests;

/// A scenario made ready, with the memory that its runs use; nothing is allocated per epoch once a run has gone through.
#[derive(Debug)]
pub struct Simulator {
    plan: Arc<SimulationPlan>,
    terms: Terms,
    registry: Registry,
    asked: Vec<SlotConduct>,
    distributions: MarkDistributions,
    judges: Judges,
    chain: SimulatedChain,
    accounts: Accounts,
}

impl Simulator {
    /// Checks a scenario and makes it ready.
    ///
    /// # Errors
    /// As [`SimulationPlan::new`].
    pub fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        Ok(Self::runs(Arc::new(SimulationPlan::new(scenario)?)))
    }

    /// Makes a simulator for a plan that other simulators may share.
    pub fn runs(plan: Arc<SimulationPlan>) -> Self {
        Self {
            terms: Terms::new(&plan),
            asked: vec![SlotConduct::default(); plan.miner_slots],
            distributions: MarkDistributions::default(),
            chain: SimulatedChain::new(&plan),
            plan,
            registry: Registry::default(),
            judges: Judges::default(),
            accounts: Accounts::default(),
        }
    }

    /// Runs all epochs from the start.
    pub fn run(&mut self, seed: u64) -> SimulationOutcome {
        self.registry.reset(&self.plan);
        self.judges.reset(&self.plan, &self.terms);
        self.chain.reset(&self.plan);
        self.accounts.reset(&self.plan);
        for epoch in 0..self.plan.scenario.epochs {
            self.epoch(seed, epoch);
        }
        self.accounts.close(&self.plan, &self.registry, &self.judges, seed)
    }

    fn epoch(&mut self, seed: u64, epoch: u32) {
        let Self { plan, terms, registry, asked, distributions, judges, chain, accounts } = self;
        // In the chain's order: who registers first is judged, weighed and paid in the same epoch.
        registry.open(plan, seed, epoch);
        registry.drift(plan, seed, epoch);
        asking::prepare(plan, terms, registry, seed, epoch, asked, distributions);
        let now = EpochView { registry, distributions, seed, epoch };
        judges.judge(plan, terms, &now, |validator, vector| match plan.validators[validator].persona {
            ScenarioValidator::Bribed { .. } => chain.submit_bribed(plan, registry, validator, epoch, vector),
            _ => chain.submit(validator, epoch, vector.iter().map(|(uid, weight)| (uid.0, *weight))),
        });
        chain.advance(plan, registry, epoch);
        chain.clear_changed(plan, registry, epoch);
        accounts.spend(plan, terms, registry, asked, judges);
        let consent = chain.consent(plan, registry, epoch);
        accounts.pay(plan, registry, asked, &consent, epoch);
    }
}

/// Runs one scenario from one seed.
///
/// # Errors
/// As [`Simulator::new`].
pub fn run(scenario: &Scenario, seed: u64) -> Result<SimulationOutcome, ScenarioError> {
    Ok(Simulator::new(scenario)?.run(seed))
}

/// Runs every scenario from every seed, on all threads of the current rayon pool. The outcomes, by scenario and then by
/// seed in the order given, do not depend on their number.
///
/// # Errors
/// The first scenario's that is refused.
pub fn run_all(scenarios: &[Scenario], seeds: &[u64]) -> Result<Vec<Vec<SimulationOutcome>>, ScenarioError> {
    run_each(scenarios, seeds, |outcome| outcome)
}

/// As [`run_all`], but keeps of each outcome only what `figures` makes of it.
///
/// # Errors
/// As [`run_all`].
pub fn run_each<T: Send>(
    scenarios: &[Scenario],
    seeds: &[u64],
    figures: impl Fn(SimulationOutcome) -> T + Sync,
) -> Result<Vec<Vec<T>>, ScenarioError> {
    let plans = scenarios
        .iter()
        .map(|scenario| SimulationPlan::new(scenario).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    // Scenarios and seeds in one list, so that a few of either keep all threads busy.
    let jobs: Vec<(&Arc<SimulationPlan>, u64)> =
        plans.iter().flat_map(|plan| seeds.iter().map(move |seed| (plan, *seed))).collect();
    let run = |(plan, seed): (&Arc<SimulationPlan>, u64)| figures(Simulator::runs(plan.clone()).run(seed));
    let outcomes: Vec<T> = jobs.into_par_iter().map(run).collect();
    let mut outcomes = outcomes.into_iter();
    Ok(scenarios.iter().map(|_| outcomes.by_ref().take(seeds.len()).collect()).collect())
}
