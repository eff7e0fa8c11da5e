//! Policies: parsing, changing, hashing, linting, and vectors from scores.

use std::io::Read;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use toml::{Table, Value};
use weighhouse_lab::lint::{Live, lint as examine};
use weighhouse_scoring::policy::{MAX_POLICY_BYTES, PolicyFile};
use weighhouse_scoring::{Candidate, Weigher};
use weighhouse_types::{Mark, Score, Uid};

use crate::call::long;
use crate::conform::{limits, write_vector};
use crate::error::{ConformError, InputError, PolicyError, ScenarioError, refuse, unreadable};
use crate::field::Fields;
use crate::simulator::read_profile;
use crate::track::Track;
use crate::value;

/// A valid policy and the text it came from. Build one with Policy.parse, Policy.load or Policy.default.
#[pyclass(frozen, eq, hash, module = "weighhouse")]
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) file: PolicyFile,
}

/// The text decides: validators name a policy by its bytes.
impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl std::hash::Hash for Policy {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.file.text().hash(state);
    }
}

impl Policy {
    fn of(text: &str) -> PyResult<Self> {
        Ok(Self { file: PolicyFile::parse(text.as_bytes()).map_err(refuse::<PolicyError>)? })
    }
}

#[pymethods]
impl Policy {
    /// Read a policy from its TOML text. Raises PolicyError naming the key at fault.
    #[staticmethod]
    #[pyo3(signature = (text, /))]
    fn parse(text: String) -> PyResult<Self> {
        Self::of(&text)
    }

    /// Read a policy file.
    #[staticmethod]
    #[pyo3(signature = (path, /))]
    fn load(path: PathBuf) -> PyResult<Self> {
        let mut text = String::new();
        let file = std::fs::File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let read = file.take(MAX_POLICY_BYTES as u64 + 1).read_to_string(&mut text);
        read.map_err(|error| unreadable(&path, &error))?;
        Self::of(&text)
    }

    /// The policy that ships with this software.
    #[staticmethod]
    fn default() -> Self {
        Self { file: PolicyFile::shipped() }
    }

    /// The file's text; its bytes are what validators record.
    #[getter]
    fn text(&self) -> &str {
        self.file.text()
    }

    /// The digest by which records and roll-outs name the policy, as hexadecimal.
    #[getter]
    fn hash(&self) -> String {
        self.file.hash().to_string()
    }

    /// The version of the file's format.
    #[getter]
    fn version(&self) -> u32 {
        self.file.policy().version()
    }

