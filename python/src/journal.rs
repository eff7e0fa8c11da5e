//! A validator's journal: replayed, compared and explained. Read-only; each file is checked as it is read.

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use weighhouse_journal::{ReadError, read_in_order, read_segment};
use weighhouse_scoring::diff::Differ;
use weighhouse_scoring::path::path;
use weighhouse_scoring::replay::{Replay, ReplayedEpoch};
use weighhouse_scoring::{Decision, Policy as Valid};
use weighhouse_types::{Epoch, Record, Uid};

use crate::call::{Stop, long};
use crate::error::{JournalError, refuse, unreadable};
use crate::read::read_policy;
use crate::value;

/// Replay every epoch: one dictionary each, with the decision, what was intended, and whether they match.
///
/// journal: the validator's journal folder.
/// policy: another policy than the recorded ones; its averages are carried from the first epoch on.
#[pyfunction]
#[pyo3(signature = (journal, *, policy=None))]
pub(crate) fn replay_epochs<'py>(
    py: Python<'py>,
    journal: PathBuf,
    policy: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    value::write(py, &replayed(py, journal, policy)?)
}

/// Replay every epoch: columns, with a row for each epoch and scored miner. The package makes an Arrow table of them.
#[pyfunction]
#[pyo3(signature = (journal, *, policy=None))]
pub(crate) fn replay_columns<'py>(
    py: Python<'py>,
    journal: PathBuf,
    policy: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let epochs = replayed(py, journal, policy)?;
    let mut columns = Columns::default();
    epochs.iter().for_each(|epoch| columns.add(epoch));
    columns.write(py)
}

/// Compare two policies over a journal: who gains, who loses, by how much.
#[pyfunction]
#[pyo3(signature = (journal, before, after))]
pub(crate) fn diff<'py>(
    py: Python<'py>,
    journal: PathBuf,
    before: &Bound<'py, PyAny>,
    after: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let mut replays = [read_policy(before)?, read_policy(after)?]
        .map(|policy| Replay::under(Valid::clone(policy.policy())));
    let changes = long(py, None, move |stop| {
        let mut differ = Differ::new();
        each_epoch(&journal, stop, |records| {
            let [one, other] =
                replays.each_mut().map(|replay| replay.epoch(records).map_err(refuse::<JournalError>));
            differ.epoch(&one?, &other?);
            Ok(())
        })?;
        PyResult::Ok(differ.finish())
    })??;
    value::write(py, &changes)
}

/// Follow one miner from its answers to its weight, step by step; amounts without a unit are billionths.
///
/// epoch: the newest that knows the miner if not given.
#[pyfunction]
#[pyo3(signature = (journal, *, uid, epoch=None))]
pub(crate) fn explain(
    py: Python<'_>,
    journal: PathBuf,
    uid: u16,
    epoch: Option<u64>,
) -> PyResult<Bound<'_, PyAny>> {
    // Files are read one after the other: more threads would have nothing to do.
    let way = long(py, Some(1), move |stop| {
        let mut files = files(&journal)?;
        if let Some(epoch) = epoch {
            files.retain(|(other, _)| other.0 == epoch);
        }
        let none = || format!("{}: no epoch of this journal knows uid {uid}", journal.display());
        let mut last = match epoch {
            Some(epoch) if files.is_empty() => {
                format!("{}: no epoch {epoch} in this journal", journal.display())
            }
            _ => none(),
        };
        for (_, file) in files.iter().rev().take_while(|_| !stop.is_set()) {
            match path(&read_segment(file).map_err(refused)?, Uid(uid)) {
                Ok(way) => return Ok(way),
                Err(error) => last = error.to_string(),
            }
        }
        Err(refuse::<JournalError>(last))
    })??;
    value::write(py, &way)
}

fn replayed(
    py: Python<'_>,
    journal: PathBuf,
    policy: Option<&Bound<'_, PyAny>>,
) -> PyResult<Vec<ReplayedEpoch>> {
    let policy: Option<Valid> =
        policy.map(read_policy).transpose()?.map(|policy| Valid::clone(policy.policy()));
    long(py, None, move |stop| {
        let mut replay = policy.map_or_else(Replay::recorded, Replay::under);
        let mut epochs = Vec::new();
        each_epoch(&journal, stop, |records| {
            epochs.push(replay.epoch(records).map_err(refuse::<JournalError>)?);
            Ok(())
        })?;
        Ok(epochs)
    })?
}

