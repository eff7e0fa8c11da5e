//! Weights above consensus are clipped to it; what is left pays miners, and decides what bonds are bought with.

use super::cells::{Cells, Span};
use super::exact::{Bits, ONE, normalize, product, product_below_one};

/// Weights that bonds are bought with: the weight moved towards the clipped weight by the bonds penalty.
#[derive(Clone, Copy, Debug)]
pub(super) enum BondWeight {
    Submitted,
    Clipped,
    Between(Bits),
}

impl BondWeight {
    pub(super) fn new(penalty: Bits) -> Self {
        match penalty {
            0 => Self::Submitted,
            ONE => Self::Clipped,
            ratio => Self::Between(ratio),
        }
    }

    /// `weight` + ratio x (`clipped` - `weight`), floored. The difference is never positive, so that its product is rounded
    /// up; a ratio below 1 leaves the sum below 2^64.
    pub(super) fn of(self, weight: Bits, clipped: Bits) -> Bits {
        match self {
            Self::Submitted => weight,
            Self::Clipped => clipped,
            Self::Between(ratio) => {
                let cut = ratio.wrapping_mul(weight.wrapping_sub(clipped));
                weight.wrapping_sub(cut.wrapping_add(ONE - 1) >> 32)
            }
        }
    }
}

/// Sums of the weights within consensus.
#[derive(Debug, Default)]
pub(super) struct ClippedSums {
    /// By validator, how much of its weight lies within consensus.
    pub(super) trust: Vec<Bits>,
    /// Each miner's share of the clipped weights, weighted by stake.
    pub(super) incentive: Vec<Bits>,
    /// By cell, what the bond is bought with: its bond weight, or that times the validator's stake.
    pub(super) bought: Vec<Bits>,
    pub(super) miners: Vec<MinerWeights>,
}

/// Sums over the validators of one miner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinerWeights {
    consensus: Bits,
    rank: Bits,
    /// The sum of `ClippedSums::bought`.
    pub(super) bought: Bits,
    /// The sum of the old bonds as stored.
    pub(super) old: u64,
}

impl ClippedSums {
    /// `by_stake` says that bonds cost stake.
    pub(super) fn fill(
        &mut self,
        cells: &Cells,
        consensus: &[Bits],
        stake: &[Bits],
        bond_weight: BondWeight,
        by_stake: bool,
    ) {
        self.miners.clear();
        self.miners
            .extend(consensus.iter().map(|&consensus| MinerWeights { consensus, ..MinerWeights::default() }));
        self.trust.clear();
        self.trust.resize(consensus.len(), 0);
        self.bought.resize(cells.columns.len(), 0);
        for &span in &cells.spans {
            let stake = stake[span.uid];
            self.trust[span.uid] = match (bond_weight, by_stake, stake) {
                // Every stake but a sole validator's is below 1, where the product fits 64 bits.
                (BondWeight::Clipped, true, ..ONE) => self.clip(cells, span, |_, clipped| {
                    let ranked = product_below_one(clipped, stake);
                    (ranked, ranked)
                }),
                (_, true, _) => self.clip(cells, span, |weight, clipped| {
                    (product(clipped, stake), product(bond_weight.of(weight, clipped), stake))
                }),
                (BondWeight::Clipped, false, ..ONE) => {
                    self.clip(cells, span, |_, clipped| (product_below_one(clipped, stake), clipped))
                }
                (_, false, _) => self.clip(cells, span, |weight, clipped| {
                    (product(clipped, stake), bond_weight.of(weight, clipped))
                }),
            };
        }
        self.incentive.clear();
        self.incentive.extend(self.miners.iter().map(|miner| miner.rank));
        normalize(&mut self.incentive);
    }

    /// Adds up one row and returns its trust. `buy` makes the rank and what is bought from a weight and the clipped weight.
    fn clip(&mut self, cells: &Cells, span: Span, buy: impl Fn(Bits, Bits) -> (Bits, Bits)) -> Bits {
        let mut trust: Bits = 0;
        let made = &mut self.bought[span.start..span.end];
        let cells_of_all = (&cells.weights[..], &cells.old[..]);
        span.make(&cells.columns, &mut self.miners, cells_of_all, made, |miner, weight, old| {
            let clipped = weight.min(miner.consensus);
            let (ranked, bought) = buy(weight, clipped);
            trust = trust.wrapping_add(clipped);
            miner.rank = miner.rank.wrapping_add(ranked);
            miner.bought = miner.bought.wrapping_add(bought);
            miner.old = miner.old.wrapping_add(old.into());
            bought
        });
        trust
    }
}
