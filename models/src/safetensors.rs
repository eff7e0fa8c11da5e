//! The safetensors container: eight bytes of header length, a JSON header, then the tensors' bytes.
//!
//! The only format weights are read from. **Invariant.** Everything the header claims (datatypes, shapes, offsets,
//! total size) is checked against the file and the limits before memory is taken for a tensor; the tensors of a file are
//! exactly what its header describes, without gaps, overlaps or a tail.

mod error;
mod header;
mod shard;
mod write;

use std::collections::BTreeMap;

use ::safetensors::tensor::Dtype;

pub use error::{DIMENSIONS_MAX, FILE_BYTES_MAX, FormatError, ShardError, ShardLimits};
pub use shard::{Datatype, Shard};
pub use write::{NewTensor, write, write_as};

use header::LENGTH_BYTES;

/// A tensor of a checked file; the bytes are borrowed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorView<'a> {
    pub shape: Vec<usize>,
    /// Little-endian `f32`s, row-major; as many as the shape says.
    pub data: &'a [u8],
}

impl TensorView<'_> {
    pub fn to_f32(&self) -> Vec<f32> {
        let (values, _) = self.data.as_chunks::<4>();
        values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

/// Reads a whole file: its tensors by name, all of them `f32`.
///
/// # Errors
/// [`FormatError`] for anything but a well-formed file within the limits.
pub fn read(file: &[u8]) -> Result<BTreeMap<String, TensorView<'_>>, FormatError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(FormatError::FileTooLong { bytes: file.len() });
    }
    let (length, rest) = file.split_first_chunk::<LENGTH_BYTES>().ok_or(FormatError::HeaderCut)?;
    let length = header::length(*length, ShardLimits::SMALL)?;
    let (header, data) = rest.split_at_checked(length).ok_or(FormatError::HeaderCut)?;
    let mut tensors = BTreeMap::new();
    for (name, info) in header::tensors(header, data.len() as u64, ShardLimits::SMALL)? {
        if info.dtype != Dtype::F32 {
            return Err(FormatError::Datatype { name, datatype: info.dtype.to_string(), read: "F32" });
        }
        let (start, end) = info.data_offsets;
        tensors.insert(name, TensorView { shape: info.shape, data: &data[start..end] });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests;
