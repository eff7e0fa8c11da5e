//! Selection of the stored weights that count in this epoch.

use super::sparse::{
    Sparse, from_integers, inplace_row_normalize_sparse, mask_diag_sparse_except_index, mask_rows_sparse,
    vec_mask_sparse_matrix,
};
use crate::input::EpochInput;

/// Weights of permitted validators, without self-weights (but the owner's) and without those meant for a uid's previous
/// holder, each row divided by its sum.
pub(in crate::tests) fn masked(input: &EpochInput, permits: &[bool]) -> Sparse {
    let forbidden: Vec<bool> = permits.iter().map(|permit| !permit).collect();
    let registered = &input.block_at_registration;

    let weights = mask_rows_sparse(&forbidden, from_integers(&input.weights));
    let weights = mask_diag_sparse_except_index(weights, input.owner_uid);
    let mut weights =
        vec_mask_sparse_matrix(weights, &input.last_update, registered, |updated, registered| {
            updated <= registered
        });
    if input.hyperparameters.commit_reveal {
        // Without a pending commit nothing can predate a registration.
        let committed: Vec<u64> =
            input.earliest_commit_block.iter().map(|block| block.unwrap_or(u64::MAX)).collect();
        weights = vec_mask_sparse_matrix(weights, &committed, registered, |committed, registered| {
            committed < registered
        });
    }
    inplace_row_normalize_sparse(&mut weights);
    weights
}
