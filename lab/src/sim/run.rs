//! The loop over epochs, and many runs at once.

use rayon::prelude::*;

use super::asking::{self, Asked, Lots, Terms};
use super::books::Books;
use super::chain::Chain;
use super::judges::{Judges, Now};
use super::outcome::Outcome;
use super::plan::Plan;
use super::registry::Registry;
use super::scenario::{Scenario, ScenarioError, Validator};

#[cfg(test)]
mod tests;

/// A scenario made ready, with the memory that its runs use; nothing is allocated per epoch once a run has gone through.
#[derive(Debug)]
pub struct Simulator {
    plan: Plan,
    terms: Terms,
    registry: Registry,
    asked: Vec<Asked>,
    lots: Lots,
    judges: Judges,
    chain: Chain,
    books: Books,
}

impl Simulator {
    /// Checks a scenario and makes it ready.
    ///
    /// # Errors
    /// Names the key that is out of range, the kind of answer that was not measured, or what is wrong with the policy.
    pub fn new(scenario: &Scenario) -> Result<Self, ScenarioError> {
        let plan = Plan::new(scenario)?;
        Ok(Self {
            terms: Terms::new(&plan),
            asked: vec![Asked::default(); plan.miner_slots],
            lots: Lots::default(),
            chain: Chain::new(&plan),
            plan,
            registry: Registry::default(),
            judges: Judges::default(),
            books: Books::default(),
        })
    }

    /// Runs all epochs from the start.
    pub fn run(&mut self, seed: u64) -> Outcome {
        self.registry.reset(&self.plan);
        self.judges.reset(&self.plan, &self.terms);
        self.chain.reset(&self.plan);
        self.books.reset(&self.plan);
        for epoch in 0..self.plan.scenario.epochs {
            self.epoch(seed, epoch);
        }
        self.books.close(&self.plan, &self.registry, &self.judges, seed)
    }

    fn epoch(&mut self, seed: u64, epoch: u32) {
        let Self { plan, terms, registry, asked, lots, judges, chain, books } = self;
        registry.open(plan, seed, epoch);
        registry.drift(plan, seed, epoch);
        asking::prepare(plan, terms, registry, seed, epoch, asked, lots);
        let now = Now { registry, lots, seed, epoch };
        judges.judge(plan, terms, &now, |validator, vector| match plan.validators[validator].persona {
            Validator::Bribed { .. } => chain.submit_bribed(plan, registry, validator, epoch, vector),
            _ => chain.submit(validator, epoch, vector.iter().map(|(uid, weight)| (uid.0, *weight))),
        });
        chain.advance(plan, registry, epoch);
        chain.clear_changed(plan, registry, epoch);
        books.spend(plan, terms, registry, asked, judges);
        let consent = chain.consent(plan, registry, epoch);
        books.pay(plan, registry, asked, &consent, epoch);
    }
}

/// Runs one scenario from one seed.
///
/// # Errors
/// As [`Simulator::new`].
pub fn run(scenario: &Scenario, seed: u64) -> Result<Outcome, ScenarioError> {
    Ok(Simulator::new(scenario)?.run(seed))
}

/// Runs every scenario from every seed, on all threads of the current rayon pool. The outcomes, by scenario and then by
/// seed in the order given, do not depend on their number.
///
/// # Errors
/// The first scenario's that is refused.
pub fn run_all(scenarios: &[Scenario], seeds: &[u64]) -> Result<Vec<Vec<Outcome>>, ScenarioError> {
    scenarios.iter().try_for_each(|scenario| Plan::new(scenario).map(|_| ()))?;
    let jobs: Vec<(usize, u64)> =
        (0..scenarios.len()).flat_map(|scenario| seeds.iter().map(move |seed| (scenario, *seed))).collect();
    let outcomes = jobs
        .into_par_iter()
        .map(|(scenario, seed)| run(&scenarios[scenario], seed))
        .collect::<Result<Vec<_>, _>>()?;
    let mut outcomes = outcomes.into_iter();
    Ok(scenarios.iter().map(|_| outcomes.by_ref().take(seeds.len()).collect()).collect())
}
