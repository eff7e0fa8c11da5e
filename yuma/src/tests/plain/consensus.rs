//! Consensus is the stake-weighted median of the weights on each miner; weights above it are clipped to it.

use super::sparse::{Sparse, matmul_sparse};
use super::vector::inplace_normalize;
use crate::fixed::I32F32;

/// The weighted median of each column over the validators with stake; a missing weight counts as 0.
pub(in crate::tests) fn weighted_median_col_sparse(
    stake: &[I32F32],
    score: &Sparse,
    columns: usize,
    majority: I32F32,
) -> Vec<I32F32> {
    let voters: Vec<usize> = (0..stake.len()).filter(|&voter| stake[voter] > I32F32::ZERO).collect();
    let mut votes: Vec<I32F32> = voters.iter().map(|&voter| stake[voter]).collect();
    inplace_normalize(&mut votes);
    let minority = votes.iter().copied().sum::<I32F32>().saturating_sub(majority);

    let mut by_column: Vec<Vec<(usize, I32F32)>> = vec![Vec::new(); columns];
    for (position, &voter) in voters.iter().enumerate() {
        for &(column, value) in &score[voter] {
            by_column[usize::from(column)].push((position, value));
        }
    }
    let mut dense = vec![I32F32::ZERO; voters.len()];
    let median = |entries: &Vec<(usize, I32F32)>| {
        entries.iter().for_each(|&(position, value)| dense[position] = value);
        let median = weighted_median(&votes, &dense, minority);
        entries.iter().for_each(|&(position, _)| dense[position] = I32F32::ZERO);
        median
    };
    by_column.iter().map(median).collect()
}

/// The score at which the stake below passes `minority`, found by quick-select with the middle of the list as pivot.
/// Which of two scores is taken when the stakes meet `minority` exactly depends on these very comparisons.
pub(in crate::tests) fn weighted_median(stake: &[I32F32], score: &[I32F32], minority: I32F32) -> I32F32 {
    let stake_of = |part: &[usize]| part.iter().map(|&index| stake[index]).sum::<I32F32>();
    let mut part: Vec<usize> = (0..score.len()).collect();
    let mut low = I32F32::ZERO;
    let mut high: I32F32 = stake.iter().copied().sum();
    // Each round drops at least the pivot, so the list gets down to one.
    while part.len() > 1 {
        let pivot = score[part[part.len() / 2]];
        let lower: Vec<usize> = part.iter().copied().filter(|&index| score[index] < pivot).collect();
        let upper: Vec<usize> = part.iter().copied().filter(|&index| score[index] > pivot).collect();
        let below = low.saturating_add(stake_of(&lower));
        let up_to = high.saturating_sub(stake_of(&upper));
        if minority < below && !lower.is_empty() {
            part = lower;
            high = below;
        } else if up_to <= minority && !upper.is_empty() {
            part = upper;
            low = up_to;
        } else {
            return pivot;
        }
    }
    part.first().map_or(I32F32::ZERO, |&index| score[index])
}

/// Lowers entries to their column's threshold; an entry above a threshold of 0 is dropped altogether.
pub(in crate::tests) fn col_clip_sparse(matrix: &Sparse, thresholds: &[I32F32]) -> Sparse {
    let clip = |&(column, value): &(u16, I32F32)| {
        let threshold = thresholds[usize::from(column)];
        match threshold < value {
            true => (threshold > I32F32::ZERO).then_some((column, threshold)),
            false => Some((column, value)),
        }
    };
    matrix.iter().map(|row| row.iter().filter_map(clip).collect()).collect()
}

/// Each miner's share of the clipped weights, weighted by stake.
pub(in crate::tests) fn incentive(clipped: &Sparse, active_stake: &[I32F32]) -> Vec<I32F32> {
    let mut ranks = matmul_sparse(clipped, active_stake, clipped.len());
    inplace_normalize(&mut ranks);
    ranks
}
