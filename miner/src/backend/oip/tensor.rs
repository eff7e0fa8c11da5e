//! Values as a server wants them: in its datatype and shape.

use weighhouse_types::{Datatype, Tensor};

use crate::engine::TensorSpec;

/// A value on its way into a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Texts(Vec<String>),
    Numbers(Vec<f64>),
}

impl Value {
    pub(super) fn number(value: impl Into<f64>) -> Self {
        Self::Numbers(vec![value.into()])
    }

    /// A flag is the number 0 or 1, which any datatype of numbers has.
    pub(super) fn flag(value: bool) -> Self {
        Self::Numbers(vec![f64::from(u8::from(value))])
    }

    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }

    /// The tensor, or why there can't be one.
    pub(super) fn tensor(&self, spec: &TensorSpec) -> Result<Tensor, String> {
        let shape = shape(spec, self.len() as u64)?;
        let data = match (self, spec.datatype) {
            (Self::Texts(texts), Datatype::Bytes) => {
                let texts = Tensor::texts(&spec.name, texts).map_err(|error| error.to_string())?;
                texts.into_data()
            }
            (Self::Numbers(numbers), datatype) => {
                let bytes = numbers.iter().map(|number| bytes(*number, datatype));
                let bytes: Option<Vec<_>> = bytes.collect();
                bytes.ok_or_else(|| unfit(spec, "a number"))?.concat()
            }
            (Self::Texts(_), _) => return Err(unfit(spec, "a text")),
        };
        Tensor::new(spec.name.clone(), spec.datatype, shape, data).map_err(|error| error.to_string())
    }
}

fn unfit(spec: &TensorSpec, wanted: &str) -> String {
    format!("its input {:?} is {}, where {wanted} is to go", spec.name, spec.datatype.name())
}

/// The spec's shape with `count` elements: in its last dimension of any size, 1 in all others.
fn shape(spec: &TensorSpec, count: u64) -> Result<Vec<u64>, String> {
    let free = spec.shape.iter().rposition(Option::is_none);
    // Where only the batch is of any size, a list would become a batch of single values.
    let free = free.filter(|at| *at > 0 || spec.shape.len() == 1);
    let size = |(at, size): (usize, &Option<u64>)| match size {
        None if Some(at) == free => count,
        None => 1,
        Some(size) => *size,
    };
    let shape: Vec<u64> = spec.shape.iter().enumerate().map(size).collect();
    let fits = shape.iter().try_fold(1_u64, |product, size| product.checked_mul(*size)) == Some(count);
    if fits { Ok(shape) } else { Err(format!("its input {:?} has no place for {count} values", spec.name)) }
}

fn bytes(number: f64, datatype: Datatype) -> Option<Vec<u8>> {
    let unsigned = || (number >= 0.0).then_some(number as u64);
    Some(match datatype {
        Datatype::Bool => vec![u8::from(number != 0.0)],
        Datatype::Uint8 => u8::try_from(unsigned()?).ok()?.to_le_bytes().to_vec(),
        Datatype::Uint16 => u16::try_from(unsigned()?).ok()?.to_le_bytes().to_vec(),
        Datatype::Uint32 => u32::try_from(unsigned()?).ok()?.to_le_bytes().to_vec(),
        Datatype::Uint64 => unsigned()?.to_le_bytes().to_vec(),
        Datatype::Int8 => i8::try_from(number as i64).ok()?.to_le_bytes().to_vec(),
        Datatype::Int16 => i16::try_from(number as i64).ok()?.to_le_bytes().to_vec(),
        Datatype::Int32 => i32::try_from(number as i64).ok()?.to_le_bytes().to_vec(),
        Datatype::Int64 => (number as i64).to_le_bytes().to_vec(),
        Datatype::Fp32 => (number as f32).to_le_bytes().to_vec(),
        Datatype::Fp64 => number.to_le_bytes().to_vec(),
        Datatype::Fp16 | Datatype::Bf16 | Datatype::Bytes => return None,
    })
}
