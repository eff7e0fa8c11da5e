//! Tensors and inference messages, free of any wire format.

mod plain;

use ndarray::Array2;
use parity_scale_codec::{Decode, Encode};

/// The datatypes of the Open Inference Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Fp32,
    Fp64,
    Bf16,
    /// Elements of any length, each behind its length as four little-endian bytes.
    Bytes,
}

impl Datatype {
    const NAMES: [(Self, &'static str); 14] = [
        (Self::Bool, "BOOL"),
        (Self::Uint8, "UINT8"),
        (Self::Uint16, "UINT16"),
        (Self::Uint32, "UINT32"),
        (Self::Uint64, "UINT64"),
        (Self::Int8, "INT8"),
        (Self::Int16, "INT16"),
        (Self::Int32, "INT32"),
        (Self::Int64, "INT64"),
        (Self::Fp16, "FP16"),
        (Self::Fp32, "FP32"),
        (Self::Fp64, "FP64"),
        (Self::Bf16, "BF16"),
        (Self::Bytes, "BYTES"),
    ];

    /// The protocol's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(datatype, _)| *datatype == self).map_or("", |(_, name)| name)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, other)| *other == name).map(|(datatype, _)| *datatype)
    }

    /// Bytes per element; `None` for [`Datatype::Bytes`].
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Fp32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }
}

/// A tensor whose shape, datatype and byte length agree. Elements are little-endian, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    name: String,
    datatype: Datatype,
    shape: Vec<u64>,
    data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    #[error("tensor {name:?}: unknown datatype {datatype:?}")]
    Datatype { name: String, datatype: String },
    #[error("tensor {name:?}: negative dimension {dimension}")]
    NegativeDimension { name: String, dimension: i64 },
    #[error("tensor {name:?}: the shape has too many elements")]
    TooManyElements { name: String },
    #[error("tensor {name:?}: shape and datatype need {expected} bytes, it has {actual}")]
    Length { name: String, expected: usize, actual: usize },
    #[error("tensor {name:?}: shape needs {expected} elements, it has {actual}")]
    Count { name: String, expected: usize, actual: usize },
    #[error("tensor {name:?}: expected {expected}, it is {actual}")]
    Kind { name: String, expected: &'static str, actual: &'static str },
    #[error("tensor {name:?}: expected rows and columns, its shape is {shape:?}")]
    Rank { name: String, shape: Vec<u64> },
    #[error("tensor {name:?}: element {element} runs past the end")]
    Element { name: String, element: usize },
    #[error("no tensor named {name:?}")]
    Missing { name: String },
    #[error("{0}")]
    Contents(String),
}

impl Tensor {
    pub fn new(
        name: String,
        datatype: Datatype,
        shape: Vec<u64>,
        data: Vec<u8>,
    ) -> Result<Self, TensorError> {
        let Some(count) = element_count(&shape) else {
            return Err(TensorError::TooManyElements { name });
        };
        match datatype.size() {
            Some(size) => {
                let Some(expected) = count.checked_mul(size) else {
                    return Err(TensorError::TooManyElements { name });
                };
                if expected != data.len() {
                    return Err(TensorError::Length { name, expected, actual: data.len() });
                }
            }
            // Checked here once, so that readers of the elements need not.
            None => check_bytes_elements(&name, &data, count)?,
        }
        Ok(Self { name, datatype, shape, data })
    }

    pub fn from_f32(name: &str, shape: Vec<u64>, values: &[f32]) -> Result<Self, TensorError> {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name.to_owned(), Datatype::Fp32, shape, data)
    }

    pub fn from_i64(name: &str, shape: Vec<u64>, values: &[i64]) -> Result<Self, TensorError> {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name.to_owned(), Datatype::Int64, shape, data)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn datatype(&self) -> Datatype {
        self.datatype
    }

    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }

    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The values of an FP32 tensor of two dimensions as a table, NaN and infinities included.
    pub fn matrix(&self) -> Result<Array2<f32>, TensorError> {
        let values = self.to_f32()?;
        let rank = || TensorError::Rank { name: self.name.clone(), shape: self.shape.clone() };
        let &[rows, columns] = &self.shape[..] else { return Err(rank()) };
        let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
            return Err(rank());
        };
        Array2::from_shape_vec((rows, columns), values).map_err(|_| rank())
    }

    /// The values of an FP32 tensor, NaN and infinities included: the reader decides what they are worth.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        self.is_of(Datatype::Fp32)?;
        let (values, _) = self.data.as_chunks::<4>();
        Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

fn element_count(shape: &[u64]) -> Option<usize> {
    // A zero dimension makes the product 0 whatever the others are, but those others must still be sane.
    let product = shape.iter().try_fold(1_u64, |count, dimension| count.checked_mul(*dimension))?;
    usize::try_from(product).ok()
}

