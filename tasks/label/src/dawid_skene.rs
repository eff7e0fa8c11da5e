//! Dawid and Skene's model (1979), fitted by expectation maximisation from the majority's votes on.

/// What no probability of an error is below.
const LEAST: f64 = 1e-10;

/// Votes are (item, worker, class); gold is clamped to its class in every round.
pub(crate) fn fit(
    items: usize,
    workers: usize,
    classes: usize,
    votes: &[(usize, usize, usize)],
    gold: &[Option<usize>],
    iterations: usize,
) -> Vec<Vec<f64>> {
    let mut posterior = vec![vec![0.0; classes]; items];
    for (item, _, class) in votes {
        posterior[*item][*class] += 1.0;
    }
    settle(&mut posterior, gold);
    for _ in 0..iterations {
        let mut priors = vec![0.0; classes];
        for row in &posterior {
            for (prior, value) in priors.iter_mut().zip(row) {
                *prior += value / items as f64;
            }
        }
        let mut errors = vec![vec![LEAST; classes * classes]; workers];
        for (item, worker, class) in votes {
            for (truth, value) in posterior[*item].iter().enumerate() {
                errors[*worker][truth * classes + class] += value;
            }
        }
        for row in errors.iter_mut().flat_map(|errors| errors.chunks_mut(classes)) {
            let total: f64 = row.iter().sum();
            row.iter_mut().for_each(|value| *value = libm::log((*value / total).max(LEAST)));
        }
        let logs: Vec<f64> = priors.into_iter().map(|prior| libm::log(prior.max(LEAST))).collect();
        posterior.iter_mut().for_each(|row| row.copy_from_slice(&logs));
        for (item, worker, class) in votes {
            for (truth, value) in posterior[*item].iter_mut().enumerate() {
                *value += errors[*worker][truth * classes + class];
            }
        }
        for row in &mut posterior {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|value| *value = libm::exp(*value - most));
        }
        settle(&mut posterior, gold);
    }
    posterior
}

/// Rows that sum to 1, with gold in its class; a row of nothing is flat.
fn settle(posterior: &mut [Vec<f64>], gold: &[Option<usize>]) {
    for (row, gold) in posterior.iter_mut().zip(gold) {
        let (total, flat) = (row.iter().sum::<f64>(), 1.0 / row.len() as f64);
        for (class, value) in row.iter_mut().enumerate() {
            *value = match gold {
                Some(known) => f64::from(u8::from(class == *known)),
                None if total > 0.0 => *value / total,
                None => flat,
            };
        }
    }
}
