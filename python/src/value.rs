//! Plain Python objects to JSON values and back, integers exact to 64 bits.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::error::{InputError, refuse};

/// Objects may be nested this deep.
const DEPTH_MAX: usize = 32;

/// Reads numbers, strings, booleans, `None`, lists, tuples and mappings.
pub(crate) fn read(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    read_at(object, 0)
}

/// As [`read`], into a type; refused with the class `E`.
pub(crate) fn read_as<T: DeserializeOwned, E: pyo3::PyTypeInfo>(object: &Bound<'_, PyAny>) -> PyResult<T> {
    serde_json::from_value(read(object)?).map_err(refuse::<E>)
}

/// As [`read_as`]; a string is TOML, or JSON where it starts with a brace.
pub(crate) fn parse_or_read<T: DeserializeOwned, E: pyo3::PyTypeInfo>(
    object: &Bound<'_, PyAny>,
) -> PyResult<T> {
    let Ok(text) = object.cast::<PyString>() else { return read_as::<T, E>(object) };
    let text = text.to_cow()?;
    if text.trim_start().starts_with('{') {
        serde_json::from_str(&text).map_err(refuse::<E>)
    } else {
        weighhouse_types::config::parse(&text).map_err(refuse::<E>)
    }
}

/// A serialisable value as Python objects.
pub(crate) fn write<'py, T: Serialize>(py: Python<'py>, value: &T) -> PyResult<Bound<'py, PyAny>> {
    let value = serde_json::to_value(value).map_err(refuse::<InputError>)?;
    write_value(py, &value)
}

fn read_at(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    if depth > DEPTH_MAX {
        return Err(refuse::<InputError>(format!("nested deeper than {DEPTH_MAX}")));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    // Before numbers, since a Python bool is an int too.
    if let Ok(flag) = object.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::String(text.to_cow()?.into_owned()));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = object.try_iter()?.map(|item| read_at(&item?, depth + 1));
        return items.collect::<PyResult<Vec<_>>>().map(Value::Array);
    }
    if let Ok(mapping) = object.cast::<PyMapping>() {
        let mut entries = Map::new();
        for pair in mapping.items()?.iter() {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            let key: String = key.str()?.extract()?;
            entries.insert(key, read_at(&value, depth + 1)?);
        }
        return Ok(Value::Object(entries));
    }
    read_number(object)
}

/// An integer or a float, NumPy's included.
fn read_number(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if !object.is_instance_of::<PyFloat>() {
        // Integers first: a float would round those above 2^53.
        if let Ok(number) = object.extract::<u64>() {
            return Ok(number.into());
        }
        if let Ok(number) = object.extract::<i64>() {
            return Ok(number.into());
        }
        if object.is_instance_of::<PyInt>() {
            return Err(refuse::<InputError>(format!("{object} has more than 64 bits")));
        }
    }
    let Ok(number) = object.extract::<f64>() else {
        let name = object.get_type().name()?;
        return Err(PyTypeError::new_err(format!("a {name} where a number, text, list or dict should be")));
    };
    let finite = Number::from_f64(number).map(Value::Number);
    finite.ok_or_else(|| refuse::<InputError>(format!("{number} is not a finite number")))
}

fn write_value<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let items = items.iter().map(|item| write_value(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Object(entries) => {
            let dict = PyDict::new(py);
            for (key, value) in entries {
                dict.set_item(key, write_value(py, value)?)?;
            }
            dict.into_any()
        }
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
    })
}
