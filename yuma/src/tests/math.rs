//! `math_vectors.json`: the primitives, from the pallet's own unit tests. Matrices go through the sparse functions, with
//! zeros left out, because the dense ones are not the chain's path.

use serde_json::Value;

use super::plain::sparse::Sparse;
use super::plain::{bonds, consensus, permits, sparse, vector};
use super::vectors::load;
use super::*;
use crate::fixed::{I32F32, I64F64, exp_safe};

#[test]
fn yuma_primitives_give_what_the_pallets_math_tests_assert() {
    let file: Value = load("math_vectors.json");
    let cases = file["vectors"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let epsilon = case.get("epsilon").map_or(I32F32::ZERO, number);
        let expected = &case["expected"];
        match result(case) {
            Found::Exact(found) => assert_eq!(&found, expected, "{case}"),
            Found::Numbers(found) => {
                let expected = numbers(expected);
                assert_eq!(found.len(), expected.len(), "{case}");
                for (found, expected) in found.iter().zip(expected) {
                    let distance = found.saturating_sub(expected).max(expected.saturating_sub(*found));
                    assert!(distance <= epsilon, "{case}: {found:?}, not {expected:?}");
                }
            }
            Found::Checked => {}
        }
    }
}

enum Found {
    Exact(Value),
    Numbers(Vec<I32F32>),
    /// Compared on the spot, because the expectation is a text.
    Checked,
}

fn result(case: &Value) -> Found {
    let function = case["function"].as_str().unwrap();
    let inputs = &case["inputs"];
    let rows = || usize::try_from(inputs["rows"].as_u64().unwrap()).unwrap();
    let matrix = || sparse_rows(&numbers(&inputs["flat"]), rows());
    let list = |field: &str| numbers(&inputs[field]);
    match function {
        "vec_max_upscale_to_u16" => Found::Exact(upscale::vec_max_upscale_to_u16(&list("vector_f32")).into()),
        "vec_u16_max_upscale_to_u16" => {
            Found::Exact(max_upscale(&from_value::<Vec<u16>>(&inputs["vector_u16"])).into())
        }
        "check_vec_max_limited" => {
            let weights: Vec<u16> = from_value(&inputs["vector_u16"]);
            Found::Exact(check_vec_max_limited(&weights, from_value(&inputs["max_limit"])).into())
        }
        "is_topk" => check_topk(inputs, &case["expected"]),
        "1 - I32F32(bonds_moving_average/1e6)" => {
            let ratio = I64F64::from_u64(from_value(&inputs["bonds_moving_average"]))
                .safe_div(I64F64::from_u64(1_000_000))
                .to_i32f32();
            assert_eq!(I32F32::ONE.saturating_sub(ratio), number_f64(&case["expected"]), "{case}");
            Found::Checked
        }
        "u64 / 21e15 as I64F64 then to I32F32" => check_stake_ratio(case),
        "sigmoid_safe(trust,rho,kappa)" => {
            let (rho, kappa) = (number_f64(&inputs["rho"]), number_f64(&inputs["kappa"]));
            let sigmoids = |trust: Vec<I32F32>| -> Vec<I32F32> {
                trust.into_iter().map(|trust| sigmoid_safe(trust, rho, kappa)).collect()
            };
            // Upstream writes the inputs of some of these cases as f32 and of others as f64; the file does not say which.
            let found = [sigmoids(list("trust")), sigmoids(list_f64(&inputs["trust"]))];
            assert!(found.contains(&list_f64(&case["expected"])), "{case}: {found:?}");
            Found::Checked
        }
        "exp_safe" => {
            for (x, clamped) in [(I32F32::MIN, -20), (I32F32::from(-21_i16), -20), (I32F32::from(21_i16), 20)]
            {
                assert_eq!(exp_safe(x), exp_safe(I32F32::from(clamped as i16)), "{case}");
            }
            assert_eq!(exp_safe(I32F32::MAX), exp_safe(I32F32::from(20_i16)), "{case}");
            Found::Checked
        }
        "normalize / inplace_normalize / inplace_normalize_64" => {
            let mut values = list("x");
            vector::inplace_normalize(&mut values);
            Found::Numbers(values)
        }
        "inplace_mask_vector" => {
            let mut values = list("vector");
            vector::inplace_mask_vector(&from_value::<Vec<bool>>(&inputs["mask"]), &mut values);
            Found::Numbers(values)
        }
        "vecdiv" => {
            let divide = |(x, y): (&I32F32, I32F32)| x.safe_div(y);
            Found::Numbers(list("x").iter().zip(list("y")).map(divide).collect())
        }
        "inplace_row_normalize" | "inplace_row_normalize_sparse" => {
            let mut values = matrix();
            sparse::inplace_row_normalize_sparse(&mut values);
            Found::Numbers(flatten(&values, list("flat").len() / rows()))
        }
        "inplace_col_normalize" | "inplace_col_normalize_sparse" => {
            by_columns(inputs, sparse::inplace_col_normalize_sparse)
        }
        "inplace_col_max_upscale" | "inplace_col_max_upscale_sparse" => {
            by_columns(inputs, sparse::inplace_col_max_upscale_sparse)
        }
        _ if inputs.get("flat").is_some() => {
            matrix_result(function, inputs, matrix(), list("flat").len() / rows())
        }
        "interpolate(_sparse)" => {
            let rows = inputs["rows"].as_u64().unwrap_or(1) as usize;
            let (from, to) = (list("mat1"), list("mat2"));
            let columns = from.len() / rows;
            let (from, to) = (sparse_rows(&from, rows), sparse_rows(&to, rows));
            let mixed = bonds::interpolate_sparse(&from, &to, columns, number_f64(&inputs["ratio"]));
            Found::Numbers(flatten(&mixed, columns))
        }
        name if name.starts_with("weighted_median(") => {
            let minority = I32F32::ONE.saturating_sub(number(&inputs["majority"]));
            let mut stake = list("stake");
            if stake.len() == 1 {
                vector::inplace_normalize(&mut stake);
            }
            let median = consensus::weighted_median(&stake, &list("score"), minority);
            assert_eq!(median, number(&case["expected"]), "{case}");
            Found::Checked
        }
        name => panic!("{name}: no such function"),
    }
}

