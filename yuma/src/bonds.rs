//! Bonds: a validator's moving average of what it has put on each miner, and the dividends that they earn.

use super::average::Average;
use super::cells::{Cells, Span};
use super::consensus::ClippedSums;
use super::exact::{Bits, Divisor, ONE, share_to_u16, u16_ratio};

/// The new bonds of an epoch.
#[derive(Debug, Default)]
pub(super) struct Bonds {
    /// By cell; 0 is no bond.
    pub(super) bonds: Vec<Bits>,
    pub(super) miners: Vec<MinerBonds>,
    holdings: Vec<Holding>,
}

/// Ingredients and sum of the bonds to one miner.
#[derive(Clone, Copy, Debug)]
pub(super) struct MinerBonds {
    bought: Divisor,
    old: Divisor,
    pub(super) sum: Bits,
    largest: Bits,
}

/// Divisor of the bonds to one miner.
#[derive(Clone, Copy, Debug)]
struct Holding {
    sum: Divisor,
    largest_share: Divisor,
    incentive: Bits,
}

/// Destinations of the results.
pub(super) struct Ledger<'a> {
    /// Only uids with a new permit keep a row.
    pub(super) new_permits: &'a [bool],
    pub(super) new_bonds: &'a mut [Vec<(u16, u16)>],
    /// By uid: the incentives times the validator's shares of the bonds.
    pub(super) earned: &'a mut Vec<Bits>,
}

impl Bonds {
    pub(super) fn clear(&mut self, uids: usize) {
        self.miners.clear();
        let nothing = Divisor::new(0);
        self.miners.resize(uids, MinerBonds { bought: nothing, old: nothing, sum: 0, largest: 0 });
    }

    /// Yuma 2: bonds are shares of each miner, bought with stake; they are stored scaled up to each miner's largest.
    pub(super) fn yuma2(
        &mut self,
        average: impl Average,
        cells: &Cells,
        clipped: &ClippedSums,
        ledger: Ledger<'_>,
    ) {
        for (miner, sums) in self.miners.iter_mut().zip(&clipped.miners) {
            miner.bought = Divisor::new(sums.bought);
            miner.old = Divisor::new(sums.old);
        }
        self.average(cells, clipped, |miner, old, bought| {
            let bond = average.of(miner.bought.share(bought), miner.old.share(old.into()));
            miner.sum = average.sum(miner.sum, bond);
            miner.largest = miner.largest.max(bond);
            bond
        });
        self.hold(average, &clipped.incentive);
        let upscaled = |holding: &Holding, _, share| share_to_u16(holding.largest_share.share(share));
        self.write(average, &cells.spans, &cells.columns, ledger, upscaled);
    }

    /// Yuma 3: bonds are proportions per pair of validator and miner, and stake enters only in the dividends.
    pub(super) fn yuma3(
        &mut self,
        average: impl Average,
        cells: &Cells,
        clipped: &ClippedSums,
        ledger: Ledger<'_>,
    ) {
        self.average(cells, clipped, |miner, old, bought| {
            let bond = average.of(bought, u16_ratio(old));
            miner.sum = average.sum(miner.sum, bond);
            bond
        });
        self.store_yuma3(average, &cells.spans, &cells.columns, &clipped.incentive, ledger);
    }

    /// The rest of Yuma 3, once `bonds` and their sums stand. `columns` has one entry per bond.
    pub(super) fn store_yuma3(
        &mut self,
        average: impl Average,
        spans: &[Span],
        columns: &[u16],
        incentive: &[Bits],
        ledger: Ledger<'_>,
    ) {
        self.hold(average, incentive);
        // A bonds moving average above 1 lets bonds grow beyond 1.
        self.write(average, spans, columns, ledger, |_, bond, _| share_to_u16(bond.min(ONE)));
    }

    /// `mix` takes the old bond and what is bought.
    fn average(
        &mut self,
        cells: &Cells,
        clipped: &ClippedSums,
        mix: impl Fn(&mut MinerBonds, u16, Bits) -> Bits,
    ) {
        self.bonds.resize(cells.columns.len(), 0);
        for &span in &cells.spans {
            let made = &mut self.bonds[span.start..span.end];
            span.make(&cells.columns, &mut self.miners, (&cells.old, &clipped.bought), made, &mix);
        }
    }

    fn hold(&mut self, average: impl Average, incentive: &[Bits]) {
        self.holdings.clear();
        self.holdings.extend(self.miners.iter().zip(incentive).map(|(miner, &incentive)| {
            let sum = Divisor::new(miner.sum);
            // Shares grow with the bonds, so that the largest bond has the largest share.
            let largest_share = Divisor::new(average.share(sum, miner.largest));
            Holding { sum, largest_share, incentive }
        }));
    }

    /// `stored` takes the bond and its share of the miner's bonds.
    fn write(
        &mut self,
        average: impl Average,
        spans: &[Span],
        columns: &[u16],
        ledger: Ledger<'_>,
        stored: impl Fn(&Holding, Bits, Bits) -> u16,
    ) {
        ledger.earned.clear();
        ledger.earned.resize(self.holdings.len(), 0);
        ledger.new_bonds.iter_mut().for_each(Vec::clear);
        for &span in spans {
            let row = &mut ledger.new_bonds[span.uid];
            row.resize(span.end - span.start, (0, 0));
            let mut earned: Bits = 0;
            // Few rows hold a bond of 0: only those are gone through once more.
            let mut absent = 0_u64;
            let cells = (columns, &self.bonds[..]);
            span.make(columns, &mut self.holdings, cells, row, |holding, column, bond| {
                let share = average.share(holding.sum, bond);
                earned = earned.wrapping_add(average.earned(share, holding.incentive));
                absent = absent.wrapping_add(u64::from(bond == 0));
                (column, stored(holding, bond, share))
            });
            // Without a new permit the row is not stored, but it has earned for this epoch.
            if !ledger.new_permits[span.uid] {
                row.clear();
            } else if absent != 0 {
                keep_bonds(row, span.of(&self.bonds));
            }
            ledger.earned[span.uid] = earned;
        }
    }
}

/// Drops the entries of `row` whose bond is 0.
fn keep_bonds(row: &mut Vec<(u16, u16)>, bonds: &[Bits]) {
    let mut length = 0;
    for (at, &bond) in bonds.iter().enumerate() {
        row[length] = row[at];
        length += usize::from(bond != 0);
    }
    row.truncate(length);
}
