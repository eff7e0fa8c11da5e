//! Checks of policies, and the schema of their files.

use pyo3::prelude::*;
use pyo3::types::PyMapping;
use weighhouse_lab::lint::{Live, lint as examine};

use crate::call::long;
use crate::error::{ScenarioError, refuse};
use crate::field::Fields;
use crate::read::{read_policy, read_profile};
use crate::value;

/// The JSON Schema of policy files.
#[pyfunction]
pub(crate) fn schema(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    value::write(py, &weighhouse_scoring::policy::schema())
}

/// Say what is wrong or doubtful with a valid policy.
///
/// profile: a task's measured figures (see profile); adds expected vtrust and detection.
/// live: a subnet's settings (see Live); adds whether newcomers have time and caps can be met.
/// rounds: challenges per miner and epoch, where the policy leaves them to the validator.
#[pyfunction]
#[pyo3(signature = (policy, *, profile=None, live=None, rounds=3))]
pub(crate) fn lint<'py>(
    py: Python<'py>,
    policy: &Bound<'py, PyAny>,
    profile: Option<&Bound<'py, PyAny>>,
    live: Option<&Bound<'py, PyMapping>>,
    rounds: u32,
) -> PyResult<Bound<'py, PyAny>> {
    let file = read_policy(policy)?;
    let profile = profile.map(read_profile).transpose()?;
    let live = live.map(read_live).transpose()?;
    let report = long(py, None, move |_| examine(&file, profile.as_ref(), live.as_ref(), rounds))?;
    value::write(py, &report.map_err(refuse::<ScenarioError>)?)
}

fn read_live(live: &Bound<'_, PyMapping>) -> PyResult<Live> {
    let mut fields = Fields::of(live, "live");
    let live = Live {
        tempo_blocks: fields.required("tempo_blocks")?,
        immunity_blocks: fields.required("immunity_blocks")?,
        miners: fields.required("miners")?,
        max_weights_limit: fields.or("max_weights_limit", u16::MAX)?,
        reveal_epochs: fields.or("reveal_epochs", 0)?,
        hotkeys: Vec::new(),
        owner: None,
    };
    fields.finish()?;
    Ok(live)
}
