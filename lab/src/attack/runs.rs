//! The matrix in units: one world from one seed each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::figures::{AttackFigures, row, sweep};
use super::{AttackPlan, AttackWorld, Cell, Matrix, MinerNumbers, honest_base, numbers, scenario};
use crate::sim::{ScenarioError, SimulationPlan, Simulator};
use crate::work::{Hands, Work};
use crate::world::{Assumptions, CostSweep};

/// A matrix made ready: its worlds, and which cell is made of which.
#[derive(Debug)]
pub struct Runs {
    plan: AttackPlan,
    rao_value: f64,
    worlds: Vec<Arc<SimulationPlan>>,
    cells: Vec<Cell>,
    left_out: Vec<(String, f64)>,
}

/// One world, by its number, from one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackRun {
    pub world: usize,
    pub seed: u64,
}

impl Work for Runs {
    type Unit = AttackRun;
    type Answer = AttackFigures;
    type Error = ScenarioError;

    fn answer(&self, run: &AttackRun) -> Result<AttackFigures, ScenarioError> {
        let world = self.worlds.get(run.world).ok_or(ScenarioError::Missing { missing: "world" })?;
        let outcome = Simulator::runs(world.clone()).run(run.seed);
        Ok(AttackFigures::of(outcome, self.plan.base.economy.unjudged))
    }
}

type Key = (usize, MinerNumbers, AttackWorld);

impl Runs {
    /// Makes the worlds of a matrix ready.
    ///
    /// # Errors
    /// As [`AttackPlan::check`], a world that can't be simulated, and where no attack has room.
    pub fn new(plan: AttackPlan) -> Result<Self, ScenarioError> {
        plan.check()?;
        let rao_value = plan.base.economy.rao_value.unwrap_or_else(|| honest_base(&plan).honest_rao_value());
        let mut known: BTreeMap<Key, usize> = BTreeMap::new();
        let mut scenarios = Vec::new();
        let mut cells = Vec::new();
        let mut left_out = Vec::new();
        for policy in 0..plan.policies.len() {
            for attack in 0..plan.attacks.len() {
                for fraction in &plan.fractions {
                    let Some(numbers) = numbers(&plan, attack, *fraction) else {
                        left_out.push((plan.attacks[attack].name.clone(), *fraction));
                        continue;
                    };
                    // Attacks at one fraction have the honest and the absent world in common.
                    let of = [AttackWorld::Attacked { attack }, AttackWorld::Honest, AttackWorld::Absent];
                    let [attacked, honest, absent] = of.map(|world| {
                        *known.entry((policy, numbers, world.clone())).or_insert_with(|| {
                            scenarios.push(scenario(&plan, policy, numbers, &world, rao_value));
                            scenarios.len() - 1
                        })
                    });
                    cells.push(Cell {
                        policy,
                        attack,
                        fraction: *fraction,
                        numbers,
                        attacked,
                        honest,
                        absent,
                    });
                }
            }
        }
        if cells.is_empty() {
            return Err(ScenarioError::NoRoom);
        }
        left_out.dedup();
        left_out.truncate(plan.attacks.len() * plan.fractions.len());
        let worlds = scenarios.iter().map(|scenario| SimulationPlan::new(scenario).map(Arc::new));
        let worlds = worlds.collect::<Result<_, _>>()?;
        Ok(Self { plan, rao_value, worlds, cells, left_out })
    }

    /// The matrix, by whoever answers the units.
    ///
    /// # Errors
    /// Work that was stopped.
    pub fn matrix(&self, hands: &impl Hands) -> Result<Matrix, ScenarioError> {
        let plan = &self.plan;
        let worlds = 0..self.worlds.len();
        let units = worlds.flat_map(|world| plan.seeds.iter().map(move |&seed| AttackRun { world, seed }));
        let mut answers = hands.all(self, &units.collect::<Vec<_>>())?.into_iter();
        let outcomes = self.worlds.iter().map(|_| answers.by_ref().take(plan.seeds.len()).collect());
        let outcomes = outcomes.collect::<Result<Vec<Vec<AttackFigures>>, _>>()?;
        let points = match plan.base.economy.rao_value {
            None => CostSweep::points(&honest_base(plan)),
            Some(_) => Vec::new(),
        };
        Ok(Matrix {
            assumptions: Assumptions::of(&plan.base),
            sweep: sweep(plan, &self.cells, &outcomes, &points),
            matrix: self.cells.iter().map(|cell| row(plan, cell, &outcomes)).collect(),
            left_out: self.left_out.clone(),
            profile: plan.base.profile.clone(),
            seeds: plan.seeds.clone(),
            epochs: plan.base.epochs,
            rao_value: self.rao_value,
        })
    }
}