fn matrix_result(function: &str, inputs: &Value, matrix: Sparse, columns: usize) -> Found {
    let list = |field: &str| numbers(&inputs[field]);
    let integers = |field: &str| from_value::<Vec<u64>>(&inputs[field]);
    let changed = match function {
        "inplace_mask_matrix" => {
            assert_eq!(inputs["mask"], format!("identity({})", matrix.len()));
            sparse::mask_diag_sparse_except_index(matrix, None)
        }
        "inplace_mask_rows / mask_rows_sparse" => {
            sparse::mask_rows_sparse(&from_value::<Vec<bool>>(&inputs["mask"]), matrix)
        }
        "inplace_mask_diag / mask_diag_sparse" => sparse::mask_diag_sparse_except_index(matrix, None),
        "mask_diag(_sparse)_except_index" => {
            sparse::mask_diag_sparse_except_index(matrix, Some(from_value(&inputs["except_index"])))
        }
        "vec_mask_sparse_matrix(a==b)" => {
            sparse::vec_mask_sparse_matrix(matrix, &integers("first"), &integers("second"), |a, b| a == b)
        }
        "vec_mask_sparse_matrix(a<b)" => {
            sparse::vec_mask_sparse_matrix(matrix, &integers("first"), &integers("second"), |a, b| a < b)
        }
        "mat_vec_mul(_sparse)" => {
            // The epoch sums these products at once; each alone is the transposed product with one unit entry.
            let vector = list("vector");
            let mut product = vec![I32F32::ZERO; matrix.len() * columns];
            for column in 0..columns {
                let mut unit = vec![I32F32::ZERO; columns];
                unit[column] = vector[column];
                for (row, value) in sparse::matmul_transpose_sparse(&matrix, &unit).into_iter().enumerate() {
                    product[row * columns + column] = value;
                }
            }
            return Found::Numbers(product);
        }
        "row_hadamard(_sparse)" => sparse::row_hadamard_sparse(&matrix, &list("vector")),
        "row_sum(_sparse)" | "row_sum_sparse" => return Found::Numbers(sparse::row_sum_sparse(&matrix)),
        "matmul(_sparse)" | "matmul_sparse" => {
            return Found::Numbers(sparse::matmul_sparse(&matrix, &list("vector"), columns));
        }
        "matmul_transpose(_sparse)" | "matmul_transpose_sparse" => {
            return Found::Numbers(sparse::matmul_transpose_sparse(&matrix, &list("vector")));
        }
        "inplace_col_clip" | "col_clip_sparse" => consensus::col_clip_sparse(&matrix, &list("threshold")),
        "weighted_median_col(_sparse)" => {
            let (stake, majority) = (list("stake"), number(&inputs["majority"]));
            return Found::Numbers(consensus::weighted_median_col_sparse(&stake, &matrix, columns, majority));
        }
        name => panic!("{name}: no such function"),
    };
    Found::Numbers(flatten(&changed, columns))
}

/// The epoch only ever asks for the top k that are not zero.
fn check_topk(inputs: &Value, expected: &Value) -> Found {
    let values = numbers(&inputs["vector"]);
    let expected: Vec<bool> = from_value(expected);
    let nonzero = values.iter().map(|&value| value != I32F32::ZERO);
    let expected: Vec<bool> = expected.iter().zip(nonzero).map(|(&top, nonzero)| top && nonzero).collect();
    assert_eq!(permits::is_topk_nonzero(&values, from_value(&inputs["k"])), expected, "{inputs}");
    Found::Checked
}

