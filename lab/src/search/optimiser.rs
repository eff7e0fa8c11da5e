//! CMA-ES that is asked for points and told their figures, so that anybody may evaluate them in between.
//!
//! The crate's optimiser draws a generation and takes its figures in in one step. To ask is therefore to run another one
//! from the same seed, told the same, one generation further: its draws are a function of both. That costs arithmetic on
//! as many generations as the leg has had, which is little beside evaluating them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cmaes::{CMAES, CMAESOptions, DVector, ObjectiveFunction};

use super::fold::fold;
use super::meter::{WORST, coordinates, key};

/// Steps larger than this many times the first end a leg.
const WIDER_MOST: f64 = 1e3;

/// One figure for each point of a generation.
type Costs = BTreeMap<Vec<u64>, f64>;

/// How a leg's optimiser begins.
pub(super) struct Opening {
    pub(super) start: Vec<f64>,
    pub(super) step: f64,
    pub(super) population: usize,
    pub(super) evaluations: u64,
    pub(super) tolerance: f64,
    pub(super) seed: u64,
}

/// Figures that a generation is told, and the points that it asked for.
#[derive(Default)]
struct Generation {
    costs: Costs,
    asked: BTreeSet<Vec<u64>>,
}

struct Oracle(Rc<RefCell<Generation>>);

impl ObjectiveFunction for Oracle {
    fn evaluate(&mut self, at: &DVector<f64>) -> f64 {
        let folded: Vec<f64> = at.iter().map(|&value| fold(value)).collect();
        let key = key(&folded);
        let mut generation = self.0.borrow_mut();
        let cost = generation.costs.get(&key).copied().unwrap_or(WORST);
        generation.asked.insert(key);
        cost
    }
}

pub(super) struct Optimiser {
    opening: Opening,
    told: Vec<Costs>,
    cmaes: CMAES<Oracle>,
    generation: Rc<RefCell<Generation>>,
}

impl Optimiser {
    pub(super) fn new(opening: Opening) -> Self {
        let (cmaes, generation) = begin(&opening);
        Self { opening, told: Vec::new(), cmaes, generation }
    }

    /// The next generation's points.
    pub(super) fn ask(&self) -> Vec<Vec<f64>> {
        let (mut cmaes, generation) = begin(&self.opening);
        for costs in &self.told {
            generation.borrow_mut().costs.clone_from(costs);
            // Whether it ended was asked when it was told.
            let _ = cmaes.next();
        }
        *generation.borrow_mut() = Generation::default();
        let _ = cmaes.next();
        generation.borrow().asked.iter().map(|key| coordinates(key)).collect()
    }

    /// Takes in the generation's figures: whether the leg ends with it, `None` where other points were asked for.
    pub(super) fn tell(&mut self, costs: Costs) -> Option<bool> {
        *self.generation.borrow_mut() = Generation { costs, asked: BTreeSet::new() };
        let ended = self.cmaes.next().is_some();
        let Generation { costs, asked } = std::mem::take(&mut *self.generation.borrow_mut());
        let same = costs.keys().eq(&asked);
        self.told.push(costs);
        same.then_some(ended)
    }
}

fn begin(opening: &Opening) -> (CMAES<Oracle>, Rc<RefCell<Generation>>) {
    let generation = Rc::new(RefCell::new(Generation::default()));
    let cmaes = CMAESOptions::new(opening.start.clone(), opening.step)
        .population_size(opening.population)
        .max_function_evals(usize::try_from(opening.evaluations).unwrap_or(usize::MAX))
        .tol_fun(opening.tolerance)
        .tol_fun_hist(opening.tolerance)
        .tol_x_up(WIDER_MOST)
        .seed(opening.seed)
        .build(Oracle(generation.clone()))
        .expect("checked settings and a population of at least 4 are valid options");
    (cmaes, generation)
}
