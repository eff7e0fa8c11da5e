//! Liquid alpha: how fast a bond moves depends on how far its weight lies from consensus.

use super::sparse::Row;
use crate::Hyperparameters;
use crate::fixed::{I32F32, exp_safe};

/// The bounds of alpha and the slope of the sigmoid between them.
pub(in crate::tests) struct LiquidAlpha {
    low: I32F32,
    high: I32F32,
    /// The steepness with its sign turned, as it stands in the exponent.
    slope: I32F32,
}

impl LiquidAlpha {
    pub(in crate::tests) fn of(hyper: &Hyperparameters) -> Self {
        Self {
            low: I32F32::u16_ratio(hyper.alpha_low),
            high: I32F32::u16_ratio(hyper.alpha_high),
            slope: I32F32::from(hyper.alpha_sigmoid_steepness).safe_div(I32F32::from(-100_i16)),
        }
    }

    /// `low` + sigmoid x (`high` - `low`), where the sigmoid's argument is how far the weight exceeds consensus when
    /// buying, and how far the bond exceeds the weight when selling.
    pub(in crate::tests) fn alpha_sigmoid(&self, consensus: I32F32, weight: I32F32, bond: I32F32) -> I32F32 {
        let distance =
            if weight >= bond { weight.saturating_sub(consensus) } else { bond.saturating_sub(weight) };
        let distance = distance.max(I32F32::ZERO).min(I32F32::ONE);
        let power = exp_safe(self.slope.saturating_mul(distance.saturating_sub(I32F32::HALF)));
        let sigmoid = I32F32::ONE.safe_div(I32F32::ONE.saturating_add(power));
        let alpha = self.low.saturating_add(sigmoid.saturating_mul(self.high.saturating_sub(self.low)));
        // In this order, because nothing stops a test network from setting low above high.
        alpha.min(self.high).max(self.low)
    }
}

/// The entries of a row that the chain finds when it looks for their alpha, one per column, 0 elsewhere. It walks the row
/// once along ascending columns and never steps back, so that in a row that is not sorted, an entry behind one of a larger
/// column counts as 0 for alpha (and for nothing else).
pub(in crate::tests) fn found_ascending(row: &Row, columns: usize) -> Vec<I32F32> {
    let mut found = vec![I32F32::ZERO; columns];
    let mut furthest = None;
    for &(column, value) in row {
        if furthest < Some(column) {
            furthest = Some(column);
            found[usize::from(column)] = value;
        }
    }
    found
}
