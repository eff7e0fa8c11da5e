//! Row operations between products, in loops that become vector instructions.

use pulp::{Arch, Simd, WithSimd};

use crate::sampling::power;

/// Running sums of a row.
const LANES: usize = 16;

/// RMSNorm of each row.
pub(crate) fn normed(rows: &[f32], weight: &[f32], epsilon: f32, to: &mut [f32]) {
    struct Normed<'a>(&'a [f32], &'a [f32], f32, &'a mut [f32]);
    impl WithSimd for Normed<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let Self(rows, weight, epsilon, to) = self;
            let width = weight.len();
            for (row, to) in rows.chunks_exact(width).zip(to.chunks_exact_mut(width)) {
                let scale = 1.0 / (sum(row, |value| value * value) / width as f32 + epsilon).sqrt();
                for ((to, value), weight) in to.iter_mut().zip(row).zip(weight) {
                    *to = value * scale * weight;
                }
            }
        }
    }
    Arch::new().dispatch(Normed(rows, weight, epsilon, to));
}

/// Layer normalisation of each row, in place.
pub(crate) fn layer_normed(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    struct Normed<'a>(&'a mut [f32], &'a [f32], &'a [f32], f32);
    impl WithSimd for Normed<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let Self(rows, weight, bias, epsilon) = self;
            let width = weight.len() as f32;
            for row in rows.chunks_exact_mut(weight.len()) {
                let mean = sum(row, |value| value) / width;
                let variance = sum(row, |value| (value - mean) * (value - mean)) / width;
                let scale = 1.0 / (variance + epsilon).sqrt();
                for ((value, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                    *value = (*value - mean) * scale * weight + bias;
                }
            }
        }
    }
    Arch::new().dispatch(Normed(rows, weight, bias, epsilon));
}

/// The heads at the beginning of each row that are rotated, and the row's length.
#[derive(Clone, Copy)]
pub(crate) struct RotatedHeads {
    pub(crate) heads: usize,
    pub(crate) row: usize,
}

/// Turns each pair (first half, second half) by its row's angle; `sines` has its first half negated.
pub(crate) fn rotate(all: &mut [f32], turned: RotatedHeads, width: usize, cosines: &[f32], sines: &[f32]) {
    let angles = cosines.chunks_exact(width).zip(sines.chunks_exact(width));
    for (row, (cosines, sines)) in all.chunks_exact_mut(turned.row).zip(angles) {
        let (cosines, (_, sines)) = (&cosines[..width / 2], sines.split_at(width / 2));
        for head in row.chunks_exact_mut(width).take(turned.heads) {
            let (first, second) = head.split_at_mut(width / 2);
            for (((first, second), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                (*first, *second) = (*first * cosine - *second * sine, *second * cosine + *first * sine);
            }
        }
    }
}

pub(crate) fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}

/// SwiGLU: of each row the first `width` numbers gate the others.
pub(crate) fn gate(rows: &[f32], width: usize, to: &mut Vec<f32>) {
    struct Gate<'a>(&'a [f32], usize, &'a mut [f32]);
    impl WithSimd for Gate<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            let Self(rows, width, to) = self;
            for (row, to) in rows.chunks_exact(2 * width).zip(to.chunks_exact_mut(width)) {
                let (gates, values) = row.split_at(width);
                for ((to, gate), value) in to.iter_mut().zip(gates).zip(values) {
                    // By the sigmoid's symmetry, as `power` takes no number above 0.
                    let small = power(-gate.abs());
                    let share = if *gate >= 0.0 { 1.0 } else { small } / (1.0 + small);
                    *to = gate * share * value;
                }
            }
        }
    }
    to.resize(rows.len() / 2, 0.0);
    Arch::new().dispatch(Gate(rows, width, to));
}

/// GELU by the Gaussian error function, which Abramowitz and Stegun's 7.1.26 gives to 1.5e-7.
pub(crate) fn gelu(rows: &mut [f32]) {
    struct Gelu<'a>(&'a mut [f32]);
    impl WithSimd for Gelu<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for value in self.0 {
                let x = value.abs() * std::f32::consts::FRAC_1_SQRT_2;
                let t = 1.0 / (1.0 + 0.327_591_1 * x);
                let p = 1.061_405_4_f32;
                let p = p * t - 1.453_152_1;
                let p = p * t + 1.421_413_8;
                let p = p * t - 0.284_496_72;
                let p = p * t + 0.254_829_6;
                let error = 1.0 - p * t * power(-x * x);
                // The function is odd.
                *value *= 0.5 * (1.0 + if *value < 0.0 { -error } else { error });
            }
        }
    }
    Arch::new().dispatch(Gelu(rows));
}

/// Makes the first `count` scores powers of e, relative to the largest, and the others 0; their sum. The row's length
/// changes no bit of it.
#[inline(always)]
pub(crate) fn powers(scores: &mut [f32], count: usize) -> f32 {
    let (seen, unseen) = scores.split_at_mut(count);
    let peak = largest(seen);
    seen.iter_mut().for_each(|score| *score = power(*score - peak));
    unseen.fill(0.0);
    sum(scores, |value| value)
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (largest, value) in largest.iter_mut().zip(chunk) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    largest.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += of(*value);
        }
    }
    // Each into the lane that it would have in a whole chunk, so that zeros appended change no bit.
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += of(*value);
    }
    sums.iter().sum()
}
