//! Typed tensor contents to the little-endian bytes that a domain tensor holds.

use weighhouse_types::{Datatype, TensorError};

use crate::inference::InferTensorContents;

/// The bytes of `contents` under `datatype`. Any element in a field that another datatype uses is an error, and so is
/// one that does not fit the datatype's width.
pub(crate) fn to_bytes(
    name: &str,
    datatype: Datatype,
    contents: &InferTensorContents,
) -> Result<Vec<u8>, TensorError> {
    let Some(expected) = field_of(datatype) else {
        return Err(TensorError::Contents(format!(
            "tensor {name:?}: {} travels as raw contents only",
            datatype.name()
        )));
    };
    if let Some(actual) = filled(contents).into_iter().flatten().find(|field| *field != expected) {
        return Err(TensorError::Kind { name: name.to_owned(), expected, actual });
    }
    match datatype {
        Datatype::Bool => Ok(contents.bool_contents.iter().map(|value| u8::from(*value)).collect()),
        Datatype::Int8 => narrow::<_, i8, 1>(name, datatype, &contents.int_contents, i8::to_le_bytes),
        Datatype::Int16 => narrow::<_, i16, 2>(name, datatype, &contents.int_contents, i16::to_le_bytes),
        Datatype::Int32 => Ok(wide(&contents.int_contents, i32::to_le_bytes)),
        Datatype::Int64 => Ok(wide(&contents.int64_contents, i64::to_le_bytes)),
        Datatype::Uint8 => narrow::<_, u8, 1>(name, datatype, &contents.uint_contents, u8::to_le_bytes),
        Datatype::Uint16 => narrow::<_, u16, 2>(name, datatype, &contents.uint_contents, u16::to_le_bytes),
        Datatype::Uint32 => Ok(wide(&contents.uint_contents, u32::to_le_bytes)),
        Datatype::Uint64 => Ok(wide(&contents.uint64_contents, u64::to_le_bytes)),
        Datatype::Fp32 => Ok(wide(&contents.fp32_contents, f32::to_le_bytes)),
        Datatype::Fp64 => Ok(wide(&contents.fp64_contents, f64::to_le_bytes)),
        Datatype::Bytes => prefixed(name, &contents.bytes_contents),
        // Never reached: no field carries them, which was refused above.
        Datatype::Fp16 | Datatype::Bf16 => Ok(Vec::new()),
    }
}

/// The field that carries a datatype; `None` for those that have none.
fn field_of(datatype: Datatype) -> Option<&'static str> {
    match datatype {
        Datatype::Bool => Some("bool_contents"),
        Datatype::Int8 | Datatype::Int16 | Datatype::Int32 => Some("int_contents"),
        Datatype::Int64 => Some("int64_contents"),
        Datatype::Uint8 | Datatype::Uint16 | Datatype::Uint32 => Some("uint_contents"),
        Datatype::Uint64 => Some("uint64_contents"),
        Datatype::Fp32 => Some("fp32_contents"),
        Datatype::Fp64 => Some("fp64_contents"),
        Datatype::Bytes => Some("bytes_contents"),
        Datatype::Fp16 | Datatype::Bf16 => None,
    }
}

fn filled(contents: &InferTensorContents) -> [Option<&'static str>; 8] {
    [
        (!contents.bool_contents.is_empty()).then_some("bool_contents"),
        (!contents.int_contents.is_empty()).then_some("int_contents"),
        (!contents.int64_contents.is_empty()).then_some("int64_contents"),
        (!contents.uint_contents.is_empty()).then_some("uint_contents"),
        (!contents.uint64_contents.is_empty()).then_some("uint64_contents"),
        (!contents.fp32_contents.is_empty()).then_some("fp32_contents"),
        (!contents.fp64_contents.is_empty()).then_some("fp64_contents"),
        (!contents.bytes_contents.is_empty()).then_some("bytes_contents"),
    ]
}

fn wide<T: Copy, const N: usize>(values: &[T], to_le_bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| to_le_bytes(*value)).collect()
}

fn narrow<W: Copy + std::fmt::Display, T: TryFrom<W>, const N: usize>(
    name: &str,
    datatype: Datatype,
    values: &[W],
    to_le_bytes: fn(T) -> [u8; N],
) -> Result<Vec<u8>, TensorError> {
    let mut bytes = Vec::with_capacity(values.len() * N);
    for value in values {
        let fits = T::try_from(*value).map_err(|_| {
            TensorError::Contents(format!("tensor {name:?}: {value} does not fit {}", datatype.name()))
        })?;
        bytes.extend(to_le_bytes(fits));
    }
    Ok(bytes)
}

fn prefixed(name: &str, elements: &[Vec<u8>]) -> Result<Vec<u8>, TensorError> {
    let mut bytes = Vec::with_capacity(elements.iter().map(|element| 4 + element.len()).sum());
    for (index, element) in elements.iter().enumerate() {
        let length = u32::try_from(element.len())
            .map_err(|_| TensorError::Contents(format!("tensor {name:?}: element {index} is over 4 GiB")))?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(element);
    }
    Ok(bytes)
}
