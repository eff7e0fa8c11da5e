//! The safetensors container: eight bytes of header length, a JSON header, then the tensors' bytes.
//!
//! The only format weights are read from. **Invariant.** Everything the header claims (datatypes, shapes, offsets,
//! total size) is checked against the file and the limits below before memory is taken for a tensor; what a file
//! holds must be exactly what its header describes, without gaps, overlaps or a tail.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

mod shard;

pub use shard::{Datatype, Shard, ShardError, ShardLimits};

/// Longest file that is looked at.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// Longest JSON header.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Most tensors in a file.
pub const TENSORS_MAX: usize = 64;
/// Most dimensions of a tensor.
pub const DIMENSIONS_MAX: usize = 4;

const LENGTH_BYTES: usize = 8;
const METADATA: &str = "__metadata__";
const F32: &str = "F32";

/// Why bytes are no weights file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("the file has {bytes} bytes, over the limit of {FILE_BYTES_MAX}")]
    FileTooLong { bytes: usize },
    #[error("the file ends within its header")]
    HeaderCut,
    #[error("the header claims {bytes} bytes, over the limit of {HEADER_BYTES_MAX}")]
    HeaderTooLong { bytes: u64 },
    #[error("the header is not the JSON it should be: {what}")]
    Header { what: String },
    #[error("the file has {count} tensors, over the limit of {TENSORS_MAX}")]
    TooManyTensors { count: usize },
    #[error("tensor {name:?} is of datatype {datatype:?}, only F32 is read")]
    Datatype { name: String, datatype: String },
    #[error("tensor {name:?} has {dimensions} dimensions, over the limit of {DIMENSIONS_MAX}")]
    TooManyDimensions { name: String, dimensions: usize },
    #[error("tensor {name:?}: its shape needs {expected} bytes, its offsets span {actual}")]
    Length { name: String, expected: u128, actual: u64 },
    #[error("tensor {name:?} starts at byte {actual} of the data, where {expected} was due")]
    Offset { name: String, expected: u64, actual: u64 },
    #[error("the header describes {expected} bytes of data, the file has {actual}")]
    DataLength { expected: u64, actual: u64 },
}

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

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub values: &'a [f32],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Reads a whole file: its tensors by name.
///
/// # Errors
/// [`FormatError`] for anything but a well-formed file within the limits.
pub fn read(file: &[u8]) -> Result<BTreeMap<String, TensorView<'_>>, FormatError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(FormatError::FileTooLong { bytes: file.len() });
    }
    let (length, rest) = file.split_first_chunk::<LENGTH_BYTES>().ok_or(FormatError::HeaderCut)?;
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().filter(|length| *length <= HEADER_BYTES_MAX);
    let header = header.ok_or(FormatError::HeaderTooLong { bytes: length })?;
    let (header, data) = rest.split_at_checked(header).ok_or(FormatError::HeaderCut)?;
    let header: Header =
        serde_json::from_slice(header).map_err(|error| FormatError::Header { what: error.to_string() })?;
    if header.0.len() > TENSORS_MAX {
        return Err(FormatError::TooManyTensors { count: header.0.len() });
    }
    tile(header.0, data)
}

/// Lays the tensors over the data in the order of their offsets; they must cover it exactly.
fn tile(
    header: BTreeMap<String, Entry>,
    mut data: &[u8],
) -> Result<BTreeMap<String, TensorView<'_>>, FormatError> {
    let total = data.len() as u64;
    let mut entries: Vec<(String, Entry)> = header.into_iter().collect();
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut due = 0;
    let mut tensors = BTreeMap::new();
    for (name, entry) in entries {
        let bytes = checked_length(&name, &entry)?;
        let start = entry.data_offsets[0];
        if start != due {
            return Err(FormatError::Offset { name, expected: due, actual: start });
        }
        due = start.saturating_add(bytes);
        let at = usize::try_from(bytes).ok().and_then(|bytes| data.split_at_checked(bytes));
        let (own, rest) = at.ok_or(FormatError::DataLength { expected: due, actual: total })?;
        data = rest;
        // Each dimension is at most the tensor's element count unless one is 0, so none is cut short here.
        let shape =
            entry.shape.iter().map(|dimension| usize::try_from(*dimension).unwrap_or(usize::MAX)).collect();
        tensors.insert(name, TensorView { shape, data: own });
    }
    if !data.is_empty() {
        return Err(FormatError::DataLength { expected: due, actual: total });
    }
    Ok(tensors)
}

fn checked_length(name: &str, entry: &Entry) -> Result<u64, FormatError> {
    let name = || name.to_owned();
    if entry.dtype != F32 {
        return Err(FormatError::Datatype { name: name(), datatype: entry.dtype.clone() });
    }
    if entry.shape.len() > DIMENSIONS_MAX {
        return Err(FormatError::TooManyDimensions { name: name(), dimensions: entry.shape.len() });
    }
    let [start, end] = entry.data_offsets;
    let actual = end.saturating_sub(start);
    let expected =
        entry.shape.iter().fold(4_u128, |bytes, dimension| bytes.saturating_mul(u128::from(*dimension)));
    if expected != u128::from(actual) || end < start {
        return Err(FormatError::Length { name: name(), expected, actual });
    }
    Ok(actual)
}

/// Writes a file: tensors in the order given, the header padded with spaces so that the data is aligned to 8 bytes.
/// The same arguments give the same bytes.
pub fn write(tensors: &[NewTensor<'_>], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    write_as(tensors, metadata, Datatype::F32)
}

/// As [`write()`], with numbers rounded to bfloat16 (ties to even) if that is the datatype; any other writes `f32`s.
pub fn write_as(
    tensors: &[NewTensor<'_>],
    metadata: &BTreeMap<String, String>,
    datatype: Datatype,
) -> Vec<u8> {
    let (name, width) = if datatype == Datatype::Bf16 { ("BF16", 2) } else { (F32, 4) };
    let mut header = serde_json::Map::new();
    header.insert(METADATA.to_owned(), serde_json::json!(metadata));
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + width * tensor.values.len();
        let entry =
            serde_json::json!({ "dtype": name, "shape": tensor.shape, "data_offsets": [offset, end] });
        header.insert(tensor.name.clone(), entry);
        offset = end;
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    for value in tensors.iter().flat_map(|tensor| tensor.values) {
        match datatype {
            Datatype::Bf16 => file.extend(crate::precision::bfloat16(*value).to_le_bytes()),
            _ => file.extend(value.to_le_bytes()),
        }
    }
    file
}

/// The header without its metadata. A name that occurs twice is refused: JSON readers disagree on which one counts.
struct Header(BTreeMap<String, Entry>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == METADATA {
                        map.next_value::<BTreeMap<String, String>>()?;
                        continue;
                    }
                    match entries.entry(name) {
                        MapEntry::Vacant(vacant) => vacant.insert(map.next_value()?),
                        MapEntry::Occupied(twice) => {
                            return Err(A::Error::custom(format!("tensor {:?} occurs twice", twice.key())));
                        }
                    };
                }
                Ok(Header(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests;
