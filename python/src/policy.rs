//! Methods of [`Policy`]: parsing, changing, hashing, and vectors from scores.

use std::io::Read;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use toml::{Table, Value};
use weighhouse_scoring::Weigher;
use weighhouse_scoring::policy::{MAX_POLICY_BYTES, PolicyFile};
use weighhouse_types::Uid;

use crate::class::{Policy, Track};
use crate::conform::{limits, write_vector};
use crate::error::{ConformError, PolicyError, refuse, unreadable};
use crate::read::read_candidates;
use crate::value;

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
        // One byte over the limit, so that parsing finds a file that is too large and refuses it.
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
