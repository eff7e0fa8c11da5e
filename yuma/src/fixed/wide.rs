//! Fixed-point numbers in an `i128`: `I64F64` for stake before it is normalised, `I96F32` for amounts in rao.
//!
//! Products go through 256 bits and quotients through a long division, so neither loses a bit before the final rounding.

use std::fmt;
use std::iter;

use super::narrow::I32F32;

/// A signed number in steps of 2^-`FRAC`, in one `i128`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed128<const FRAC: u32>(i128);

/// 64 integer bits with the sign, 64 fractional bits.
pub type I64F64 = Fixed128<64>;
/// 96 integer bits with the sign, 32 fractional bits.
pub type I96F32 = Fixed128<32>;

impl<const FRAC: u32> Fixed128<FRAC> {
    pub const ZERO: Self = Self(0);

    /// The number `bits` / 2^`FRAC`.
    pub const fn from_bits(bits: i128) -> Self {
        Self(bits)
    }

    pub const fn to_bits(self) -> i128 {
        self.0
    }

    /// `value`, or the largest number where that is less.
    pub fn from_u64(value: u64) -> Self {
        let value = i128::from(value);
        if value > i128::MAX >> FRAC { Self(i128::MAX) } else { Self(value << FRAC) }
    }

    /// The integer at or below, saturated to what a `u64` holds.
    pub fn to_u64(self) -> u64 {
        let floor = self.0 >> FRAC;
        u64::try_from(floor).unwrap_or(if floor < 0 { 0 } else { u64::MAX })
    }

    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The floored product, saturated.
    pub fn saturating_mul(self, other: Self) -> Self {
        let negative = (self.0 < 0) != (other.0 < 0);
        let (low, high) = self.0.unsigned_abs().carrying_mul(other.0.unsigned_abs(), 0);
        let limit = if negative { i128::MIN } else { i128::MAX };
        // These bits stay above 128 after the shift: the product does not fit, whatever its sign.
        if high >> FRAC != 0 {
            return Self(limit);
        }
        let magnitude = (high << (u128::BITS - FRAC)) | (low >> FRAC);
        let dropped = low & ((1 << FRAC) - 1) != 0;
        // Flooring a negative number raises its magnitude where a fraction was cut off.
        let floored = magnitude.checked_add(u128::from(negative && dropped));
        Self(floored.and_then(|magnitude| with_sign(negative, magnitude)).unwrap_or(limit))
    }

    /// The quotient truncated toward zero; `None` for a zero divisor or where it does not fit.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        let divisor = other.0.unsigned_abs();
        let dividend = self.0.unsigned_abs();
        let mut quotient = dividend.checked_div(divisor)?;
        let mut remainder = dividend % divisor;
        // FRAC more bits are shifted in below, which would push the topmost ones out.
        if quotient.leading_zeros() < FRAC {
            return None;
        }
        // A remainder is below its divisor, which is at most 2^127, so doubling it fits.
        for _ in 0..FRAC {
            remainder <<= 1;
            quotient <<= 1;
            if remainder >= divisor {
                remainder -= divisor;
                quotient |= 1;
            }
        }
        with_sign((self.0 < 0) != (other.0 < 0), quotient).map(Self)
    }

    /// [`Self::checked_div`], with 0 for what can't be divided.
    pub fn safe_div(self, other: Self) -> Self {
        self.checked_div(other).unwrap_or_default()
    }
}

impl I64F64 {
    /// Floored to steps of 2^-32, saturated.
    pub fn to_i32f32(self) -> I32F32 {
        let bits = self.0 >> 32;
        I32F32::from_bits(i64::try_from(bits).unwrap_or(if bits < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl From<I32F32> for I96F32 {
    fn from(value: I32F32) -> Self {
        Self(i128::from(value.to_bits()))
    }
}

/// Saturates: the chain adds plainly, but the whole supply in rao (21e15) stays far below the limit of 2^63.
impl<const FRAC: u32> iter::Sum for Fixed128<FRAC> {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Self::saturating_add)
    }
}

impl<const FRAC: u32> fmt::Debug for Fixed128<FRAC> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fixed128({:#x} / 2^{FRAC})", self.0)
    }
}

fn with_sign(negative: bool, magnitude: u128) -> Option<i128> {
    // Not by negating: the magnitude of i128::MIN has no positive i128.
    if negative { 0_i128.checked_sub_unsigned(magnitude) } else { i128::try_from(magnitude).ok() }
}
