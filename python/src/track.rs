//! Methods of [`Track`]: one miner's running average, folded epoch by epoch as a validator folds it.

use pyo3::prelude::*;
use weighhouse_scoring::Tally;
use weighhouse_types::Mark;

use crate::class::{Policy, Track};
use crate::error::{InputError, refuse};

const UNIT: f64 = 1e9;

#[pymethods]
impl Track {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Take in an epoch's verdicts under a policy.
    ///
    /// marks: each in [-1, 1], chance-corrected.
    /// latencies_us: how long each answer took in microseconds, None for one that did not come. Not given: all in time.
    #[pyo3(signature = (policy, marks, *, epoch, latencies_us=None))]
    fn fold(
        &mut self,
        policy: &Policy,
        marks: Vec<f64>,
        epoch: u64,
        latencies_us: Option<Vec<Option<u64>>>,
    ) -> PyResult<()> {
        let latencies = latencies_us.unwrap_or_else(|| vec![Some(0); marks.len()]);
        if latencies.len() != marks.len() {
            let (marks, latencies) = (marks.len(), latencies.len());
            return Err(refuse::<InputError>(format!("{latencies} latencies for {marks} marks")));
        }
        // Without attempts `judged_in` is 0, which is an epoch too.
        if self.inner.attempts > 0 && epoch <= self.inner.judged_in {
            let last = self.inner.judged_in;
            return Err(refuse::<InputError>(format!(
                "epoch {epoch} comes after epoch {last}: fold them in order"
            )));
        }
        if marks.len() > Tally::MAX as usize {
            let found = marks.len();
            return Err(refuse::<InputError>(format!(
                "{found} marks in one epoch, at most {} are folded",
                Tally::MAX
            )));
        }
        let mut tally = Tally::default();
        for (mark, latency) in marks.into_iter().zip(latencies) {
            tally.add(policy.file.policy(), read_mark(mark)?, latency);
        }
        self.inner.fold(policy.file.policy(), epoch, &tally);
        Ok(())
    }

    /// The signed average, in [-1, 1].
    #[getter]
    fn average(&self) -> f64 {
        self.inner.average as f64 / UNIT
    }

    /// The average's standard error.
    #[getter]
    fn error(&self) -> f64 {
        self.inner.error() as f64 / UNIT
    }

    /// Verdicts since the first.
    #[getter]
    fn attempts(&self) -> u64 {
        self.inner.attempts
    }

    /// The epoch of the newest verdict; None before the first.
    #[getter]
    fn judged_in(&self) -> Option<u64> {
        (self.inner.attempts > 0).then_some(self.inner.judged_in)
    }

    /// The score in [0, 1] that the policy gives it in an epoch.
    #[pyo3(signature = (policy, *, epoch))]
    fn score(&self, policy: &Policy, epoch: u64) -> f64 {
        policy.file.policy().rate(&self.inner, epoch).0.to_f64()
    }

    fn __copy__(&self) -> Self {
        self.clone()
    }

    fn __repr__(&self) -> String {
        format!("Track(average={}, error={}, attempts={})", self.average(), self.error(), self.attempts())
    }
}

fn read_mark(mark: f64) -> PyResult<i64> {
    let valid = if (-1.0..=1.0).contains(&mark) { Mark::from_f64(mark) } else { None };
    let valid =
        valid.ok_or_else(|| refuse::<InputError>(format!("a mark of {mark}, it must lie in [-1, 1]")))?;
    Ok(valid.billionths())
}
