//! Price of a registration: it halves every half-life of blocks and rises with each registration.
//!
//! Arithmetic is the runtime's: 32 fractional bits, each product floored.

use weighhouse_types::{Hyperparameters, Rao};

const ONE: u64 = 1 << 32;
const HALF: u64 = 1 << 31;

/// The price of the next block, from this block's.
pub(crate) fn decayed(price: Rao, rules: &Hyperparameters) -> Rao {
    clamped(scaled(price.0, decay_factor(rules.burn_half_life)), rules)
}

/// The price after a registration at `price`.
pub(crate) fn raised(price: Rao, rules: &Hyperparameters) -> Rao {
    let percent = u128::from(rules.burn_increase_percent.max(100));
    let raised = u128::from(price.0) * percent / 100;
    clamped(u64::try_from(raised).unwrap_or(u64::MAX), rules)
}

fn clamped(price: u64, rules: &Hyperparameters) -> Rao {
    Rao(price.max(rules.min_burn.0).min(rules.max_burn.0))
}

/// The largest factor whose `half_life`-th power is at most one half.
fn decay_factor(half_life: u16) -> u64 {
    if half_life == 0 {
        return ONE;
    }
    let (mut low, mut high) = (0, ONE);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if power(middle, half_life) > HALF {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

fn power(base: u64, exponent: u16) -> u64 {
    let (mut result, mut factor, mut rest) = (ONE, base, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result = scaled(result, factor);
        }
        factor = scaled(factor, factor);
        rest >>= 1;
    }
    result
}

fn scaled(value: u64, factor: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(factor)) >> 32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Hyperparameters {
        Hyperparameters { min_burn: Rao(1), max_burn: Rao(u64::MAX), ..Hyperparameters::default() }
    }

    #[test]
    fn the_price_halves_in_a_half_life() {
        for half_life in [1, 2, 360, 36_100] {
            let rules = Hyperparameters { burn_half_life: half_life, ..rules() };
            let start = Rao(1_000_000_000_000);
            let end = (0..half_life).fold(start, |price, _| decayed(price, &rules));
            let off = end.0.abs_diff(start.0 / 2);
            assert!(off <= start.0 / 50_000, "{half_life}: {end} is {off} off");
        }
    }

    #[test]
    fn a_registration_raises_the_price_by_26_percent() {
        assert_eq!(raised(Rao(100_000_000), &rules()), Rao(126_000_000));
        assert_eq!(raised(Rao(3), &rules()), Rao(3));
    }

    #[test]
    fn the_price_stays_between_its_bounds() {
        let rules = Hyperparameters { min_burn: Rao(500), max_burn: Rao(1_000), ..rules() };
        assert_eq!(decayed(Rao(500), &rules), Rao(500));
        assert_eq!(raised(Rao(900), &rules), Rao(1_000));
        assert_eq!(raised(Rao(u64::MAX), &rules), Rao(1_000));
    }
}
