use proptest::prelude::*;

use super::*;

/// Any test value: `value` to the nearest step, ties to even, as the chain converts a float.
fn fixed(value: f64) -> I32F32 {
    I32F32::from_bits((value * 4_294_967_296.0).round_ties_even() as i64)
}

#[test]
fn products_floor_and_quotients_truncate() {
    let step = I32F32::from_bits(1);
    let minus_step = I32F32::from_bits(-1);
    assert_eq!(step.saturating_mul(I32F32::HALF), I32F32::ZERO);
    assert_eq!(minus_step.saturating_mul(I32F32::HALF), minus_step);
    assert_eq!(minus_step.safe_div(I32F32::from(2_u16)), I32F32::ZERO);
    assert_eq!(I32F32::MAX.saturating_mul(I32F32::from(-2_i16)), I32F32::MIN);
    assert_eq!(I32F32::MIN.saturating_mul(I32F32::MIN), I32F32::MAX);
}

#[test]
fn what_cannot_be_divided_is_zero() {
    assert_eq!(I32F32::ONE.safe_div(I32F32::ZERO), I32F32::ZERO);
    assert_eq!(I32F32::MIN.safe_div(I32F32::from(-1_i16)), I32F32::ZERO);
    assert_eq!(I64F64::from_u64(3).safe_div(I64F64::ZERO), I64F64::ZERO);
    assert_eq!(I64F64::from_u64(3).safe_div(I64F64::from_bits(1)), I64F64::ZERO);
}

#[test]
fn integers_come_out_floored_and_halves_round_away_from_zero() {
    assert_eq!(fixed(-0.5).to_u16(), 0);
    assert_eq!(fixed(1.9).to_u16(), 1);
    assert_eq!(fixed(70_000.0).to_u16(), u16::MAX);
    assert_eq!(fixed(2.5).round(), fixed(3.0));
    assert_eq!(fixed(-2.5).round(), fixed(-3.0));
    assert_eq!(fixed(-2.4).round(), fixed(-2.0));
    assert_eq!(fixed(-2.0).round(), fixed(-2.0));
    assert_eq!(I96F32::from_bits(-1).to_u64(), 0);
    assert_eq!(I96F32::from_bits(i128::MAX).to_u64(), u64::MAX);
    assert_eq!(I64F64::from_u64(u64::MAX).to_u64(), i64::MAX as u64);
}

#[test]
fn the_exponential_has_the_chains_inexact_bits() {
    assert_eq!(exp_safe(I32F32::ZERO), I32F32::ONE);
    assert_eq!(exp_safe(I32F32::ONE).to_bits(), 22_802_600 << 9);
    // The reciprocal of the series at 1, which is nearer to e than the constant is.
    let series = exp_safe(I32F32::from_bits((1 << 32) + 1)).to_bits();
    assert!(series > exp_safe(I32F32::ONE).to_bits());
    assert_eq!(exp_safe(I32F32::from(-1_i16)), fixed(0.367_879_441_171_442_33));
    assert_eq!(exp_safe(I32F32::MAX), exp_safe(I32F32::from(20_i16)));
    assert_eq!(exp_safe(I32F32::MIN), exp_safe(I32F32::from(-20_i16)));
    let at_twenty = exp_safe(I32F32::from(20_i16)).to_bits() >> 32;
    assert!((470_000_000..485_165_195).contains(&at_twenty), "{at_twenty}");
}

#[test]
fn wide_products_keep_the_bits_beyond_128() {
    let big = I64F64::from_bits((1 << 126) + 1);
    assert_eq!(big.saturating_mul(I64F64::from_bits(1 << 63)), I64F64::from_bits(1 << 125));
    assert_eq!(I64F64::from_bits(-1).saturating_mul(I64F64::from_bits(1)), I64F64::from_bits(-1));
    assert_eq!(big.saturating_mul(big), I64F64::from_bits(i128::MAX));
    assert_eq!(big.saturating_mul(I64F64::from_bits(-big.to_bits())), I64F64::from_bits(i128::MIN));
    let rao = I96F32::from_u64(u64::MAX);
    assert_eq!(rao.saturating_mul(I96F32::from(I32F32::ONE)).to_u64(), u64::MAX);
}

