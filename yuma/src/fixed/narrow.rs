//! `I32F32`: 32 integer bits with the sign, 32 fractional bits, in one `i64`. Everything within an epoch is one.

use std::fmt;
use std::iter;

const FRAC_BITS: u32 = 32;

/// A signed number in steps of 2^-32, from -2^31 up to just below 2^31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct I32F32(i64);

impl I32F32 {
    pub const MIN: Self = Self(i64::MIN);
    pub const ZERO: Self = Self(0);
    pub const HALF: Self = Self(1 << (FRAC_BITS - 1));
    pub const ONE: Self = Self(1 << FRAC_BITS);
    pub const MAX: Self = Self(i64::MAX);

    /// The number `bits` / 2^32.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// `value` / 65535, truncated: how the chain reads kappa, the bonds penalty, alpha low and high, and Yuma 3 bonds.
    pub fn u16_ratio(value: u16) -> Self {
        Self::from(value).safe_div(Self::from(u16::MAX))
    }

    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The floored product, saturated.
    pub fn saturating_mul(self, other: Self) -> Self {
        let product = self.wide_product(other);
        Self(i64::try_from(product).unwrap_or(if product < 0 { i64::MIN } else { i64::MAX }))
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The floored product; `None` where it does not fit.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        i64::try_from(self.wide_product(other)).ok().map(Self)
    }

    /// The quotient truncated toward zero; `None` for a zero divisor or where it does not fit.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        let quotient = (i128::from(self.0) << FRAC_BITS).checked_div(i128::from(other.0))?;
        i64::try_from(quotient).ok().map(Self)
    }

    /// [`Self::checked_div`], with 0 for what can't be divided.
    pub fn safe_div(self, other: Self) -> Self {
        self.checked_div(other).unwrap_or_default()
    }

    /// The nearest integer, halves away from zero; saturates at the largest number where it does not fit.
    pub fn round(self) -> Self {
        if self.0 >= 0 {
            Self(self.0.saturating_add(Self::HALF.0)).floor()
        } else {
            // A step less than a half, so that halves of negative numbers go down, away from zero.
            Self(self.0.saturating_add(Self::HALF.0 - 1)).floor()
        }
    }

    /// The integer at or below, saturated to what a `u16` holds.
    pub fn to_u16(self) -> u16 {
        let floor = self.0 >> FRAC_BITS;
        u16::try_from(floor).unwrap_or(if floor < 0 { 0 } else { u16::MAX })
    }

    fn floor(self) -> Self {
        Self(self.0 >> FRAC_BITS << FRAC_BITS)
    }

    fn wide_product(self, other: Self) -> i128 {
        // An arithmetic shift floors negative products too, as the chain's multiplication does.
        (i128::from(self.0) * i128::from(other.0)) >> FRAC_BITS
    }
}

impl From<u16> for I32F32 {
    fn from(value: u16) -> Self {
        Self(i64::from(value) << FRAC_BITS)
    }
}

impl From<i16> for I32F32 {
    fn from(value: i16) -> Self {
        Self(i64::from(value) << FRAC_BITS)
    }
}

/// Saturates. The chain adds plainly here, but no sum that it can form reaches the limits: at most 4096 entries of at most
/// 65535, or shares of 1.
impl iter::Sum for I32F32 {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Self::saturating_add)
    }
}

impl fmt::Debug for I32F32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I32F32({:#x} / 2^32)", self.0)
    }
}
