//! Keys of a Python mapping, typed: for inputs too large for a detour over JSON values.

use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use crate::error::{InputError, refuse};

/// A mapping whose keys are taken one by one; what is left over in the end is refused.
pub(crate) struct Fields<'a, 'py> {
    mapping: &'a Bound<'py, PyMapping>,
    /// Name of the mapping, for messages.
    what: &'static str,
    taken: Vec<&'static str>,
}

impl<'a, 'py> Fields<'a, 'py> {
    pub(crate) fn of(mapping: &'a Bound<'py, PyMapping>, what: &'static str) -> Self {
        Self { mapping, what, taken: Vec::new() }
    }

    /// The value of `key`; `None` where it is absent or is `None`.
    pub(crate) fn optional<T: FromPyObjectOwned<'py>>(&mut self, key: &'static str) -> PyResult<Option<T>> {
        // Noted also where the key is absent: `finish` lists every key that is known.
        self.taken.push(key);
        if !self.mapping.contains(key)? {
            return Ok(None);
        }
        let value = self.mapping.get_item(key)?;
        if value.is_none() {
            return Ok(None);
        }
        let extracted: Result<T, _> = value.extract();
        extracted.map(Some).map_err(|error| {
            let error: PyErr = error.into();
            let why = error.value(value.py());
            refuse::<InputError>(format!("{}: `{key}`: {why}", self.what))
        })
    }

    pub(crate) fn or<T: FromPyObjectOwned<'py>>(&mut self, key: &'static str, default: T) -> PyResult<T> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    pub(crate) fn required<T: FromPyObjectOwned<'py>>(&mut self, key: &'static str) -> PyResult<T> {
        self.optional(key)?.ok_or_else(|| refuse::<InputError>(format!("{}: `{key}` is missing", self.what)))
    }

    /// Refuses keys that nobody asked for.
    pub(crate) fn finish(self) -> PyResult<()> {
        for key in self.mapping.keys()?.iter() {
            let text = key.cast::<PyString>().ok().map(|text| text.to_cow()).transpose()?;
            let known = |text: &str| self.taken.contains(&text);
            if !text.as_deref().is_some_and(known) {
                let known = self.taken.join("`, `");
                return Err(refuse::<InputError>(format!(
                    "{}: unknown key {key:?}, known are `{known}`",
                    self.what
                )));
            }
        }
        Ok(())
    }
}
