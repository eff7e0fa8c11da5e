//! A weights file too large to be held: its header is checked against its length, tensors are read one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use super::{DIMENSIONS_MAX, Entry, FormatError, Header, LENGTH_BYTES};

/// What a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLimits {
    pub header_bytes_max: usize,
    pub tensors_max: usize,
}

impl ShardLimits {
    pub const STANDARD: Self = Self { header_bytes_max: 16 << 20, tensors_max: 16_384 };
}

/// Datatypes of tensors. Floating-point numbers become `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    F32,
    F16,
    Bf16,
    /// Of this many bytes: some files carry a table of positions, which no model reads.
    Other(u8),
}

#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("tensor {name:?} is of datatype {datatype:?}; F32, F16 and BF16 are read")]
    Datatype { name: String, datatype: String },
    #[error("tensor {name:?} holds no floating-point numbers; F32, F16 and BF16 are read")]
    NoFloats { name: String },
    #[error("tensor {name:?} holds a number that is not finite, at {index}")]
    NotFinite { name: String, index: usize },
}

/// A tensor's place in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    datatype: Datatype,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

trait Source: Read + Seek + Send {}
impl<S: Read + Seek + Send> Source for S {}

/// An open weights file whose header has been checked.
pub struct Shard {
    source: Box<dyn Source>,
    spans: BTreeMap<String, Span>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("tensors", &self.spans.len()).finish_non_exhaustive()
    }
}

impl Datatype {
    fn named(name: &str) -> Option<Self> {
        match name {
            "F32" => Some(Self::F32),
            "F16" => Some(Self::F16),
            "BF16" => Some(Self::Bf16),
            "BOOL" | "I8" | "U8" => Some(Self::Other(1)),
            "I16" | "U16" => Some(Self::Other(2)),
            "I32" | "U32" => Some(Self::Other(4)),
            "I64" | "U64" | "F64" => Some(Self::Other(8)),
            _ => None,
        }
    }

    fn width(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(bytes) => u64::from(bytes),
        }
    }
}

impl Shard {
    /// Reads and checks the header; nothing is allocated for a tensor.
    ///
    /// # Errors
    /// A header over its limits, or one that does not describe exactly the file's bytes.
    pub fn open(
        mut source: impl Read + Seek + Send + 'static,
        limits: ShardLimits,
    ) -> Result<Self, ShardError> {
        let total = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut length = [0; LENGTH_BYTES];
        if total < LENGTH_BYTES as u64 {
            return Err(FormatError::HeaderCut.into());
        }
        source.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let data = (total - LENGTH_BYTES as u64).checked_sub(length).ok_or(FormatError::HeaderCut)?;
        let header = usize::try_from(length).ok().filter(|length| *length <= limits.header_bytes_max);
        let mut header = vec![0; header.ok_or(FormatError::HeaderTooLong { bytes: length })?];
        source.read_exact(&mut header)?;
        let Header(entries) = serde_json::from_slice(&header)
            .map_err(|error| FormatError::Header { what: error.to_string() })?;
        if entries.len() > limits.tensors_max {
            return Err(FormatError::TooManyTensors { count: entries.len() }.into());
        }
        let spans = tile(entries, LENGTH_BYTES as u64 + length, data)?;
        Ok(Self { source: Box::new(source), spans })
    }

    /// The tensors by name, with their shapes.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.spans.iter().map(|(name, span)| (&name[..], &span.shape[..]))
    }

    pub fn datatype(&self, name: &str) -> Option<Datatype> {
        self.spans.get(name).map(|span| span.datatype)
    }

    /// The numbers of a tensor, appended to `values`; `false` if there is none of that name.
    ///
    /// # Errors
    /// The file can't be read, or a number in it is not finite.
    pub fn read(&mut self, name: &str, values: &mut Vec<f32>) -> Result<bool, ShardError> {
        let Some(span) = self.spans.get(name) else { return Ok(false) };
        if matches!(span.datatype, Datatype::Other(_)) {
            return Err(ShardError::NoFloats { name: name.to_owned() });
        }
        self.source.seek(SeekFrom::Start(span.start))?;
        let before = values.len();
        let mut left = span.bytes;
        values.reserve_exact(left / span.datatype.width() as usize);
        // In pieces, so that a tensor's bytes and its numbers are never held at once.
        let mut piece = vec![0; left.min(1 << 20)];
        while left > 0 {
            let piece = &mut piece[..left.min(1 << 20)];
            self.source.read_exact(piece)?;
            left -= piece.len();
            match span.datatype {
                Datatype::F32 => {
                    values.extend(piece.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
                }
                Datatype::Bf16 => {
                    let wide = |bytes: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*bytes)) << 16);
                    values.extend(piece.as_chunks().0.iter().map(wide));
                }
                Datatype::F16 => {
                    values.extend(piece.as_chunks().0.iter().map(|bytes| half(u16::from_le_bytes(*bytes))));
                }
                Datatype::Other(_) => {}
            }
        }
        match values[before..].iter().position(|value| !value.is_finite()) {
            Some(index) => Err(ShardError::NotFinite { name: name.to_owned(), index }),
            None => Ok(true),
        }
    }
}

