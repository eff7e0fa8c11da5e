//! Jobs of the lab in units: made ready here, answered anywhere, put together here.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyMapping;
use rayon::prelude::*;
use weighhouse_lab::attack::{Attack, AttackPlan, FRACTIONS, catalogue};
use weighhouse_lab::job::{Job, JobError, Prepared};
use weighhouse_lab::search::{LegProgress, RedTeam, Tuning, Watch};
use weighhouse_lab::sim::{Scenario, Strategy};
use weighhouse_lab::work::{Carried, Stopped};
use weighhouse_lab::world::Assumptions;
use weighhouse_types::Digest;

use crate::call::long;
use crate::error::{InputError, ScenarioError, refuse};
use crate::read::{read_attack, read_policies, read_policy, read_profile};
use crate::value;

/// Interval at which waiting for a run looks for signals.
const POLL: Duration = Duration::from_millis(50);

/// A job of the lab: what weighhouse.lab sends to other machines, and asks to answer units of it.
#[pyclass(frozen, module = "weighhouse._native")]
pub(crate) struct LabJob {
    spec: String,
    prepared: Arc<Prepared>,
}

#[pymethods]
impl LabJob {
    /// Read a job from its spec. Raises ScenarioError where it can't be run.
    #[new]
    #[pyo3(signature = (spec, /))]
    fn new(py: Python<'_>, spec: String) -> PyResult<Self> {
        let job: Job = serde_json::from_str(&spec).map_err(refuse::<InputError>)?;
        let prepared = py.detach(|| Prepared::new(job)).map_err(refuse::<ScenarioError>)?;
        Ok(Self { spec, prepared: Arc::new(prepared) })
    }

    /// All that the job is, as text.
    #[getter]
    fn spec(&self) -> &str {
        &self.spec
    }

    /// The digest of version and spec, by which checkpoints know their job.
    #[getter]
    fn digest(&self) -> String {
        Digest::of(format!("{} {}", env!("CARGO_PKG_VERSION"), self.spec).as_bytes()).to_string()
    }

    /// Answer units, in their order.
    #[pyo3(signature = (units, /, *, threads=None))]
    fn answer(&self, py: Python<'_>, units: Vec<String>, threads: Option<usize>) -> PyResult<Vec<String>> {
        let prepared = self.prepared.clone();
        let answers = long(py, threads, move |stop| {
            let one = |unit: &String| match stop.is_set() {
                true => Ok(String::new()),
                false => prepared.answer(unit),
            };
            units.par_iter().map(one).collect::<Result<Vec<String>, JobError>>()
        })?;
        answers.map_err(refuse::<InputError>)
    }

    /// Begin to run: a LabRun that asks for answers.
    fn start(&self) -> PyResult<LabRun> {
        LabRun::start(self.prepared.clone())
    }
}

/// What a run says.
enum Said {
    Ask(Vec<String>),
    Done(Result<String, JobError>),
}

/// A run of a job: ask gives units, tell takes their answers, until ask gives nothing and result is there.
#[pyclass(frozen, module = "weighhouse._native")]
pub(crate) struct LabRun {
    said: Mutex<Receiver<Said>>,
    answers: Mutex<Option<Sender<Vec<String>>>>,
    progress: Arc<Mutex<Option<LegProgress>>>,
    result: Mutex<Option<String>>,
}

struct Watcher(Arc<Mutex<Option<LegProgress>>>);

impl Watch for Watcher {
    fn go_on(&mut self, progress: &LegProgress) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.clone());
        true
    }

    fn line(&mut self, _line: &str) {}
}

impl LabRun {
    fn start(prepared: Arc<Prepared>) -> PyResult<Self> {
        let (say, said) = channel();
        let (answer, answers) = channel::<Vec<String>>();
        let progress = Arc::new(Mutex::new(None));
        let watched = progress.clone();
        std::thread::Builder::new().name("weighhouse-lab".to_owned()).spawn(move || {
            // Whoever dropped the run stops it at its next question.
            let carry = |units| {
                say.send(Said::Ask(units)).map_err(|_| Stopped)?;
                answers.recv().map_err(|_| Stopped)
            };
            let result = prepared.run(&Carried(carry), None, &mut Watcher(watched));
            let _ = say.send(Said::Done(result));
        })?;
        Ok(Self {
            said: Mutex::new(said),
            answers: Mutex::new(Some(answer)),
            progress,
            result: Mutex::default(),
        })
    }
}

