//! Single values and plain lists in tensors.

use super::error::TextError;
use crate::{Datatype, Tensor, TensorError};

/// A tensor with one element, whose shape is `[1]` or `[1, 1]`: clients send both.
pub(super) fn one<'a>(
    tensor: &'a Tensor,
    name: &'static str,
    datatype: Datatype,
) -> Result<&'a [u8], TextError> {
    check_datatype(tensor, datatype)?;
    if !matches!(tensor.shape(), [1] | [1, 1]) {
        return Err(shape(tensor, name, "[1]"));
    }
    Ok(tensor.data())
}

/// A list: `[n]`, or `[1, n]` from clients that add a batch dimension.
pub(super) fn list<'a>(
    tensor: &'a Tensor,
    name: &'static str,
    datatype: Datatype,
) -> Result<&'a [u8], TextError> {
    check_datatype(tensor, datatype)?;
    if !matches!(tensor.shape(), [_] | [1, _]) {
        return Err(shape(tensor, name, "[n]"));
    }
    Ok(tensor.data())
}

/// A table's rows and columns.
pub(super) fn table(
    tensor: &Tensor,
    name: &'static str,
    datatype: Datatype,
) -> Result<(usize, usize), TextError> {
    check_datatype(tensor, datatype)?;
    match tensor.shape() {
        // The tensor's bytes agree with its shape, but a dimension beside a zero can be anything.
        &[rows, columns] => match (usize::try_from(rows), usize::try_from(columns)) {
            (Ok(rows), Ok(columns)) => Ok((rows, columns)),
            _ => Err(shape(tensor, name, "[n, k]")),
        },
        _ => Err(shape(tensor, name, "[n, k]")),
    }
}

pub(super) fn shape(tensor: &Tensor, name: &'static str, expected: &'static str) -> TextError {
    TextError::Shape { name, shape: tensor.shape().to_vec(), expected }
}

fn check_datatype(tensor: &Tensor, datatype: Datatype) -> Result<(), TensorError> {
    if tensor.datatype() == datatype {
        return Ok(());
    }
    Err(TensorError::Kind {
        name: tensor.name().to_owned(),
        expected: datatype.name(),
        actual: tensor.datatype().name(),
    })
}

pub(super) fn read_i32(tensor: &Tensor, name: &'static str) -> Result<i32, TextError> {
    // A tensor of one element has its bytes, so that the default is never used.
    Ok(ints(one(tensor, name, Datatype::Int32)?).next().unwrap_or_default())
}

pub(super) fn read_f32(tensor: &Tensor, name: &'static str) -> Result<f32, TextError> {
    Ok(floats(one(tensor, name, Datatype::Fp32)?).next().unwrap_or_default())
}

pub(super) fn read_u64(tensor: &Tensor, name: &'static str) -> Result<u64, TextError> {
    let bytes = one(tensor, name, Datatype::Uint64)?;
    Ok(bytes.first_chunk().copied().map_or(0, u64::from_le_bytes))
}

pub(super) fn read_bool(tensor: &Tensor, name: &'static str) -> Result<bool, TextError> {
    match one(tensor, name, Datatype::Bool)? {
        [0] => Ok(false),
        [1] => Ok(true),
        other => {
            let value = other.first().copied().unwrap_or_default().to_string();
            Err(TextError::Range { name, value, allowed: "0 or 1".into() })
        }
    }
}

pub(super) fn read_text(tensor: &Tensor, name: &'static str) -> Result<String, TextError> {
    let mut found = elements(one(tensor, name, Datatype::Bytes)?);
    text(found.next().unwrap_or_default(), name)
}

pub(super) fn text(bytes: &[u8], name: &'static str) -> Result<String, TextError> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| TextError::Utf8 { name })
}

pub(super) fn ints(data: &[u8]) -> impl Iterator<Item = i32> {
    data.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes))
}

pub(super) fn floats(data: &[u8]) -> impl Iterator<Item = f32> {
    data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

/// The elements of a BYTES tensor, whose lengths were checked when it was made.
pub(super) fn elements(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (element, tail) = tail.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        rest = tail;
        Some(element)
    })
}

pub(super) fn write_i32(
    name: &str,
    shape: Vec<u64>,
    values: impl IntoIterator<Item = i32>,
) -> Result<Tensor, TensorError> {
    let data = values.into_iter().flat_map(i32::to_le_bytes).collect();
    Tensor::new(name.to_owned(), Datatype::Int32, shape, data)
}

pub(super) fn write_bool(name: &str, value: bool) -> Result<Tensor, TensorError> {
    Tensor::new(name.to_owned(), Datatype::Bool, vec![1], vec![u8::from(value)])
}

pub(super) fn write_u64(name: &str, value: u64) -> Result<Tensor, TensorError> {
    Tensor::new(name.to_owned(), Datatype::Uint64, vec![1], value.to_le_bytes().to_vec())
}

pub(super) fn write_texts<'a>(
    name: &str,
    texts: impl ExactSizeIterator<Item = &'a str>,
) -> Result<Tensor, TensorError> {
    let count = texts.len() as u64;
    let mut data = Vec::new();
    for text in texts {
        let length =
            // The protocol has 32 bits for an element's length.
            u32::try_from(text.len()).map_err(|_| TensorError::TooManyElements { name: name.to_owned() })?;
        data.extend_from_slice(&length.to_le_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    Tensor::new(name.to_owned(), Datatype::Bytes, vec![count], data)
}

/// A token id or count as the protocol writes it.
pub(super) fn signed(name: &'static str, value: u32) -> Result<i32, TextError> {
    i32::try_from(value).map_err(|_| TextError::Range {
        name,
        value: value.to_string(),
        allowed: format!("0 to {}", i32::MAX),
    })
}

/// The inverse of [`signed`].
pub(super) fn unsigned(name: &'static str, value: i32) -> Result<u32, TextError> {
    u32::try_from(value).map_err(|_| TextError::Range {
        name,
        value: value.to_string(),
        allowed: format!("0 to {}", i32::MAX),
    })
}

pub(super) fn at_most(
    name: &'static str,
    unit: &'static str,
    actual: usize,
    max: usize,
) -> Result<(), TextError> {
    if actual <= max { Ok(()) } else { Err(TextError::TooMany { name, unit, actual, max }) }
}
