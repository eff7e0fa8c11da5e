//! Liquid alpha: how fast a bond moves depends on how far its weight lies from consensus.

use super::bonds::Bonds;
use super::cells::{Cells, CountedWeights, Span};
use super::consensus::BondWeight;
use super::exact::{Bits, ONE, inverse, product, u16_ratio};
use super::hyperparameters::Hyperparameters;
use super::input::EpochInput;
use crate::fixed::{I32F32, exp_safe};

/// The bounds of alpha and the slope of the sigmoid between them.
#[derive(Clone, Copy, Debug)]
pub(super) struct LiquidAlpha {
    low: I32F32,
    high: I32F32,
    /// The steepness with its sign turned, as it stands in the exponent.
    slope: I32F32,
    /// Alpha at no distance, where all weights at or below consensus are when they buy.
    at_zero: Bits,
}

impl LiquidAlpha {
    pub(super) fn new(hyper: &Hyperparameters) -> Self {
        let mut alpha = Self {
            low: I32F32::u16_ratio(hyper.alpha_low),
            high: I32F32::u16_ratio(hyper.alpha_high),
            slope: I32F32::from(hyper.alpha_sigmoid_steepness).safe_div(I32F32::from(-100_i16)),
            at_zero: 0,
        };
        alpha.at_zero = alpha.at(0);
        alpha
    }

    /// Alpha at how far the weight exceeds consensus when buying, and how far the bond exceeds the weight when selling.
    fn of(&self, consensus: Bits, weight: Bits, bond: Bits) -> Bits {
        let distance = if weight >= bond { weight.saturating_sub(consensus) } else { bond - weight };
        if distance == 0 { self.at_zero } else { self.at(distance) }
    }

    /// `low` + sigmoid x (`high` - `low`), at a distance of at most 1.
    fn at(&self, distance: Bits) -> Bits {
        let distance = I32F32::from_bits(distance.cast_signed());
        let power = exp_safe(self.slope.saturating_mul(distance.saturating_sub(I32F32::HALF)));
        // e^20 is below 2^29.
        let sigmoid = I32F32::from_bits(inverse(ONE + power.to_bits().unsigned_abs()).cast_signed());
        let alpha = self.low.saturating_add(sigmoid.saturating_mul(self.high.saturating_sub(self.low)));
        // In this order, because nothing stops a test network from setting low above high.
        alpha.min(self.high).max(self.low).to_bits().unsigned_abs()
    }
}

/// The bonds that liquid alpha averages; their rows keep the order of the weights. Keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct LiquidBonds {
    pub(super) spans: Vec<Span>,
    pub(super) columns: Vec<u16>,
    /// The row's cells by column, and 0 elsewhere.
    pairs: Vec<AlphaPair>,
    /// The row's bond weights, as the chain holds them.
    bought: Vec<(u16, Bits)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct AlphaPair {
    weight: Bits,
    /// The old bond, and what alpha takes it for.
    old: Bits,
    old_found: Bits,
}

impl LiquidBonds {
    /// The moving average with an alpha per pair. Only entries present in the bond weights survive: a bond to a miner that
    /// the validator no longer names is gone at once, while one that it names with weight 0 decays.
    pub(super) fn fill(
        &mut self,
        bonds: &mut Bonds,
        input: &EpochInput,
        cells: &Cells,
        permits: &[bool],
        consensus: &[Bits],
        bond_weight: BondWeight,
    ) {
        let alpha = LiquidAlpha::new(&input.hyperparameters);
        bonds.bonds.clear();
        self.spans.clear();
        self.columns.clear();
        self.pairs.clear();
        self.pairs.resize(consensus.len(), AlphaPair::default());
        for &span in cells.spans.iter().filter(|span| permits[span.uid]) {
            self.pair(input, cells, span);
            self.buy(input, cells, span, consensus, bond_weight);
            let start = self.columns.len();
            let mut furthest = None;
            for &(column, bought) in &self.bought {
                let miner = usize::from(column);
                let AlphaPair { old, old_found, .. } = self.pairs[miner];
                // The same walk as in `pair`: the chain never steps back for an entry.
                let weight = if furthest < Some(column) { bought } else { 0 };
                furthest = furthest.max(Some(column));
                let alpha = alpha.of(consensus[miner], weight, old_found);
                let bond = (product(ONE - alpha, old) + product(alpha, bought)).min(ONE);
                bonds.miners[miner].sum += bond;
                bonds.bonds.push(bond);
                self.columns.push(column);
            }
            // No run: in the order of submission, first and last column say nothing about those between.
            self.spans.push(Span { uid: span.uid, start, end: self.columns.len(), run: None });
            // Only the touched pairs are cleared; clearing all for each validator would be quadratic.
            span.of(&cells.columns)
                .iter()
                .for_each(|&column| self.pairs[usize::from(column)] = AlphaPair::default());
        }
    }

    /// The chain looks for an entry's alpha by walking the row once along ascending columns and never steps back, so that
    /// in a row that is not sorted, an entry behind one of a larger column counts as 0 for alpha (and for nothing else).
    fn pair(&mut self, input: &EpochInput, cells: &Cells, span: Span) {
        let row = span.of(&cells.columns).iter().zip(span.of(&cells.weights)).zip(span.of(&cells.old));
        for ((&column, &weight), &old) in row {
            self.pairs[usize::from(column)] = AlphaPair { weight, old: u16_ratio(old), old_found: 0 };
        }
        let mut furthest = None;
        for &(column, _) in &input.bonds[span.uid] {
            let current = input.block_at_registration[usize::from(column)] < input.last_step_boundary_block;
            if current && furthest < Some(column) {
                furthest = Some(column);
                let pair = &mut self.pairs[usize::from(column)];
                pair.old_found = pair.old;
            }
        }
    }

    /// The row of bond weights: in the order of submission with its zeros, unless it is a mixture, which is sorted.
    fn buy(
        &mut self,
        input: &EpochInput,
        cells: &Cells,
        span: Span,
        consensus: &[Bits],
        bond_weight: BondWeight,
    ) {
        self.bought.clear();
        if let BondWeight::Between(_) = bond_weight {
            let row = span.of(&cells.columns).iter().zip(span.of(&cells.weights));
            let mixed = row.map(|(&column, &weight)| {
                (column, bond_weight.of(weight, weight.min(consensus[usize::from(column)])))
            });
            self.bought.extend(mixed.filter(|&(_, weight)| weight != 0));
            return;
        }
        let counted = CountedWeights::of_row(input, span.uid);
        for &(column, _) in input.weights[span.uid].iter().filter(|&&(column, _)| counted.holds(column)) {
            let weight = self.pairs[usize::from(column)].weight;
            let clipped = weight.min(consensus[usize::from(column)]);
            let bought = bond_weight.of(weight, clipped);
            // Clipping to a consensus of 0 takes the entry out.
            if bought != 0 || weight == 0 {
                self.bought.push((column, bought));
            }
        }
    }
}
