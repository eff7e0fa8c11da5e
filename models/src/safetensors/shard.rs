//! A weights file too large to be held: its header is checked against its length, tensors are read one at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};

use ::safetensors::tensor::{Dtype, TensorInfo};
use half::{bf16, f16};

use super::error::{FormatError, ShardError, ShardLimits};
use super::header::{self, LENGTH_BYTES};

/// Datatypes of tensors. Floating-point numbers become `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    F32,
    F16,
    Bf16,
    F64,
    /// Another: some files carry a table of positions, which no model reads.
    Other,
}

/// A tensor's place in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    datatype: Datatype,
    shape: Vec<usize>,
    start: u64,
    bytes: usize,
}

trait ShardSource: Read + Seek + Send {}
impl<S: Read + Seek + Send> ShardSource for S {}

/// An open weights file whose header has been checked.
pub struct Shard {
    source: Box<dyn ShardSource>,
    spans: BTreeMap<String, Span>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("tensors", &self.spans.len()).finish_non_exhaustive()
    }
}

impl Datatype {
    fn of(datatype: Dtype) -> Self {
        match datatype {
            Dtype::F32 => Self::F32,
            Dtype::F16 => Self::F16,
            Dtype::BF16 => Self::Bf16,
            Dtype::F64 => Self::F64,
            _ => Self::Other,
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
        let rest = total.checked_sub(LENGTH_BYTES as u64).ok_or(FormatError::HeaderCut)?;
        source.read_exact(&mut length)?;
        let length = header::length(length, limits)?;
        let data = rest.checked_sub(length as u64).ok_or(FormatError::HeaderCut)?;
        let mut bytes = vec![0; length];
        source.read_exact(&mut bytes)?;
        let at = (LENGTH_BYTES + length) as u64;
        let span = |info: TensorInfo| {
            let (start, end) = info.data_offsets;
            let datatype = Datatype::of(info.dtype);
            Span { datatype, shape: info.shape, start: at + start as u64, bytes: end - start }
        };
        let tensors = header::tensors(&bytes, data, limits)?;
        let spans = tensors.into_iter().map(|(name, info)| (name, span(info))).collect();
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
        if matches!(span.datatype, Datatype::Other) {
            return Err(ShardError::NoFloats { name: name.to_owned() });
        }
        self.source.seek(SeekFrom::Start(span.start))?;
        let before = values.len();
        let mut left = span.bytes;
        // Exactly: growing by doubling would take a large tensor's size once more.
        values.reserve_exact(span.shape.iter().product());
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
                    values
                        .extend(piece.as_chunks().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f32()));
                }
                Datatype::F16 => {
                    values
                        .extend(piece.as_chunks().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()));
                }
                Datatype::F64 => {
                    values.extend(piece.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32));
                }
                Datatype::Other => {}
            }
        }
        match values[before..].iter().position(|value| !value.is_finite()) {
            Some(index) => Err(ShardError::NotFinite { name: name.to_owned(), index }),
            None => Ok(true),
        }
    }
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
        assert_eq!(values(file("F64", &(-0.75_f64).to_le_bytes(), 1)).expect("F64"), [-0.75]);
    }

    #[test]
    fn what_a_file_claims_is_checked_before_anything_is_read() {
        let sound = file("F32", &[0; 8], 2);
        for cut in 0..sound.len() {
            assert!(values(sound[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        assert!(values([&sound[..], &[0]].concat()).is_err());
        assert!(matches!(values(file("I64", &[0; 8], 1)), Err(ShardError::NoFloats { .. })));
        assert!(matches!(values(file("F8_E4M3", &[0; 8], 8)), Err(ShardError::NoFloats { .. })));
        assert!(matches!(
            values(file("F12", &[0; 8], 8)),
            Err(ShardError::Format(FormatError::Header { .. }))
        ));
        assert!(matches!(values(file("F32", &[0; 8], usize::MAX)), Err(ShardError::Format(_))));
        let infinite = values(file("F16", &0x7c00_u16.to_le_bytes(), 1));
        assert!(matches!(infinite, Err(ShardError::NotFinite { index: 0, .. })));
        let small = ShardLimits { header_bytes_max: 8, tensors_max: 1 };
        assert!(Shard::open(Cursor::new(sound), small).is_err());
    }
}
