//! The pallet's operations on dense vectors, one entry per uid.

use crate::fixed::I32F32;

/// Divides by the sum; a vector that sums to zero stays as it is.
pub(in crate::tests) fn inplace_normalize(values: &mut [I32F32]) {
    let sum = values.iter().copied().sum();
    inplace_normalize_using_sum(values, sum);
}

/// Divides by `sum`, unless that is zero.
pub(in crate::tests) fn inplace_normalize_using_sum(values: &mut [I32F32], sum: I32F32) {
    if sum != I32F32::ZERO {
        values.iter_mut().for_each(|value| *value = value.safe_div(sum));
    }
}

/// Zeroes where the mask is true.
pub(in crate::tests) fn inplace_mask_vector(mask: &[bool], values: &mut [I32F32]) {
    for (value, _) in values.iter_mut().zip(mask).filter(|&(_, &masked)| masked) {
        *value = I32F32::ZERO;
    }
}

/// True if the sum is zero.
pub(in crate::tests) fn is_zero(values: &[I32F32]) -> bool {
    values.iter().copied().sum::<I32F32>() == I32F32::ZERO
}

/// floor(`proportion` x 65535), saturated.
pub(in crate::tests) fn fixed_proportion_to_u16(proportion: I32F32) -> u16 {
    proportion.saturating_mul(I32F32::from(u16::MAX)).to_u16()
}