    /// The keys as written, as a dictionary; what is left out has its default.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::write(py, &table(self.file.text())?)
    }

    /// This policy with other values for some keys, dotted: {"shape.floor": 0.5}. Comments are lost.
    #[pyo3(signature = (changes, /))]
    fn replace(&self, changes: &Bound<'_, PyMapping>) -> PyResult<Self> {
        let mut keys = table(self.file.text())?;
        for pair in changes.items()?.iter() {
            let (key, value): (String, Bound<'_, PyAny>) = pair.extract()?;
            let value: Value = value::read_as::<Value, PolicyError>(&value)?;
            set(&mut keys, &key, value)?;
        }
        Self::of(&toml::to_string(&keys).map_err(refuse::<PolicyError>)?)
    }

    /// Rate a track in an epoch, with every figure on the way; amounts are billionths.
    #[pyo3(signature = (track, /, *, epoch))]
    fn rate<'py>(&self, py: Python<'py>, track: &Track, epoch: u64) -> PyResult<Bound<'py, PyAny>> {
        value::write(py, &self.file.policy().rate_in_steps(&track.inner, epoch))
    }

    /// Relative weights from scores, before the chain's limits: uid to weight.
    ///
    /// candidates: a mapping from uid to score in [0, 1], or dictionaries with the keys of Candidate.
    /// burn: the uid that gets the policy's burn.
    #[pyo3(signature = (candidates, *, burn=None))]
    fn weights<'py>(
        &self,
        py: Python<'py>,
        candidates: &Bound<'py, PyAny>,
        burn: Option<u16>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let candidates = read_candidates(candidates)?;
        write_vector(py, Weigher::new().weights(self.file.policy(), &candidates, burn.map(Uid)))
    }

    /// The u16 vector that the chain is sent: uid to weight, ascending.
    ///
    /// candidates, burn: as for weights; the limits: as for conform.
    #[pyo3(signature = (candidates, *, neurons=None, min_allowed_weights=0, max_weights_limit=65535, burn=None))]
    fn vector<'py>(
        &self,
        py: Python<'py>,
        candidates: &Bound<'py, PyAny>,
        neurons: Option<u16>,
        min_allowed_weights: u16,
        max_weights_limit: u16,
        burn: Option<u16>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let candidates = read_candidates(candidates)?;
        let uids = candidates.iter().map(|candidate| candidate.uid).chain(burn.map(Uid));
        let limits = limits(uids, neurons, min_allowed_weights, max_weights_limit);
        let mut vector = Vec::new();
        Weigher::new()
            .vector(self.file.policy(), &candidates, burn.map(Uid), &limits, &mut vector)
            .map_err(refuse::<ConformError>)?;
        write_vector(py, &vector)
    }

    fn __repr__(&self) -> String {
        format!("Policy(version={}, hash='{}')", self.version(), self.hash())
    }

    /// Pickled and copied by its text.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((slf.getattr("parse")?, (slf.get().file.text().to_owned(),)))
    }
}

/// A policy, or the text of one.
pub(crate) fn read_policy(policy: &Bound<'_, PyAny>) -> PyResult<Policy> {
    match policy.cast::<Policy>() {
        Ok(policy) => Ok(policy.get().clone()),
        Err(_) => Policy::of(&policy.cast::<PyString>()?.to_cow()?),
    }
}

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
    let Policy { file } = read_policy(policy)?;
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
    };
    fields.finish()?;
    Ok(live)
}

fn read_candidates(candidates: &Bound<'_, PyAny>) -> PyResult<Vec<Candidate>> {
    if let Ok(scores) = candidates.cast::<PyMapping>() {
        let candidate = |pair: Bound<'_, PyAny>| {
            let (uid, score): (u16, f64) = pair.extract()?;
            Ok(Candidate {
                uid: Uid(uid),
                score: read_score(score)?,
                cluster: None,
                place: None,
                registered_at: 0,
            })
        };
        return scores.items()?.iter().map(candidate).collect();
    }
    let candidate = |item: PyResult<Bound<'_, PyAny>>| {
        let item = item?;
        let mut fields = Fields::of(item.cast::<PyMapping>()?, "candidate");
        let candidate = Candidate {
            uid: Uid(fields.required("uid")?),
            score: read_score(fields.required("score")?)?,
            cluster: fields.optional("cluster")?,
            place: fields.optional("place")?,
            registered_at: fields.or("registered_at", 0)?,
        };
        fields.finish()?;
        Ok(candidate)
    };
    candidates.try_iter()?.map(candidate).collect()
}

fn read_score(score: f64) -> PyResult<Score> {
    let mark = if (0.0..=1.0).contains(&score) { Mark::from_f64(score) } else { None };
    mark.map(Score::clip)
        .ok_or_else(|| refuse::<InputError>(format!("a score of {score}, it must lie in [0, 1]")))
}

fn table(text: &str) -> PyResult<Table> {
    text.parse().map_err(refuse::<PolicyError>)
}

fn set(keys: &mut Table, key: &str, value: Value) -> PyResult<()> {
    match key.split_once('.') {
        None => {
            keys.insert(key.to_owned(), value);
            Ok(())
        }
        Some((section, rest)) => {
            let inner = keys.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let inner = inner.as_table_mut();
            set(
                inner.ok_or_else(|| refuse::<PolicyError>(format!("`{section}` is no section")))?,
                rest,
                value,
            )
        }
    }
}
