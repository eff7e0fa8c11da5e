//! Writing of weights files.
//!
//! The crate `safetensors` sorts tensors, and writes metadata in an order that differs from run to run. A file's digest is
//! a model's identity, so ours are written in the order given.

use std::collections::BTreeMap;

use half::bf16;

use super::header::LENGTH_BYTES;
use super::shard::Datatype;

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    /// Row-major, as many as the shape says.
    pub values: &'a [f32],
}

/// Writes a file: tensors in the order given, the header padded with spaces so that the data is aligned to 8 bytes.
/// The same arguments give the same bytes.
pub fn write(tensors: &[NewTensor<'_>], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    write_as(tensors, metadata, Datatype::F32)
}

/// Writes a file like [`write()`], with numbers rounded to bfloat16 (ties to even) if that is the datatype; any other writes `f32`s.
pub fn write_as(
    tensors: &[NewTensor<'_>],
    metadata: &BTreeMap<String, String>,
    datatype: Datatype,
) -> Vec<u8> {
    let (name, width) = if datatype == Datatype::Bf16 { ("BF16", 2) } else { ("F32", 4) };
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
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
            Datatype::Bf16 => file.extend(bf16::from_f32(*value).to_le_bytes()),
            _ => file.extend(value.to_le_bytes()),
        }
    }
    file
}
