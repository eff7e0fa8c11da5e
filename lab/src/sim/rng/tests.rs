use super::*;

#[test]
fn the_first_numbers_of_a_stream_are_fixed_for_ever() {
    // Splitmix64 seeded with 0 begins with these three (its authors' reference output); our counter starts one lower.
    let plain = Stream { key: 0 };
    assert_eq!(plain.at(1), 0xe220_a839_7b1d_cdaf);
    assert_eq!(plain.at(2), 0x6e78_9e6a_a1b9_65f4);
    assert_eq!(plain.at(3), 0x06c4_5d18_8009_454f);
}

#[test]
fn streams_differ_by_seed_id_order_and_length() {
    let all = [
        Stream::new(1, &[2, 3]),
        Stream::new(2, &[2, 3]),
        Stream::new(1, &[3, 2]),
        Stream::new(1, &[2]),
        Stream::new(1, &[2, 3, 0]),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.key != one.key));
    }
}

#[test]
fn deviates_have_the_moments_and_the_tails_of_a_normal_distribution() {
    let (normal, stream) = (Normal::table(), Stream::new(7, &[]));
    let (mut sum, mut squares, mut products, mut beyond_two) = (0.0, 0.0, 0.0, 0_u32);
    let draws = 200_000;
    for counter in 0..draws {
        let (one, other) = normal.pair(stream.at(counter));
        sum += one + other;
        squares += one * one + other * other;
        products += one * other;
        beyond_two += u32::from(one.abs() > 2.0) + u32::from(other.abs() > 2.0);
    }
    let count = 2.0 * draws as f64;
    assert!((sum / count).abs() < 0.006, "mean {}", sum / count);
    assert!((squares / count - 1.0).abs() < 0.01, "variance {}", squares / count);
    assert!((2.0 * products / count).abs() < 0.01, "covariance {}", 2.0 * products / count);
    let tail = f64::from(beyond_two) / count;
    assert!((tail - 0.0455).abs() < 0.002, "beyond two deviations {tail}");
}

#[test]
fn the_table_agrees_with_published_quantiles() {
    let normal = Normal::table();
    assert!((normal.knots[STEPS / 2] - 0.674_489_750_196_081_7).abs() < 1e-12);
    assert!((normal.knots[STEPS * 3 / 4] - 1.150_349_380_376_008).abs() < 1e-12);
    assert!(normal.knots[STEPS] > 3.0 && normal.knots[STEPS] < 5.0, "{}", normal.knots[STEPS]);
    assert!(normal.knots.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn uniforms_lie_in_the_unit_interval() {
    let stream = Stream::new(3, &[1]);
    let mean =
        (0..10_000).map(|counter| stream.uniform(counter)).inspect(|u| assert!((0.0..1.0).contains(u)));
    assert!((mean.sum::<f64>() / 10_000.0 - 0.5).abs() < 0.02);
}
