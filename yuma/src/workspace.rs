//! The epoch's list of steps, over buffers that the next epoch reuses.

use super::average::{BoundedAverage, Saturating, fixed_alpha};
use super::bonds::{Bonds, Ledger};
use super::cells::Cells;
use super::consensus::{BondWeight, ClippedSums};
use super::exact::{Bits, normalize, product, share_to_u16, u16_ratio};
use super::input::{EpochInput, InputError, RowChecks, Rules};
use super::liquid_alpha::LiquidBonds;
use super::median::Medians;
use super::{EpochOutput, emission, permits, stake};

/// Runs epochs one after the other. Once it has seen inputs as large as the one at hand, an epoch allocates nothing.
///
/// Its contents never enter a result: each epoch depends on its input alone.
#[derive(Debug, Default)]
pub struct Workspace {
    output: EpochOutput,
    row_checks: RowChecks,
    stake: Vec<Bits>,
    active_stake: Vec<Bits>,
    permits: Vec<bool>,
    ranking: Vec<(Bits, usize)>,
    cells: Cells,
    medians: Medians,
    consensus: Vec<Bits>,
    clipped: ClippedSums,
    bonds: Bonds,
    liquid_bonds: LiquidBonds,
    dividends: Vec<Bits>,
}

impl Workspace {
    /// Runs one epoch. The chain feeds `new_permits` and `new_bonds` into the next one.
    pub fn epoch(&mut self, rules: Rules, input: &EpochInput) -> Result<&EpochOutput, InputError> {
        // The arithmetic below wraps instead of checking: its bounds are proven for input that passed this.
        input.validate(&mut self.row_checks)?;
        let hyper = &input.hyperparameters;

        stake::active(&mut self.output.active, input);
        stake::normalized(&mut self.stake, rules, input);
        permits::current(&mut self.permits, rules, input);
        permits::next(&mut self.output.new_permits, &mut self.ranking, rules, input, &self.stake);
        stake::active_stake(&mut self.active_stake, &self.stake, &self.output.active, &self.permits);

        self.cells.fill(input, &self.permits, &self.row_checks);
        let kappa = u16_ratio(hyper.kappa);
        self.medians.find(&mut self.consensus, &self.cells, &self.active_stake, kappa);
        let bond_weight = BondWeight::new(u16_ratio(hyper.bonds_penalty));
        self.clipped.fill(&self.cells, &self.consensus, &self.active_stake, bond_weight, !hyper.yuma3);

        self.output.new_bonds.resize_with(input.stake.len(), Vec::new);
        self.bond(input, bond_weight);
        // Yuma 2 has bought its bonds with stake; Yuma 3's bonds do not know it yet.
        if hyper.yuma3 {
            self.dividends
                .iter_mut()
                .zip(&self.active_stake)
                .for_each(|(earned, &stake)| *earned = product(*earned, stake));
        }
        normalize(&mut self.dividends);
        self.publish(input);
        Ok(&self.output)
    }

    /// Swaps the output's bonds with those of the next epoch's input, so that neither row is copied.
    pub fn swap_bonds(&mut self, input: &mut EpochInput) {
        std::mem::swap(&mut self.output.new_bonds, &mut input.bonds);
    }

    /// The last epoch's output; empty if there was none.
    pub fn into_output(self) -> EpochOutput {
        self.output
    }

    fn bond(&mut self, input: &EpochInput, bond_weight: BondWeight) {
        let Self { output, cells, clipped, bonds, liquid_bonds, .. } = self;
        let ledger = Ledger {
            new_permits: &output.new_permits,
            new_bonds: &mut output.new_bonds,
            earned: &mut self.dividends,
        };
        bonds.clear(input.stake.len());
        let alpha = fixed_alpha(input);
        let bounded = BoundedAverage::new(alpha, &clipped.incentive);
        let hyper = &input.hyperparameters;
        if hyper.yuma3 && hyper.liquid_alpha && self.consensus.iter().any(|&median| median != 0) {
            liquid_bonds.fill(bonds, input, cells, &self.permits, &self.consensus, bond_weight);
            let LiquidBonds { spans, columns, .. } = liquid_bonds;
            bonds.store_yuma3(Saturating::new(alpha), spans, columns, &clipped.incentive, ledger);
            return;
        }
        match (hyper.yuma3, bounded) {
            (false, Some(average)) => bonds.yuma2(average, cells, clipped, ledger),
            (true, Some(average)) => bonds.yuma3(average, cells, clipped, ledger),
            (false, None) => bonds.yuma2(Saturating::new(alpha), cells, clipped, ledger),
            (true, None) => bonds.yuma3(Saturating::new(alpha), cells, clipped, ledger),
        }
    }

    fn publish(&mut self, input: &EpochInput) {
        let output = &mut self.output;
        let incentive = &self.clipped.incentive;
        let lists = [
            (&mut output.stake_weight, &self.stake),
            (&mut output.consensus, &self.consensus),
            (&mut output.incentive, incentive),
            (&mut output.dividends, &self.dividends),
            (&mut output.validator_trust, &self.clipped.trust),
        ];
        for (list, shares) in lists {
            list.clear();
            list.extend(shares.iter().copied().map(share_to_u16));
        }
        emission::pay(
            output,
            input.emission_rao,
            incentive,
            &self.dividends,
            &self.stake,
            &self.active_stake,
        );
    }
}
