//! Weights above consensus are clipped to it; what is left pays miners, and decides what bonds are bought with.

use super::cells::{Cells, Span};
use super::exact::{Bits, ONE, normalize, product};

/// What bonds are bought with: the weight moved towards the clipped weight by the bonds penalty.
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

/// What the weights within consensus add up to.
#[derive(Debug, Default)]
pub(super) struct Clipped {
    /// By validator, how much of its weight lies within consensus.
    pub(super) trust: Vec<Bits>,
    /// Each miner's share of the clipped weights, weighted by stake.
    pub(super) incentive: Vec<Bits>,
    /// By cell, what the bond is bought with: its bond weight, or that times the validator's stake.
    pub(super) bought: Vec<Bits>,
    pub(super) miners: Vec<Miner>,
}

/// What is summed up for one miner.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Miner {
    consensus: Bits,
    rank: Bits,
    /// The sum of `Clipped::bought`.
    pub(super) bought: Bits,
    /// The sum of the old bonds as stored.
    pub(super) old: u64,
}

impl Clipped {
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
        self.miners.extend(consensus.iter().map(|&consensus| Miner { consensus, ..Miner::default() }));
        self.trust.clear();
        self.trust.resize(consensus.len(), 0);
        self.bought.clear();
        for span in &cells.spans {
            let stake = stake[span.uid];
            self.trust[span.uid] = match (bond_weight, by_stake) {
                (BondWeight::Clipped, false) => self.clip(cells, *span, stake, |_, clipped, _| clipped),
                (BondWeight::Clipped, true) => self.clip(cells, *span, stake, |_, _, ranked| ranked),
                (_, false) => self.clip(cells, *span, stake, |weight, clipped, _| bond_weight.of(weight, clipped)),
                (_, true) => {
                    let bought = |weight, clipped, _| product(bond_weight.of(weight, clipped), stake);
                    self.clip(cells, *span, stake, bought)
                }
            };
        }
        self.incentive.clear();
        self.incentive.extend(self.miners.iter().map(|miner| miner.rank));
        normalize(&mut self.incentive);
    }

    /// One row. `bought` takes the weight, the clipped weight and its product with the stake.
    fn clip(
        &mut self,
        cells: &Cells,
        Span { start, end, .. }: Span,
        stake: Bits,
        bought: impl Fn(Bits, Bits, Bits) -> Bits,
    ) -> Bits {
        let mut trust: Bits = 0;
        let row = cells.columns[start..end].iter().zip(&cells.weights[start..end]).zip(&cells.old[start..end]);
        self.bought.extend(row.map(|((&column, &weight), &old)| {
            let miner = &mut self.miners[usize::from(column)];
            let clipped = weight.min(miner.consensus);
            let ranked = product(clipped, stake);
            let bought = bought(weight, clipped, ranked);
            trust = trust.wrapping_add(clipped);
            miner.rank = miner.rank.wrapping_add(ranked);
            miner.bought = miner.bought.wrapping_add(bought);
            miner.old = miner.old.wrapping_add(old.into());
            bought
        }));
        trust
    }
}