fn check_stake_ratio(case: &Value) -> Found {
    let (part, total) = (from_value(&case["inputs"]["u64"]), from_value(&case["inputs"]["total"]));
    let ratio = I64F64::from_u64(part).safe_div(I64F64::from_u64(total));
    let expected = |field: &str, bits: u32| nearest_step(case["expected"][field].as_str().unwrap(), bits);
    assert_eq!(ratio.to_bits(), expected("I64F64", 64), "{case}");
    assert_eq!(i128::from(ratio.to_i32f32().to_bits()), expected("I32F32", 32), "{case}");
    Found::Checked
}

/// Column-major input: each chunk of the list is a column.
fn by_columns(inputs: &Value, change: impl Fn(&mut Sparse, usize)) -> Found {
    let flat = numbers(&inputs["flat"]);
    let columns = inputs["cols"].as_u64().unwrap() as usize;
    let rows = flat.len() / columns;
    let mut matrix = sparse_rows(&transpose(&flat, columns), rows);
    change(&mut matrix, columns);
    Found::Numbers(transpose(&flatten(&matrix, columns), rows))
}

fn transpose(flat: &[I32F32], rows: usize) -> Vec<I32F32> {
    let columns = flat.len() / rows;
    (0..flat.len()).map(|at| flat[at % rows * columns + at / rows]).collect()
}

pub(super) fn sparse_rows(flat: &[I32F32], rows: usize) -> Sparse {
    let row = |values: &[I32F32]| {
        let entries = values.iter().copied().enumerate().filter(|&(_, value)| value != I32F32::ZERO);
        entries.map(|(column, value)| (column as u16, value)).collect()
    };
    (0..rows).map(|at| row(&flat[flat.len() / rows * at..flat.len() / rows * (at + 1)])).collect()
}

fn flatten(matrix: &Sparse, columns: usize) -> Vec<I32F32> {
    let mut flat = vec![I32F32::ZERO; matrix.len() * columns];
    for (row, entries) in matrix.iter().enumerate() {
        entries.iter().for_each(|&(column, value)| flat[row * columns + usize::from(column)] = value);
    }
    flat
}

/// Not part of the epoch any more; the pallet tests its exponential through it.
fn sigmoid_safe(input: I32F32, rho: I32F32, kappa: I32F32) -> I32F32 {
    let slope = rho.saturating_mul(I32F32::from(-1_i16));
    let power = exp_safe(slope.saturating_mul(input.saturating_sub(kappa)));
    I32F32::ONE.safe_div(power.saturating_add(I32F32::ONE))
}

/// The step of 2^-`bits` nearest to a decimal below 2.
fn nearest_step(decimal: &str, bits: u32) -> i128 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, "0"));
    let unit = 10_u128.pow(fraction.len() as u32);
    let mut remainder: u128 = fraction.parse().unwrap();
    let mut steps: u128 = whole.parse().unwrap();
    for _ in 0..bits {
        remainder *= 2;
        steps = steps * 2 + remainder / unit;
        remainder %= unit;
    }
    (steps + remainder * 2 / unit) as i128
}

/// The pallet's tests write most constants as `f32`.
pub(super) fn number(value: &Value) -> I32F32 {
    fixed(value, |value| f64::from(value as f32))
}

fn number_f64(value: &Value) -> I32F32 {
    fixed(value, |value| value)
}

fn fixed(value: &Value, narrow: impl Fn(f64) -> f64) -> I32F32 {
    match value.as_str().map(|text| text.strip_prefix("I32F32::").unwrap_or(text)) {
        Some("MIN") => I32F32::MIN,
        Some("MAX") => I32F32::MAX,
        Some(text) => {
            let (numerator, denominator) = text.split_once('/').unwrap();
            let part = |text: &str| I32F32::from(text.parse::<u16>().unwrap());
            part(numerator).safe_div(part(denominator))
        }
        None => {
            let value = narrow(value.as_f64().unwrap_or_else(|| panic!("{value} is no number")));
            I32F32::from_bits((value * 4_294_967_296.0).round_ties_even() as i64)
        }
    }
}

pub(super) fn numbers(list: &Value) -> Vec<I32F32> {
    list.as_array().unwrap_or_else(|| panic!("{list} is no list")).iter().map(number).collect()
}

fn list_f64(list: &Value) -> Vec<I32F32> {
    list.as_array().unwrap_or_else(|| panic!("{list} is no list")).iter().map(number_f64).collect()
}

fn from_value<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
}
