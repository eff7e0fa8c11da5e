//! The pallet's operations on sparse square matrices: a row per uid of (column, value), columns in any order, each at
//! most once. Entries of zero are kept where the pallet keeps them, because Yuma 3 tells them from absent ones.

use crate::fixed::I32F32;

pub(in crate::tests) type Row = Vec<(u16, I32F32)>;
pub(in crate::tests) type Sparse = Vec<Row>;

/// Stored integers as fixed-point numbers.
pub(in crate::tests) fn from_integers(rows: &[Vec<(u16, u16)>]) -> Sparse {
    let convert = |row: &Vec<(u16, u16)>| row.iter().map(|&(column, value)| (column, value.into())).collect();
    rows.iter().map(convert).collect()
}

/// Empties the rows where the mask is true.
pub(in crate::tests) fn mask_rows_sparse(mask: &[bool], mut matrix: Sparse) -> Sparse {
    for (row, _) in matrix.iter_mut().zip(mask).filter(|&(_, &masked)| masked) {
        row.clear();
    }
    matrix
}

/// Drops entries (i, i), except that of `except_index`.
pub(in crate::tests) fn mask_diag_sparse_except_index(
    mut matrix: Sparse,
    except_index: Option<u16>,
) -> Sparse {
    for (index, row) in matrix.iter_mut().enumerate() {
        row.retain(|&(column, _)| usize::from(column) != index || Some(column) == except_index);
    }
    matrix
}

/// Drops entries (i, j) for which `mask(first[i], second[j])` holds.
pub(in crate::tests) fn vec_mask_sparse_matrix(
    mut matrix: Sparse,
    first: &[u64],
    second: &[u64],
    mask: impl Fn(u64, u64) -> bool,
) -> Sparse {
    for (row, &of_row) in matrix.iter_mut().zip(first) {
        row.retain(|&(column, _)| !mask(of_row, second[usize::from(column)]));
    }
    matrix
}

/// Divides each row with a positive sum by it.
pub(in crate::tests) fn inplace_row_normalize_sparse(matrix: &mut Sparse) {
    for row in matrix {
        let sum: I32F32 = row.iter().map(|&(_, value)| value).sum();
        if sum > I32F32::ZERO {
            row.iter_mut().for_each(|(_, value)| *value = value.safe_div(sum));
        }
    }
}

/// Divides each column by its sum, unless that is zero.
pub(in crate::tests) fn inplace_col_normalize_sparse(matrix: &mut Sparse, columns: usize) {
    inplace_col_divide(matrix, columns, I32F32::saturating_add);
}

/// Divides each column by its largest entry, unless that is zero.
pub(in crate::tests) fn inplace_col_max_upscale_sparse(matrix: &mut Sparse, columns: usize) {
    inplace_col_divide(matrix, columns, I32F32::max);
}

fn inplace_col_divide(matrix: &mut Sparse, columns: usize, fold: impl Fn(I32F32, I32F32) -> I32F32) {
    let mut divisors = vec![I32F32::ZERO; columns];
    for &(column, value) in matrix.iter().flatten() {
        let divisor = &mut divisors[usize::from(column)];
        *divisor = fold(*divisor, value);
    }
    for (column, value) in matrix.iter_mut().flatten() {
        let divisor = divisors[usize::from(*column)];
        if divisor != I32F32::ZERO {
            *value = value.safe_div(divisor);
        }
    }
}

/// The sum of each row.
pub(in crate::tests) fn row_sum_sparse(matrix: &Sparse) -> Vec<I32F32> {
    matrix.iter().map(|row| row.iter().map(|&(_, value)| value).sum()).collect()
}

/// Each row times the vector's entry for that row.
pub(in crate::tests) fn row_hadamard_sparse(matrix: &Sparse, vector: &[I32F32]) -> Sparse {
    let scale = |(row, &factor): (&Row, &I32F32)| {
        row.iter().map(|&(column, value)| (column, value.saturating_mul(factor))).collect()
    };
    matrix.iter().zip(vector).map(scale).collect()
}

/// `result[j]` = sum over i of `vector[i]` x `matrix[i][j]`, each product floored, in the order of i.
pub(in crate::tests) fn matmul_sparse(matrix: &Sparse, vector: &[I32F32], columns: usize) -> Vec<I32F32> {
    let mut result = vec![I32F32::ZERO; columns];
    for (row, &factor) in matrix.iter().zip(vector) {
        for &(column, value) in row {
            let sum = &mut result[usize::from(column)];
            *sum = sum.saturating_add(factor.saturating_mul(value));
        }
    }
    result
}

/// `result[i]` = sum over j of `matrix[i][j]` x `vector[j]`, each product floored.
pub(in crate::tests) fn matmul_transpose_sparse(matrix: &Sparse, vector: &[I32F32]) -> Vec<I32F32> {
    let dot = |row: &Row| {
        row.iter().map(|&(column, value)| value.saturating_mul(vector[usize::from(column)])).sum()
    };
    matrix.iter().map(dot).collect()
}
