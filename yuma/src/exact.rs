//! The chain's fixed-point operations on numbers that are never negative, in `u64`.
//!
//! **Invariant.** A [`Bits`] holds the bits of a non-negative `I32F32`; each function gives what `I32F32`'s operation
//! gives, for arguments within its stated bounds. Nothing saturates within them, so that sums may run in any order.

/// A non-negative number in steps of 2^-32.
pub(super) type Bits = u64;

pub(super) const ONE: Bits = 1 << 32;

/// The floored product of two numbers of at most 1. (2^63 times 2^33 stays below 2^128, its upper half is the product.)
pub(super) fn product(a: Bits, b: Bits) -> Bits {
    ((u128::from(a << 31) * u128::from(b << 1)) >> 64) as Bits
}

/// floor(`share` x 65535), for a share of at most 1.
pub(super) fn share_to_u16(share: Bits) -> u16 {
    ((share << 16).wrapping_sub(share) >> 32) as u16
}

/// [`product`] with one factor below 1: at most 2^32 x (2^32 - 1).
pub(super) fn product_below_one(a: Bits, b: Bits) -> Bits {
    a.wrapping_mul(b) >> 32
}

/// `value` / 65535, truncated. 65537 x 65535 is 2^32 - 1, so that the quotient is 65537 and the remainder is `value`,
/// less than the divisor except for 65535 itself.
pub(super) fn u16_ratio(value: u16) -> Bits {
    u64::from(value).wrapping_mul(65537).wrapping_add(u64::from(value == u16::MAX))
}

/// floor(2^64 / `divisor`), for a divisor above 1: 1 over a fixed-point number.
pub(super) fn inverse(divisor: Bits) -> Bits {
    u64::MAX / divisor + u64::from(divisor.is_power_of_two())
}

/// A divisor that many numbers share, so that each quotient costs multiplications only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    divisor: u64,
    /// floor((2^64 - 1) / `divisor`)
    reciprocal: u64,
}

impl Divisor {
    /// `divisor` is below 2^63. By 0, everything (it can only be 0 itself) gives 0.
    pub(super) fn new(divisor: u64) -> Self {
        match u64::MAX.checked_div(divisor) {
            Some(reciprocal) => Self { divisor, reciprocal },
            None => Self { divisor: 1, reciprocal: 0 },
        }
    }

    /// floor(`number` x 2^32 / divisor) for a `number` of at most the divisor and at most 2^32. Both may be integers or
    /// both fixed-point numbers.
    ///
    /// With d the divisor and r its reciprocal, 2^64 - d <= r x d < 2^64. So `number` x r stays below 2^64, and
    /// `number` x r / 2^32 falls short of the true quotient by at most `number` / 2^32 <= 1: its floor is the quotient
    /// or one less. The remainder then lies in 0..2d, below 2^64, so that computing it modulo 2^64 is exact.
    pub(super) fn share(self, number: u64) -> Bits {
        let quotient = number.wrapping_mul(self.reciprocal) >> 32;
        let remainder = (number << 32).wrapping_sub(quotient.wrapping_mul(self.divisor));
        quotient.wrapping_add(u64::from(remainder >= self.divisor))
    }

    /// [`Self::share`] of any number up to the divisor.
    pub(super) fn share_of_any(self, number: u64) -> Bits {
        if number <= ONE {
            return self.share(number);
        }
        ((u128::from(number) << 32) / u128::from(self.divisor)) as Bits
    }
}

/// Divides each by the sum of all, unless that is zero. Each is at most 1.
pub(super) fn normalize(values: &mut [Bits]) {
    let divisor = Divisor::new(values.iter().sum());
    values.iter_mut().for_each(|value| *value = divisor.share(*value));
}

/// Codes a weight in 32 bits. 1 needs a 33rd bit. 1 less 2^-32 stands for it: a row's submitted weights add up to less than 2^28, so that a share
/// below 1 is at most 1 less 2^-28.
pub(super) fn score_of(weight: Bits) -> u32 {
    (weight - (weight >> 32)) as u32
}

/// Decodes a weight: the inverse of [`score_of`].
pub(super) fn weight_of(score: u32) -> Bits {
    if score == u32::MAX { ONE } else { score.into() }
}
