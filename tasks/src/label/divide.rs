//! Who labels which item: so many different workers each, with loads that differ by one at most, drawn from a seed.

use rand_chacha::ChaCha20Rng;
use weighhouse_models::draw::below;

/// The items of each worker, ascending. Each item goes to `overlap` workers, or to all where there are fewer.
pub fn divide(items: usize, workers: usize, overlap: usize, rng: &mut ChaCha20Rng) -> Vec<Vec<usize>> {
    let mut shares: Vec<Vec<usize>> = vec![Vec::new(); workers];
    for item in 0..items {
        // Those with the fewest so far, in an order that nobody knows.
        let mut order: Vec<(usize, u32, usize)> =
            (0..workers).map(|worker| (shares[worker].len(), below(u32::MAX, rng), worker)).collect();
        order.sort_unstable();
        order.iter().take(overlap).for_each(|(.., worker)| shares[*worker].push(item));
    }
    shares
}
