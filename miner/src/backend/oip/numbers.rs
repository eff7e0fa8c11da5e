//! Elements of tensors, whatever the width of their datatype.

use weighhouse_types::{Datatype, Tensor};

/// Whole numbers of a tensor that has any; a number over `i64` is none.
pub(super) fn integers(tensor: &Tensor) -> Option<Vec<i64>> {
    let data = tensor.data();
    Some(match tensor.datatype() {
        Datatype::Int32 => {
            data.as_chunks().0.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect()
        }
        Datatype::Uint32 => {
            data.as_chunks().0.iter().map(|bytes| i64::from(u32::from_le_bytes(*bytes))).collect()
        }
        Datatype::Int64 => data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        Datatype::Uint64 => {
            let numbers =
                data.as_chunks().0.iter().map(|bytes| i64::try_from(u64::from_le_bytes(*bytes)).ok());
            return numbers.collect();
        }
        _ => return None,
    })
}

/// Numbers of a tensor of FP32 or FP64.
pub(super) fn floats(tensor: &Tensor) -> Option<Vec<f32>> {
    match tensor.datatype() {
        Datatype::Fp32 => tensor.to_f32().ok(),
        Datatype::Fp64 => {
            Some(tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect())
        }
        _ => None,
    }
}

/// The elements of a BYTES tensor, whose lengths were checked when it was made; none of another.
pub(super) fn texts(tensor: &Tensor) -> impl Iterator<Item = &[u8]> {
    let mut rest = if tensor.datatype() == Datatype::Bytes { tensor.data() } else { &[] };
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (element, tail) = tail.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        rest = tail;
        Some(element)
    })
}
