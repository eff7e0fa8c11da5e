//! The exponential as the chain computes it: a fixed number of terms of the power series, in fixed point. It is inexact
//! (at 20 by almost one per cent), and must be so in the same bits.

use super::I32F32;

/// substrate-fixed keeps e in 23 fractional bits and returns it for an argument of exactly 1.
const E: I32F32 = I32F32::from_bits(22_802_600 << 9);
/// The series stops after the term x^31 / 31!: one term less than the type has fractional bits.
const LAST_TERM: u16 = 31;
const LIMIT: i16 = 20;

/// e^x with x clamped to [-20, 20]; 0 (x at most 0) or the largest number where the series overflows.
pub fn exp_safe(x: I32F32) -> I32F32 {
    let x = x.max(I32F32::from(-LIMIT)).min(I32F32::from(LIMIT));
    exp(x).unwrap_or(if x <= I32F32::ZERO { I32F32::ZERO } else { I32F32::MAX })
}

/// The chain looks for exactly 1 before it takes the sign off, so that e^-1 is 1 over the series at 1, not 1 over [`E`].
fn exp(x: I32F32) -> Option<I32F32> {
    if x == I32F32::ZERO {
        return Some(I32F32::ONE);
    }
    if x == I32F32::ONE {
        return Some(E);
    }
    let magnitude = x.max(I32F32::ZERO.saturating_sub(x));
    let mut sum = magnitude.checked_add(I32F32::ONE)?;
    let mut term = magnitude;
    for n in 2..=LAST_TERM {
        term = term.checked_mul(magnitude)?.checked_div(I32F32::from(n))?;
        sum = sum.checked_add(term)?;
    }
    if x < I32F32::ZERO { I32F32::ONE.checked_div(sum) } else { Some(sum) }
}