/// The series as the chain writes it, with a check at each step.
fn checked_exp(x: I32F32) -> Option<I32F32> {
    if x == I32F32::ZERO {
        return Some(I32F32::ONE);
    }
    if x == I32F32::ONE {
        return Some(I32F32::from_bits(22_802_600 << 9));
    }
    let magnitude = x.max(I32F32::ZERO.saturating_sub(x));
    let mut sum = magnitude.checked_add(I32F32::ONE)?;
    let mut term = magnitude;
    for n in 2..=31_u16 {
        term = term.checked_mul(magnitude)?.checked_div(I32F32::from(n))?;
        sum = sum.checked_add(term)?;
    }
    if x < I32F32::ZERO { I32F32::ONE.checked_div(sum) } else { Some(sum) }
}

#[test]
fn the_exponential_agrees_with_the_checked_series_at_its_limits() {
    let one = I32F32::ONE.to_bits();
    for around in [-20 * one, -one, 0, one, 20 * one] {
        for x in (around - 2..=around + 2).filter(|x| x.abs() <= 20 * one).map(I32F32::from_bits) {
            assert_eq!(Some(exp_safe(x)), checked_exp(x), "{x:?}");
        }
    }
}

proptest! {
    #[test]
    fn the_exponential_agrees_with_the_checked_series(x in -(20_i64 << 32)..=20 << 32) {
        let x = I32F32::from_bits(x);
        prop_assert_eq!(Some(exp_safe(x)), checked_exp(x));
    }

    #[test]
    fn wide_products_agree_with_plain_ones_where_those_fit(a in any::<i64>(), b in any::<i64>()) {
        let product = I96F32::from_bits(a.into()).saturating_mul(I96F32::from_bits(b.into()));
        prop_assert_eq!(product.to_bits(), (i128::from(a) * i128::from(b)) >> 32);
    }

    #[test]
    fn wide_quotients_agree_with_plain_ones_where_those_fit(a in any::<i64>(), b in any::<i64>()) {
        let quotient = I96F32::from_bits(a.into()).safe_div(I96F32::from_bits(b.into()));
        let plain = (i128::from(a) << 32).checked_div(i128::from(b)).unwrap_or(0);
        prop_assert_eq!(quotient.to_bits(), plain);
    }

    #[test]
    fn a_wide_quotient_times_its_divisor_stays_within_a_step(a in any::<u64>(), b in 1..u64::MAX) {
        let (a, b) = (I64F64::from_bits(a.into()), I64F64::from_bits(b.into()));
        let quotient = a.checked_div(b).expect("both are below one");
        let back = quotient.saturating_mul(b).to_bits();
        prop_assert!(back <= a.to_bits() && a.to_bits() - back <= 1, "{} {}", back, a.to_bits());
    }

    #[test]
    fn no_operation_panics(a in any::<i128>(), b in any::<i128>()) {
        let (narrow_a, narrow_b) = (I32F32::from_bits(a as i64), I32F32::from_bits(b as i64));
        let _ = (narrow_a.saturating_mul(narrow_b), narrow_a.safe_div(narrow_b), narrow_a.round(), exp_safe(narrow_a));
        let (wide_a, wide_b) = (I64F64::from_bits(a), I64F64::from_bits(b));
        let _ = (wide_a.saturating_mul(wide_b), wide_a.safe_div(wide_b), wide_a.to_i32f32(), wide_a.to_u64());
        let (rao_a, rao_b) = (I96F32::from_bits(a), I96F32::from_bits(b));
        let _ = (rao_a.saturating_mul(rao_b), rao_a.safe_div(rao_b), rao_a.saturating_add(rao_b), rao_a.to_u64());
    }
}
