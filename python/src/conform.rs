//! Conforming: from real weights to the u16 vector that a chain takes.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use weighhouse_scoring::{Limits, conform as conform_weights};
use weighhouse_types::Uid;
use weighhouse_yuma::max_upscale as upscale;

use crate::error::{ConformError, InputError, refuse};

/// Clip, upscale and quantise relative weights to the vector that the chain accepts.
///
/// weights: a mapping from uid to weight, a sequence of weights by uid, or a sequence of (uid, weight).
/// neurons: neurons in the subnet; uids are below it. Not given: the largest uid plus one.
/// min_allowed_weights: the hyperparameter; zeros for absent uids fill a vector that is too short.
/// max_weights_limit: the largest share of one weight, out of 65535.
///
/// Returns uid: weight, ascending. Raises ConformError where no honest vector exists.
#[pyfunction]
#[pyo3(signature = (weights, *, neurons=None, min_allowed_weights=0, max_weights_limit=65535))]
pub(crate) fn conform<'py>(
    py: Python<'py>,
    weights: &Bound<'py, PyAny>,
    neurons: Option<u16>,
    min_allowed_weights: u16,
    max_weights_limit: u16,
) -> PyResult<Bound<'py, PyDict>> {
    let pairs = read_weights(weights)?;
    let limits = limits(pairs.iter().map(|(uid, _)| *uid), neurons, min_allowed_weights, max_weights_limit);
    let vector = conform_weights(&pairs, &limits).map_err(refuse::<ConformError>)?;
    write_vector(py, vector.entries())
}

/// Scale u16 values as the chain does those it is sent: scaled so that the largest is 65535.
#[pyfunction]
#[pyo3(signature = (values, /))]
pub(crate) fn max_upscale(values: Vec<u16>) -> Vec<u16> {
    upscale(&values)
}

/// Limits for a subnet whose size may be left to the uids in use.
pub(crate) fn limits(
    uids: impl Iterator<Item = Uid>,
    neurons: Option<u16>,
    min_allowed_weights: u16,
    max_weights_limit: u16,
) -> Limits {
    let neurons = neurons.or_else(|| uids.map(|uid| uid.0.saturating_add(1)).max()).unwrap_or(0);
    Limits { neurons, min_allowed_weights, max_weights_limit }
}

/// uid: number, in the order given.
pub(crate) fn write_vector<'py, T>(py: Python<'py>, entries: &[(Uid, T)]) -> PyResult<Bound<'py, PyDict>>
where
    T: Copy + IntoPyObject<'py>,
{
    let dict = PyDict::new(py);
    for (uid, value) in entries {
        dict.set_item(uid.0, *value)?;
    }
    Ok(dict)
}

fn read_weights(weights: &Bound<'_, PyAny>) -> PyResult<Vec<(Uid, f64)>> {
    if let Ok(mapping) = weights.cast::<PyMapping>() {
        let pairs = mapping.items()?;
        return pairs.iter().map(|pair| Ok(pair.extract::<(u16, f64)>()?)).map(named).collect();
    }
    let items: Vec<Bound<'_, PyAny>> = weights.extract()?;
    let by_position = |(at, weight): (usize, &Bound<'_, PyAny>)| {
        let uid = u16::try_from(at).map_err(|_| refuse::<InputError>("more than 65536 weights"))?;
        Ok((uid, weight.extract::<f64>()?))
    };
    match items.first() {
        Some(first) if first.extract::<f64>().is_err() => {
            items.iter().map(|pair| Ok(pair.extract::<(u16, f64)>()?)).map(named).collect()
        }
        _ => items.iter().enumerate().map(by_position).map(named).collect(),
    }
}

fn named(pair: PyResult<(u16, f64)>) -> PyResult<(Uid, f64)> {
    pair.map(|(uid, weight)| (Uid(uid), weight))
}
