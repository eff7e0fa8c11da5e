//! Exceptions for refusals: a hierarchy below `WeighhouseError`, itself a `ValueError`.

use std::fmt::Display;
use std::path::Path;

use pyo3::PyTypeInfo;
use pyo3::create_exception;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

create_exception!(weighhouse, WeighhouseError, PyValueError, "Whatever this package refuses, and why.");
create_exception!(
    weighhouse,
    InputError,
    WeighhouseError,
    "An argument that no chain, policy or journal could hold."
);
create_exception!(
    weighhouse,
    ConformError,
    WeighhouseError,
    "Weights that no publishable vector follows from."
);
create_exception!(weighhouse, PolicyError, WeighhouseError, "A policy that is not valid.");
create_exception!(weighhouse, ScenarioError, WeighhouseError, "A world that can't be simulated.");
create_exception!(weighhouse, JournalError, WeighhouseError, "A journal that can't be read or replayed.");

/// A refusal of the given class, in the library's own words.
pub(crate) fn refuse<E: PyTypeInfo>(why: impl Display) -> PyErr {
    PyErr::new::<E, _>(why.to_string())
}

/// An `OSError` that knows its file; Python makes `FileNotFoundError` and its like of it.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, error.to_string(), path.to_path_buf())),
        None => PyOSError::new_err(format!("{}: {error}", path.display())),
    }
}
