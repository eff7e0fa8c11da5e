//! The JSON header, read by the crate `safetensors` within our limits.
//!
//! The crate checks that shapes, datatypes and offsets fit each other and leave no gap and no overlap. What it doesn't
//! see is checked first: how many tensors there are, and whether a name occurs twice, where JSON readers disagree on which
//! one counts.

use std::collections::BTreeSet;
use std::fmt;

use ::safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::{DIMENSIONS_MAX, FormatError, ShardLimits};

/// Bytes before the header: its length.
pub(super) const LENGTH_BYTES: usize = 8;
const METADATA: &str = "__metadata__";

/// The header's length, if it is within its limit.
pub(super) fn length(bytes: [u8; LENGTH_BYTES], limits: ShardLimits) -> Result<usize, FormatError> {
    let bytes = u64::from_le_bytes(bytes);
    let limit = limits.header_bytes_max;
    let within = usize::try_from(bytes).ok().filter(|length| *length <= limit);
    within.ok_or(FormatError::HeaderTooLong { bytes, limit })
}

/// The tensors in the order of their offsets; together they are exactly the file's `data` bytes.
pub(super) fn tensors(
    header: &[u8],
    data: u64,
    limits: ShardLimits,
) -> Result<Vec<(String, TensorInfo)>, FormatError> {
    let refuse = |error: serde_json::Error| FormatError::Header { what: error.to_string() };
    let Names(names) = serde_json::from_slice(header).map_err(refuse)?;
    if names.len() > limits.tensors_max {
        return Err(FormatError::TooManyTensors { count: names.len(), limit: limits.tensors_max });
    }
    let metadata: Metadata = serde_json::from_slice(header).map_err(refuse)?;
    let expected = metadata.data_len() as u64;
    if expected != data {
        return Err(FormatError::DataLength { expected, actual: data });
    }
    let mut tensors = Vec::with_capacity(names.len());
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        if info.shape.len() > DIMENSIONS_MAX {
            return Err(FormatError::TooManyDimensions { name, dimensions: info.shape.len() });
        }
        tensors.push((name, info.clone()));
    }
    Ok(tensors)
}

/// The names of a header's tensors, each once.
struct Names(BTreeSet<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                    if name != METADATA && names.contains(&name) {
                        return Err(A::Error::custom(format!("tensor {name:?} occurs twice")));
                    }
                    if name != METADATA {
                        names.insert(name);
                    }
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}
