//! Weighhouse for Python: Yuma consensus, conforming, policies, replay and the simulator, as one extension module.
//!
//! Values cross as plain Python objects (numbers, strings, lists, dictionaries); what decides stays in
//! `weighhouse-scoring`, so a script and the validator that ships compute with the same code. Long calls let other
//! Python threads run and end at Ctrl-C. Refusals are `WeighhouseError`s with the libraries' own messages.

mod call;
mod error;
mod field;
mod value;

mod class;
mod read;

mod conform;
mod lint;
mod policy;
mod track;
mod yuma;

mod journal;
mod lab;
mod simulator;

use pyo3::prelude::*;

/// The native part of the package `weighhouse`, whose names are all there.
#[pymodule(gil_used = true)]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::class::{Policy, Track};
    #[pymodule_export]
    use super::conform::{conform, max_upscale};
    #[pymodule_export]
    use super::error::{ConformError, InputError, JournalError, PolicyError, ScenarioError, WeighhouseError};
    #[pymodule_export]
    use super::journal::{diff, explain, replay_columns, replay_epochs};
    #[pymodule_export]
    use super::lab::{LabJob, LabRun, lab_attack, lab_redteam, lab_tune};
    #[pymodule_export]
    use super::lint::{lint, schema};
    #[pymodule_export]
    use super::simulator::{attack_matrix, attacks, persona, profile, scenario, simulate};
    #[pymodule_export]
    use super::yuma::yuma_epoch;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
