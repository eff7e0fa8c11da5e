//! Bonds: a validator's moving average of what it has put on each miner, and the dividends that they earn.

use super::liquid_alpha::{LiquidAlpha, found_ascending};
use super::sparse::{
    Row, Sparse, from_integers, inplace_col_max_upscale_sparse, inplace_col_normalize_sparse,
    matmul_transpose_sparse, row_hadamard_sparse,
};
use super::vector::inplace_normalize;
use crate::fixed::{I32F32, I64F64};
use crate::input::EpochInput;

/// Bonds as they are stored (before the conversion to u16), and each validator's share of the dividends.
pub(in crate::tests) struct Bonded {
    pub(in crate::tests) bonds: Sparse,
    pub(in crate::tests) dividends: Vec<I32F32>,
}

/// Yuma 3: bonds are proportions per pair of validator and miner, and stake enters only in the dividends.
pub(in crate::tests) fn yuma3(
    input: &EpochInput,
    weights: &Sparse,
    consensus: &[I32F32],
    incentive: &[I32F32],
    active_stake: &[I32F32],
) -> Bonded {
    let mut old = current_bonds(input);
    old.iter_mut().flatten().for_each(|(_, bond)| *bond = bond.safe_div(I32F32::from(u16::MAX)));

    let consensus_exists = consensus.iter().any(|&median| median != I32F32::ZERO);
    let bonds = if input.hyperparameters.liquid_alpha && consensus_exists {
        mat_ema_alpha_sparse(weights, &old, consensus, &LiquidAlpha::of(&input.hyperparameters))
    } else {
        mat_ema_sparse(weights, &old, fixed_alpha(input))
    };

    let mut shares = bonds.clone();
    inplace_col_normalize_sparse(&mut shares, weights.len());
    let earned = matmul_transpose_sparse(&shares, incentive);
    let mut dividends: Vec<I32F32> =
        earned.iter().zip(active_stake).map(|(earned, &stake)| earned.saturating_mul(stake)).collect();
    inplace_normalize(&mut dividends);
    Bonded { bonds, dividends }
}

/// Yuma 2: bonds are shares of each miner, bought with stake; they are stored scaled up to each miner's largest.
pub(in crate::tests) fn yuma2(
    input: &EpochInput,
    weights: &Sparse,
    incentive: &[I32F32],
    active_stake: &[I32F32],
) -> Bonded {
    let uids = weights.len();
    let mut old = current_bonds(input);
    inplace_col_normalize_sparse(&mut old, uids);
    let mut bought = row_hadamard_sparse(weights, active_stake);
    inplace_col_normalize_sparse(&mut bought, uids);

    let mut bonds = mat_ema_sparse(&bought, &old, fixed_alpha(input));
    inplace_col_normalize_sparse(&mut bonds, uids);
    let mut dividends = matmul_transpose_sparse(&bonds, incentive);
    inplace_normalize(&mut dividends);
    inplace_col_max_upscale_sparse(&mut bonds, uids);
    Bonded { bonds, dividends }
}

/// `from` + `ratio` x (`to` - `from`), keeping what is positive; at 0 and 1 the matrices themselves, zeros included.
pub(in crate::tests) fn interpolate_sparse(
    from: &Sparse,
    to: &Sparse,
    columns: usize,
    ratio: I32F32,
) -> Sparse {
    if ratio == I32F32::ZERO {
        return from.clone();
    }
    if ratio == I32F32::ONE {
        return to.clone();
    }
    let mix = |(from, to): (&Row, &Row)| {
        let (from, to) = (dense(from, columns), dense(to, columns));
        let mixed = from.iter().zip(&to);
        positive(mixed.map(|(&from, to)| from.saturating_add(ratio.saturating_mul(to.saturating_sub(from)))))
    };
    from.iter().zip(to).map(mix).collect()
}

/// `alpha` x `new` + (1 - `alpha`) x `old`, keeping what is positive. The matrices are square.
pub(in crate::tests) fn mat_ema_sparse(new: &Sparse, old: &Sparse, alpha: I32F32) -> Sparse {
    let kept = I32F32::ONE.saturating_sub(alpha);
    let average = |(new_row, old_row): (&Row, &Row)| {
        let mut sums = vec![I32F32::ZERO; new.len()];
        for (row, factor) in [(new_row, alpha), (old_row, kept)] {
            for &(column, value) in row {
                let sum = &mut sums[usize::from(column)];
                *sum = sum.saturating_add(factor.saturating_mul(value));
            }
        }
        positive(sums.into_iter())
    };
    new.iter().zip(old).map(average).collect()
}

/// As [`mat_ema_sparse`] with an alpha per pair, except that only entries present in `new` survive: a bond to a miner
/// that the validator no longer names is gone at once, while one that it names with weight 0 decays.
pub(in crate::tests) fn mat_ema_alpha_sparse(
    new: &Sparse,
    old: &Sparse,
    consensus: &[I32F32],
    liquid_alpha: &LiquidAlpha,
) -> Sparse {
    let average = |(new_row, old_row): (&Row, &Row)| {
        let uids = consensus.len();
        let (weights, bonds) = (found_ascending(new_row, uids), found_ascending(old_row, uids));
        let old = dense(old_row, uids);
        let entry = |&(column, weight): &(u16, I32F32)| {
            let miner = usize::from(column);
            let alpha = liquid_alpha.alpha_sigmoid(consensus[miner], weights[miner], bonds[miner]);
            let decayed = I32F32::ONE.saturating_sub(alpha).saturating_mul(old[miner]);
            let bought = alpha.saturating_mul(weight).max(I32F32::ZERO);
            let bond = decayed.saturating_add(bought).min(I32F32::ONE);
            (bond > I32F32::ZERO).then_some((column, bond))
        };
        new_row.iter().filter_map(entry).collect()
    };
    new.iter().zip(old).map(average).collect()
}

/// Stored bonds as integers, without those to miners that registered since the last step.
fn current_bonds(input: &EpochInput) -> Sparse {
    let mut bonds = from_integers(&input.bonds);
    for row in &mut bonds {
        row.retain(|&(uid, _)| {
            input.last_step_boundary_block > input.block_at_registration[usize::from(uid)]
        });
    }
    bonds
}

/// 1 less the bonds moving average, whose ratio is floored to 2^-32 before the subtraction.
fn fixed_alpha(input: &EpochInput) -> I32F32 {
    let kept =
        I64F64::from_u64(input.hyperparameters.bonds_moving_average).safe_div(I64F64::from_u64(1_000_000));
    I32F32::ONE.saturating_sub(kept.to_i32f32())
}

fn dense(row: &Row, columns: usize) -> Vec<I32F32> {
    let mut values = vec![I32F32::ZERO; columns];
    row.iter().for_each(|&(column, value)| values[usize::from(column)] = value);
    values
}

fn positive(values: impl Iterator<Item = I32F32>) -> Row {
    (0..=u16::MAX).zip(values).filter(|&(_, value)| value > I32F32::ZERO).collect()
}