/// IEEE 754 binary16 to binary32, exact.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) =
        (u32::from(bits & 0x8000) << 16, (bits >> 10) & 31, u32::from(bits & 0x3ff));
    match exponent {
        0 => (fraction as f32 / 16_777_216.0).copysign(f32::from_bits(sign)),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (u32::from(exponent) + 112) << 23 | fraction << 13),
    }
}

/// Lays the tensors over the data in the order of their offsets; they must cover it exactly.
fn tile(entries: BTreeMap<String, Entry>, at: u64, data: u64) -> Result<BTreeMap<String, Span>, ShardError> {
    let mut entries: Vec<(String, Entry)> = entries.into_iter().collect();
    entries.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut due = 0;
    let mut spans = BTreeMap::new();
    for (name, entry) in entries {
        let span = check(&name, &entry, at)?;
        let [start, end] = entry.data_offsets;
        if start != due {
            return Err(FormatError::Offset { name, expected: due, actual: start }.into());
        }
        due = end;
        spans.insert(name, span);
    }
    if due != data {
        return Err(FormatError::DataLength { expected: due, actual: data }.into());
    }
    Ok(spans)
}

fn check(name: &str, entry: &Entry, at: u64) -> Result<Span, ShardError> {
    let owned = || name.to_owned();
    let Some(datatype) = Datatype::named(&entry.dtype) else {
        return Err(ShardError::Datatype { name: owned(), datatype: entry.dtype.clone() });
    };
    if entry.shape.len() > DIMENSIONS_MAX {
        return Err(FormatError::TooManyDimensions { name: owned(), dimensions: entry.shape.len() }.into());
    }
    let [start, end] = entry.data_offsets;
    let actual = end.saturating_sub(start);
    let width = u128::from(datatype.width());
    let expected = entry.shape.iter().fold(width, |bytes, size| bytes.saturating_mul(u128::from(*size)));
    let (Ok(bytes), true) = (usize::try_from(actual), expected == u128::from(actual) && start <= end) else {
        return Err(FormatError::Length { name: owned(), expected, actual }.into());
    };
    // No dimension is over the count of elements unless one is 0, so none is cut short here.
    let shape = entry.shape.iter().map(|size| usize::try_from(*size).unwrap_or(usize::MAX)).collect();
    Ok(Span { datatype, shape, start: at.saturating_add(start), bytes })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(datatype: &str, data: &[u8], count: usize) -> Vec<u8> {
        let end = data.len();
        let header =
            format!(r#"{{"t":{{"dtype":"{datatype}","shape":[{count}],"data_offsets":[0,{end}]}}}}"#);
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend(data);
        file
    }

    fn values(file: Vec<u8>) -> Result<Vec<f32>, ShardError> {
        let mut values = Vec::new();
        Shard::open(Cursor::new(file), ShardLimits::STANDARD)?.read("t", &mut values)?;
        Ok(values)
    }

    #[test]
    fn every_datatype_is_read_exactly() {
        let numbers = |bits: &[u16]| bits.iter().flat_map(|bits| bits.to_le_bytes()).collect::<Vec<u8>>();
        let halves = numbers(&[0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x2e66]);
        let expected = [1.0, -2.0, 5.960_464_5e-8, -0.0, 65_504.0, 0.099_975_586];
        assert_eq!(values(file("F16", &halves, 6)).expect("F16"), expected);
        assert_eq!(values(file("BF16", &numbers(&[0x3f80, 0xc000]), 2)).expect("BF16"), [1.0, -2.0]);
        assert_eq!(values(file("F32", &1.5_f32.to_le_bytes(), 1)).expect("F32"), [1.5]);
    }

    #[test]
    fn what_a_file_claims_is_checked_before_anything_is_read() {
        let sound = file("F32", &[0; 8], 2);
        for cut in 0..sound.len() {
            assert!(values(sound[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        assert!(values([&sound[..], &[0]].concat()).is_err());
        assert!(matches!(values(file("I64", &[0; 8], 1)), Err(ShardError::NoFloats { .. })));
        assert!(matches!(values(file("F8_E4M3", &[0; 8], 8)), Err(ShardError::Datatype { .. })));
        assert!(matches!(values(file("F32", &[0; 8], usize::MAX)), Err(ShardError::Format(_))));
        let infinite = values(file("F16", &0x7c00_u16.to_le_bytes(), 1));
        assert!(matches!(infinite, Err(ShardError::NotFinite { index: 0, .. })));
        let small = ShardLimits { header_bytes_max: 8, tensors_max: 1 };
        assert!(Shard::open(Cursor::new(sound), small).is_err());
    }
}
