//! Rank correlation.

/// Spearman's rank correlation of two vectors of one length, equals sharing their mean rank; `None` if either has no two
/// different values.
pub(super) fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    let (one, other) = (ranks(one), ranks(other));
    let mean = (one.len() as f64 + 1.0) / 2.0;
    let (mut product, mut of_one, mut of_other) = (0.0, 0.0, 0.0);
    for (one, other) in one.iter().zip(&other) {
        product += (one - mean) * (other - mean);
        of_one += (one - mean) * (one - mean);
        of_other += (other - mean) * (other - mean);
    }
    let scale = (of_one * of_other).sqrt();
    (scale > 0.0).then(|| product / scale)
}

/// From 1, equals sharing their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &other| values[one].total_cmp(&values[other]));
    let mut ranks = vec![0.0; values.len()];
    for equals in order.chunk_by(|&one, &other| values[one] == values[other]) {
        let before = order.partition_point(|&at| values[at] < values[equals[0]]);
        let rank = before as f64 + (equals.len() as f64 + 1.0) / 2.0;
        equals.iter().for_each(|&at| ranks[at] = rank);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::spearman;

    #[test]
    fn ranks_alone_matter_and_ties_share_theirs() {
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[5.0, 6.0, 7.0]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        let tied = spearman(&[1.0, 1.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).expect("both differ");
        // Ranks 1.5, 1.5, 3, 4 against 1, 2, 3, 4: 4.5 over the root of 4.5 times 5.
        assert!((tied - 0.948_683_298_050_513_8).abs() < 1e-12, "{tied}");
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[], &[]), None);
    }
}
