//! The exponential as the chain computes it: a fixed number of terms of the power series, in fixed point. It is inexact
//! (at 20 by almost one per cent), and must be so in the same bits.

use super::narrow::I32F32;

/// substrate-fixed keeps e in 23 fractional bits and returns it for an argument of exactly 1.
const E: I32F32 = I32F32::from_bits(22_802_600 << 9);
/// The series stops after the term x^31 / 31!: one term less than the type has fractional bits.
const LAST_TERM: u64 = 31;
const ONE: u64 = 1 << 32;
const LIMIT: i16 = 20;

/// e^x with x clamped to [-20, 20].
pub fn exp_safe(x: I32F32) -> I32F32 {
    exp(x.max(I32F32::from(-LIMIT)).min(I32F32::from(LIMIT)))
}

/// The chain looks for exactly 1 before it takes the sign off, so that e^-1 is 1 over the series at 1, not 1 over [`E`].
///
/// Up to 20, the largest product of a term and the argument is 20 x 20^19 / 19!, less than 2^30, and the sum stays below
/// e^20 < 2^29: the chain's checked operations all succeed, and so do plain ones.
fn exp(x: I32F32) -> I32F32 {
    if x == I32F32::ZERO {
        return I32F32::ONE;
    }
    if x == I32F32::ONE {
        return E;
    }
    let magnitude = x.to_bits().unsigned_abs();
    let mut sum = magnitude + ONE;
    let mut term = magnitude;
    for n in 2..=LAST_TERM {
        // Before the shift the product takes up to 94 bits.
        let product = (u128::from(term) * u128::from(magnitude)) >> 32;
        term = product as u64 / n;
        if term == 0 {
            // Every later term is 0 too: it is this one times a factor, floored.
            break;
        }
        sum += term;
    }
    // 2^64 / sum, which is above 2^32 and may be a power of 2.
    let bits = if x > I32F32::ZERO { sum } else { u64::MAX / sum + u64::from(sum.is_power_of_two()) };
    I32F32::from_bits(bits.cast_signed())
}
