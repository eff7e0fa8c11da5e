//! The simulator, and what attacking earns in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyMapping;
use rayon::prelude::*;
use weighhouse_lab::attack::{AttackPlan, CATALOGUE, FRACTIONS, catalogue, matrix};
use weighhouse_lab::sim::{Scenario, SimulationOutcome, SimulationPlan, Simulator, Strategy};

use crate::call::long;
use crate::error::{InputError, ScenarioError, refuse};
use crate::read::{read_attack, read_policies, read_policy, read_profile};
use crate::value;

/// A task's measured figures as a dictionary: a shipped profile by its name, or one from TOML text.
#[pyfunction]
#[pyo3(signature = (source, /))]
pub(crate) fn profile<'py>(py: Python<'py>, source: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    value::write(py, &read_profile(source)?)
}

/// A known conduct of a miner as a dictionary, to use or to change: "honest", an attack, "better", "half", "int8".
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn persona<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let strategy = Strategy::persona(name);
    value::write(py, &strategy.ok_or_else(|| refuse::<InputError>(format!("no persona is called {name:?}")))?)
}

/// The attacks of the catalogue: name, and whether it leaves traces in the answers that judges see.
#[pyfunction]
pub(crate) fn attacks() -> BTreeMap<&'static str, bool> {
    CATALOGUE.into_iter().collect()
}

/// A subnet of honest miners and validators as a dictionary, to change and to simulate.
///
/// profile: a name, TOML text or a dictionary; see profile.
/// policy: a Policy or its text; the one that ships if not given.
#[pyfunction]
#[pyo3(signature = (profile, *, miners=32, validators=8, epochs=100, policy=None))]
pub(crate) fn scenario<'py>(
    py: Python<'py>,
    profile: &Bound<'py, PyAny>,
    miners: u16,
    validators: u16,
    epochs: u32,
    policy: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut scenario = Scenario::honest(read_profile(profile)?, miners, validators, epochs);
    if let Some(policy) = policy {
        scenario.policy = read_policy(policy)?;
    }
    value::write(py, &scenario)
}

/// Run a world from each seed, on all cores: an outcome per seed, in their order, whatever the number of threads.
///
/// scenario: a dictionary (see scenario), or TOML or JSON text.
/// threads: as many as there are cores if not given.
#[pyfunction]
#[pyo3(signature = (scenario, *, seeds, threads=None))]
pub(crate) fn simulate<'py>(
    py: Python<'py>,
    scenario: &Bound<'py, PyAny>,
    seeds: Vec<u64>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let scenario: Scenario = value::parse_or_read::<_, ScenarioError>(scenario)?;
    let plan = Arc::new(SimulationPlan::new(&scenario).map_err(refuse::<ScenarioError>)?);
    let outcomes = long(py, threads, move |stop| {
        let one = |seed: &u64| match stop.is_set() {
            true => None,
            false => Some(Simulator::runs(plan.clone()).run(*seed)),
        };
        seeds.par_iter().filter_map(one).collect::<Vec<SimulationOutcome>>()
    })?;
    value::write(py, &outcomes)
}

/// Compare each attack's profit with honest work by the same operator, by fraction of bad miners and policy.
///
/// base: the world (see scenario); its first miner group gives the honest miners, its policy is not read.
/// policies: name to Policy or text; {"default": the one that ships} if not given.
/// attacks: names ("sleeper", "sybil-16") or dictionaries with name, detectable and strategy; all that the profile has
/// figures for if not given.
/// fractions: shares of bad miners in [0, 1]; 0 is a single one. 0 to 0.6 in tenths if not given.
/// seeds: at least two, as one world's ratio has no interval.
///
/// A matrix that was interrupted is still worked out in the background until the process ends.
#[pyfunction]
#[pyo3(signature = (base, *, policies=None, attacks=None, fractions=None, seeds, threads=None))]
pub(crate) fn attack_matrix<'py>(
    py: Python<'py>,
    base: &Bound<'py, PyAny>,
    policies: Option<&Bound<'py, PyMapping>>,
    attacks: Option<Vec<Bound<'py, PyAny>>>,
    fractions: Option<Vec<f64>>,
    seeds: Vec<u64>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let base: Scenario = value::parse_or_read::<_, ScenarioError>(base)?;
    let attacks = match attacks {
        Some(attacks) => attacks.iter().map(read_attack).collect::<PyResult<_>>()?,
        None => catalogue(&base.profile).0,
    };
    let fractions = fractions.unwrap_or_else(|| FRACTIONS.to_vec());
    let policies = read_policies(policies)?;
    let plan = AttackPlan { base, policies, attacks, fractions, seeds };
    plan.check().map_err(refuse::<ScenarioError>)?;
    let matrix = long(py, threads, move |_| matrix(&plan))?;
    value::write(py, &matrix.map_err(refuse::<ScenarioError>)?)
}