#[pymethods]
impl LabRun {
    /// The next units, or None once the result is there.
    fn ask(&self, py: Python<'_>) -> PyResult<Option<Vec<String>>> {
        loop {
            let said =
                py.detach(|| self.said.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(POLL));
            match said {
                Ok(Said::Ask(units)) => return Ok(Some(units)),
                Ok(Said::Done(result)) => {
                    let text = result.map_err(refuse::<ScenarioError>)?;
                    *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                    return Ok(None);
                }
                Err(RecvTimeoutError::Timeout) => py.check_signals()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyOSError::new_err("the run ended without a result"));
                }
            }
        }
    }

    /// Answers to the units asked for last, in their order.
    #[pyo3(signature = (answers, /))]
    fn tell(&self, answers: Vec<String>) -> PyResult<()> {
        let sender = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().map(|sender| sender.send(answers));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(refuse::<InputError>("the run asks for nothing any more")),
        }
    }

    /// Evaluations of the search so far, and the best figure; nothing before the first, and of attacks.
    fn progress(&self) -> Option<(u64, f64)> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.as_ref().map(|progress| (progress.evaluations, progress.best))
    }

    /// The result as JSON text, the bytes that the command prints; None before ask gave None.
    fn result(&self) -> Option<String> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn assume(cost_share: f64, unjudged: f64, pruned_return: bool) -> PyResult<Assumptions> {
    let assumptions = Assumptions { cost_share, unjudged, pruned_return };
    assumptions.check().map_err(refuse::<ScenarioError>)?;
    Ok(assumptions)
}

fn spec(job: &Job) -> PyResult<String> {
    serde_json::to_string(job).map_err(refuse::<InputError>)
}

/// The spec of an attack matrix, as `weighhouse policy attack` runs it.
#[pyfunction]
#[pyo3(signature = (*, policies, attacks, fractions, profile, miners, validators, epochs, challenges,
    cost_share, unjudged, pruned_return, seeds))]
#[allow(clippy::too_many_arguments, reason = "Python's keyword arguments are Rust's positional ones")]
pub(crate) fn lab_attack(
    policies: Option<&Bound<'_, PyMapping>>,
    attacks: Option<Vec<Bound<'_, PyAny>>>,
    fractions: Option<Vec<f64>>,
    profile: &Bound<'_, PyAny>,
    miners: u16,
    validators: u16,
    epochs: u32,
    challenges: u32,
    cost_share: f64,
    unjudged: f64,
    pruned_return: bool,
    seeds: Vec<u64>,
) -> PyResult<String> {
    let mut base = Scenario::honest(read_profile(profile)?, miners, validators, epochs);
    base.judging.challenges = challenges;
    assume(cost_share, unjudged, pruned_return)?.apply(&mut base);
    let attacks = match attacks {
        Some(attacks) => attacks.iter().map(|attack| named(attack, &base)).collect::<PyResult<_>>()?,
        None => catalogue(&base.profile).0,
    };
    let fractions = fractions.unwrap_or_else(|| FRACTIONS.to_vec());
    let plan = AttackPlan { base, policies: read_policies(policies)?, attacks, fractions, seeds };
    plan.check().map_err(refuse::<ScenarioError>)?;
    spec(&Job::Attack(Box::new(plan)))
}

/// A known attack, or a persona that the profile has figures for.
fn named(attack: &Bound<'_, PyAny>, base: &Scenario) -> PyResult<Attack> {
    read_attack(attack).or_else(|error| {
        let own: Option<String> = attack.extract().ok();
        own.and_then(|name| Attack::answering(&base.profile, &name)).ok_or(error)
    })
}

/// The spec of a red team's game, as `weighhouse policy redteam` plays it.
#[pyfunction]
#[pyo3(signature = (*, policy, profile, evaluations, seed, strategies, cost_share, unjudged, pruned_return))]
#[allow(clippy::too_many_arguments, reason = "Python's keyword arguments are Rust's positional ones")]
pub(crate) fn lab_redteam(
    policy: &Bound<'_, PyAny>,
    profile: &Bound<'_, PyAny>,
    evaluations: u64,
    seed: u64,
    strategies: Vec<Bound<'_, PyAny>>,
    cost_share: f64,
    unjudged: f64,
    pruned_return: bool,
) -> PyResult<String> {
    let assumptions = assume(cost_share, unjudged, pruned_return)?;
    let starts = strategies.iter().map(value::parse_or_read::<Strategy, InputError>);
    let starts = starts.collect::<PyResult<_>>()?;
    let team = RedTeam::new(read_profile(profile)?, &read_policy(policy)?, evaluations, assumptions);
    spec(&Job::Redteam(Box::new(RedTeam { seed, starts, ..team })))
}

/// The spec of a tuning, as `weighhouse policy tune` runs it.
#[pyfunction]
#[pyo3(signature = (tuning, /, *, policy))]
pub(crate) fn lab_tune(tuning: &str, policy: &Bound<'_, PyAny>) -> PyResult<String> {
    let tuning = Box::new(Tuning::parse(tuning.as_bytes()).map_err(refuse::<ScenarioError>)?);
    spec(&Job::Tune { tuning, policy: read_policy(policy)? })
}