/// The journal's files, by epoch.
fn files(dir: &Path) -> PyResult<Vec<(Epoch, PathBuf)>> {
    let files = weighhouse_journal::segments(dir).map_err(|error| unreadable(dir, &error))?;
    if files.is_empty() {
        let message = format!("{}: no epochs here; name a validator's journal folder", dir.display());
        return Err(refuse::<JournalError>(message));
    }
    Ok(files)
}

/// Hands every opened epoch over in order, until the caller has gone.
fn each_epoch(dir: &Path, stop: &Stop, mut take: impl FnMut(&[Record]) -> PyResult<()>) -> PyResult<()> {
    let read = read_in_order(&files(dir)?, |_, records| match stop.is_set() {
        true => Err(ReadingEnd::Stopped),
        false => take(records).map_err(ReadingEnd::Refused),
    });
    match read {
        Ok(()) | Err(ReadingEnd::Stopped) => Ok(()),
        Err(ReadingEnd::Refused(error)) => Err(error),
    }
}

/// Reasons for reading no further.
enum ReadingEnd {
    Stopped,
    Refused(PyErr),
}

impl From<ReadError> for ReadingEnd {
    fn from(error: ReadError) -> Self {
        Self::Refused(refused(error))
    }
}

fn refused(error: ReadError) -> PyErr {
    match error {
        ReadError::Io { file, source } => unreadable(&file, &source),
        error @ ReadError::Damaged { .. } => refuse::<JournalError>(error),
    }
}

/// One row per epoch and scored miner.
#[derive(Default)]
struct Columns {
    epoch: Vec<u64>,
    uid: Vec<u16>,
    hotkey: Vec<String>,
    registered_at: Vec<u64>,
    attempts: Vec<u64>,
    score: Vec<f64>,
    rating: Vec<String>,
    weight: Vec<Option<u16>>,
    share: Vec<Option<f64>>,
    decision: Vec<&'static str>,
    why: Vec<Option<String>>,
    published: Vec<bool>,
    matches: Vec<Option<bool>>,
}

impl Columns {
    fn add(&mut self, epoch: &ReplayedEpoch) {
        let vector = epoch.vector();
        let total: u64 =
            vector.map_or(0, |vector| vector.values().iter().map(|weight| u64::from(*weight)).sum());
        let (decision, why) = match &epoch.decision {
            Decision::Weights { .. } => ("weights", None),
            Decision::Abstain { why, .. } => ("abstain", Some(why.to_string())),
        };
        for scored in epoch.decision.scores() {
            let weight = vector.map(|vector| vector.get(scored.uid));
            let rating = serde_json::to_value(scored.rating).ok();
            self.epoch.push(epoch.epoch.0);
            self.uid.push(scored.uid.0);
            self.hotkey.push(scored.who.hotkey.to_string());
            self.registered_at.push(scored.who.registered_at.0);
            self.attempts.push(scored.attempts);
            self.score.push(scored.score.to_f64());
            self.rating
                .push(rating.as_ref().and_then(|rating| rating.as_str()).unwrap_or_default().to_owned());
            self.weight.push(weight);
            self.share.push(weight.map(|weight| f64::from(weight) / total as f64));
            self.decision.push(decision);
            self.why.push(why.clone());
            self.published.push(epoch.published);
            self.matches.push(epoch.matches);
        }
    }

    fn write(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("epoch", self.epoch)?;
        dict.set_item("uid", self.uid)?;
        dict.set_item("hotkey", self.hotkey)?;
        dict.set_item("registered_at", self.registered_at)?;
        dict.set_item("attempts", self.attempts)?;
        dict.set_item("score", self.score)?;
        dict.set_item("rating", self.rating)?;
        dict.set_item("weight", self.weight)?;
        dict.set_item("share", self.share)?;
        dict.set_item("decision", self.decision)?;
        dict.set_item("why", self.why)?;
        dict.set_item("published", self.published)?;
        dict.set_item("matches", self.matches)?;
        Ok(dict)
    }
}
