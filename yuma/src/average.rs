//! The moving average of bonds, under both arithmetics that it may need.

use super::exact::{Bits, Divisor, ONE, product, product_below_one};
use super::input::EpochInput;
use crate::fixed::{I32F32, I64F64};

/// Average of bonds, their sums and their dividends. All numbers are non-negative.
pub(super) trait Average: Copy {
    /// alpha x `bought` + (1 - alpha) x `old`, or 0 where that is negative. Both are at most 1.
    fn of(self, bought: Bits, old: Bits) -> Bits;
    fn sum(self, a: Bits, b: Bits) -> Bits;
    /// `part` of a sum that it went into, or of the largest.
    fn share(self, divisor: Divisor, part: Bits) -> Bits;
    /// The part of an incentive that a share earns.
    fn earned(self, share: Bits, incentive: Bits) -> Bits;
}

/// For an alpha and incentives between 0 and 1 and below it. Averages are at most 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct BoundedAverage {
    alpha: Bits,
    kept: Bits,
}

/// For all others: for a sole miner, for bonds that don't move or don't last, and for a bonds moving average above 1, which
/// no chain has, but which fits its storage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Saturating {
    alpha: I32F32,
    kept: I32F32,
}

/// 1 less the bonds moving average, whose ratio is floored to 2^-32 before the subtraction.
pub(super) fn fixed_alpha(input: &EpochInput) -> I32F32 {
    let kept =
        I64F64::from_u64(input.hyperparameters.bonds_moving_average).safe_div(I64F64::from_u64(1_000_000));
    I32F32::ONE.saturating_sub(kept.to_i32f32())
}

impl BoundedAverage {
    pub(super) fn new(alpha: I32F32, incentives: &[Bits]) -> Option<Self> {
        // A bonds moving average above 1 makes alpha negative.
        let alpha = Bits::try_from(alpha.to_bits()).ok()?;
        let kept = ONE.checked_sub(alpha)?;
        let below_one = |factor: Bits| factor < ONE;
        (below_one(alpha) && below_one(kept) && incentives.iter().copied().all(below_one))
            .then_some(Self { alpha, kept })
    }
}

impl Saturating {
    pub(super) fn new(alpha: I32F32) -> Self {
        Self { alpha, kept: I32F32::ONE.saturating_sub(alpha) }
    }
}

impl Average for BoundedAverage {
    fn of(self, bought: Bits, old: Bits) -> Bits {
        product_below_one(bought, self.alpha).wrapping_add(product_below_one(old, self.kept))
    }

    fn sum(self, a: Bits, b: Bits) -> Bits {
        a.wrapping_add(b)
    }

    fn share(self, divisor: Divisor, part: Bits) -> Bits {
        divisor.share(part)
    }

    fn earned(self, share: Bits, incentive: Bits) -> Bits {
        product_below_one(share, incentive)
    }
}

impl Average for Saturating {
    fn of(self, bought: Bits, old: Bits) -> Bits {
        let [bought, old] = [bought, old].map(|bits| I32F32::from_bits(bits.cast_signed()));
        let average = self.alpha.saturating_mul(bought).saturating_add(self.kept.saturating_mul(old));
        average.max(I32F32::ZERO).to_bits().cast_unsigned()
    }

    fn sum(self, a: Bits, b: Bits) -> Bits {
        a.cast_signed().saturating_add(b.cast_signed()).cast_unsigned()
    }

    fn share(self, divisor: Divisor, part: Bits) -> Bits {
        divisor.share_of_any(part)
    }

    fn earned(self, share: Bits, incentive: Bits) -> Bits {
        product(share, incentive)
    }
}
