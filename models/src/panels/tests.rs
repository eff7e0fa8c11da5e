use super::*;

fn numbers(count: usize, mut seed: u32) -> Vec<f32> {
    let next = |_| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

#[test]
fn a_product_is_the_sum_of_products_whatever_the_shape() {
    for (count, outputs, inputs) in
        [(1, 1, 1), (1, 70, 9), (2, 32, 16), (13, 33, 64), (40, 96, 100), (25, 2, 3)]
    {
        let (rows, weights) = (numbers(count * inputs, 1), numbers(outputs * inputs, 2));
        let matrix = Matrix::from_rows(weights.clone(), outputs, inputs);
        assert_eq!(matrix.to_rows(), weights);
        let mut out = vec![f32::NAN; count * outputs];
        matrix.product(&rows, &mut out);
        for (row, out) in rows.chunks_exact(inputs).zip(out.chunks_exact(outputs)) {
            for (weights, out) in weights.chunks_exact(inputs).zip(out) {
                let sum: f64 = row.iter().zip(weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                assert!(
                    (sum - f64::from(*out)).abs() < 1e-5,
                    "{count} x {outputs} x {inputs}: {out} for {sum}"
                );
            }
        }
    }
}

#[test]
fn a_row_is_the_same_to_the_bit_among_others_and_on_more_threads() {
    let (count, outputs, inputs) = (27, 1_000, 128);
    let rows = numbers(count * inputs, 3);
    let matrix = Matrix::from_rows(numbers(outputs * inputs, 4), outputs, inputs);
    let product = |rows: &[f32], threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let mut out = vec![0.0; rows.len() / inputs * outputs];
        pool.install(|| matrix.product(rows, &mut out));
        out
    };
    let alone: Vec<f32> = rows.chunks_exact(inputs).flat_map(|row| product(row, 1)).collect();
    for threads in [1, 2, 3] {
        assert_eq!(product(&rows, threads), alone, "{threads} threads");
        assert_eq!(product(&rows[..inputs], threads), alone[..outputs], "{threads} threads, one row");
    }
}