fn check_bytes_elements(name: &str, data: &[u8], count: usize) -> Result<(), TensorError> {
    let mut rest = data;
    let mut element = 0;
    while !rest.is_empty() {
        let past_end = || TensorError::Element { name: name.to_owned(), element };
        let (length, tail) = rest.split_first_chunk::<4>().ok_or_else(past_end)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| past_end())?;
        rest = tail.get(length..).ok_or_else(past_end)?;
        element += 1;
    }
    if element != count {
        return Err(TensorError::Count { name: name.to_owned(), expected: count, actual: element });
    }
    Ok(())
}

/// A request to a model: named tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferRequest {
    pub model: String,
    /// Empty: the server's choice.
    pub version: String,
    /// Echoed in the answer.
    pub id: String,
    pub inputs: Vec<Tensor>,
    /// Names of the wanted outputs; empty: all.
    pub outputs: Vec<String>,
}

/// A model's answer: named tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferAnswer {
    pub model: String,
    pub version: String,
    pub id: String,
    pub outputs: Vec<Tensor>,
}

impl InferRequest {
    /// A question that names no model yet.
    pub fn asking(inputs: Vec<Tensor>, outputs: &[&str]) -> Self {
        let outputs = outputs.iter().map(|name| (*name).to_owned()).collect();
        Self { model: String::new(), version: String::new(), id: String::new(), inputs, outputs }
    }

    /// The answer to it that carries these outputs.
    pub fn answered(&self, outputs: Vec<Tensor>) -> InferAnswer {
        let Self { model, version, id, .. } = self.clone();
        InferAnswer { model, version, id, outputs }
    }

    pub fn input(&self, name: &str) -> Result<&Tensor, TensorError> {
        find(&self.inputs, name)
    }
}

impl InferAnswer {
    pub fn output(&self, name: &str) -> Result<&Tensor, TensorError> {
        find(&self.outputs, name)
    }
}

fn find<'a>(tensors: &'a [Tensor], name: &str) -> Result<&'a Tensor, TensorError> {
    tensors
        .iter()
        .find(|tensor| tensor.name == name)
        .ok_or_else(|| TensorError::Missing { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(shape: Vec<u64>, data: &[u8]) -> Result<Tensor, TensorError> {
        Tensor::new("t".into(), Datatype::Bytes, shape, data.to_vec())
    }

    #[test]
    fn shapes_that_lie_are_refused() {
        assert!(Tensor::from_f32("t", vec![2, 2], &[0.0; 4]).is_ok());
        assert!(matches!(Tensor::from_f32("t", vec![2, 3], &[0.0; 4]), Err(TensorError::Length { .. })));
        let huge = Tensor::from_f32("t", vec![u64::MAX, 2], &[]);
        assert!(matches!(huge, Err(TensorError::TooManyElements { .. })));
        let huge = Tensor::from_f32("t", vec![1 << 62], &[]);
        assert!(matches!(huge, Err(TensorError::TooManyElements { .. })));
    }

    #[test]
    fn a_table_has_rows_and_columns_and_nothing_else_is_one() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, f32::INFINITY];
        let table = Tensor::from_f32("t", vec![2, 3], &values).and_then(|tensor| tensor.matrix());
        let table = table.expect("a table");
        assert_eq!((table.dim(), table[[1, 0]], table[[1, 2]]), ((2, 3), 4.0, f32::INFINITY));
        let empty = Tensor::from_f32("t", vec![0, 10], &[]).and_then(|tensor| tensor.matrix());
        assert_eq!(empty.expect("no rows").dim(), (0, 10));
        for shape in [vec![6], vec![1, 2, 3]] {
            let other = Tensor::from_f32("t", shape, &values).expect("a tensor");
            assert!(matches!(other.matrix(), Err(TensorError::Rank { .. })));
        }
        assert!(matches!(bytes(vec![0, 0], &[]).expect("bytes").matrix(), Err(TensorError::Kind { .. })));
    }

    #[test]
    fn bytes_elements_are_walked() {
        assert!(bytes(vec![2], &[1, 0, 0, 0, b'a', 0, 0, 0, 0]).is_ok());
        assert!(matches!(bytes(vec![1], &[9, 0, 0, 0, b'a']), Err(TensorError::Element { element: 0, .. })));
        assert!(matches!(bytes(vec![1], &[1, 0]), Err(TensorError::Element { .. })));
        assert!(matches!(
            bytes(vec![2], &[0, 0, 0, 0]),
            Err(TensorError::Count { expected: 2, actual: 1, .. })
        ));
    }

    #[test]
    fn names_cover_every_datatype() {
        for (datatype, name) in Datatype::NAMES {
            assert_eq!(Datatype::from_name(name), Some(datatype));
            assert_eq!(datatype.name(), name);
        }
    }
}
