//! Division of a subnet's emission among its mechanisms, and the sum of their figures as the subnet's.

use weighhouse_types::{Mechanisms, Rao};

use crate::Refusal;
use crate::rules::hyperparameters::UIDS_MAX;

/// Mechanisms of one subnet at most.
pub(crate) const MECHANISMS_MAX: u8 = 2;

pub(crate) fn check(mechanisms: &Mechanisms, max_allowed_uids: u16) -> Result<(), Refusal> {
    let invalid = |name: &str, why: String| Err(Refusal::InvalidValue { name: name.to_owned(), why });
    let count = mechanisms.count;
    if !(1..=MECHANISMS_MAX).contains(&count) {
        return invalid("count", format!("is {count}, allowed are 1 to {MECHANISMS_MAX}"));
    }
    if max_allowed_uids.saturating_mul(u16::from(count)) > UIDS_MAX {
        return Err(Refusal::TooManyUidsPerMechanism { maximum: UIDS_MAX.into() });
    }
    let Some(split) = &mechanisms.emission_split else { return Ok(()) };
    if split.len() != usize::from(count) {
        return invalid("emission_split", format!("has {} shares for {count} mechanisms", split.len()));
    }
    match split.iter().map(|share| u32::from(*share)).sum::<u32>() {
        65_535 => Ok(()),
        sum => invalid("emission_split", format!("sums to {sum}, not to 65535")),
    }
}

/// Each mechanism's part of an emission; what rounding leaves is mechanism 0's.
pub(crate) fn split(mechanisms: &Mechanisms, emission: Rao) -> Vec<Rao> {
    let part = |share: u16| {
        let part = u128::from(emission.0) * u128::from(share) / u128::from(u16::MAX);
        u64::try_from(part).expect("a part is no larger than the whole, a u64")
    };
    let count = usize::from(mechanisms.count.max(1));
    let mut parts: Vec<u64> = match &mechanisms.emission_split {
        Some(split) => split.iter().map(|share| part(*share)).collect(),
        None => vec![emission.0 / u64::from(mechanisms.count.max(1)); count],
    };
    let left = emission.0 - parts.iter().sum::<u64>();
    parts[0] += left;
    parts.into_iter().map(Rao).collect()
}

/// A mechanism's weight in the subnet's own figures: its part of the emission, with 64 fractional bits. Of no emission
/// mechanism 0 has the whole.
pub(crate) fn weight(mechanism: usize, part: Rao, emission: Rao) -> u128 {
    const ONE: u128 = 1 << 64;
    match emission {
        Rao(0) if mechanism == 0 => ONE,
        Rao(0) => 0,
        emission => (u128::from(part.0) << 64) / u128::from(emission.0),
    }
}

/// Adds a mechanism's figure to the subnet's, floored as the runtime floors it.
pub(crate) fn accumulate(sum: u16, figure: u16, weight: u128) -> u16 {
    sum.saturating_add(u16::try_from((u128::from(figure) * weight) >> 64).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn emission_is_split_as_the_chain_splits_it() {
        let vectors = vectors::load("yuma/schedule_weights_mechanism_vectors.json");
        let cases = vectors["split_emissions"].as_array().expect("cases");
        for case in cases {
            let count =
                case["mechanisms"].as_u64().and_then(|count| u8::try_from(count).ok()).expect("a count");
            let emission_split = serde_json::from_value(case["split"].clone()).expect("a split");
            let expected: Vec<Rao> = serde_json::from_value(case["expected"].clone()).expect("parts");
            let mechanisms = Mechanisms { count, emission_split };
            let total = Rao(case["total"].as_u64().expect("a total"));
            assert_eq!(split(&mechanisms, total), expected, "{case}");
        }
        assert_eq!(cases.len(), 3);
    }

    #[test]
    fn one_mechanism_has_the_whole_and_its_figures_are_the_subnets() {
        assert_eq!(split(&Mechanisms::default(), Rao(7)), [Rao(7)]);
        for emission in [Rao(0), Rao(1), Rao(u64::MAX)] {
            let weight = weight(0, emission, emission);
            for figure in [0, 1, 65_535] {
                assert_eq!(accumulate(0, figure, weight), figure);
            }
        }
    }

    #[test]
    fn what_no_chain_would_take_is_refused_by_name() {
        let of =
            |count, split: Option<&[u16]>| Mechanisms { count, emission_split: split.map(<[u16]>::to_vec) };
        assert_eq!(check(&of(2, Some(&[60_000, 5_535])), 128), Ok(()));
        assert_eq!(check(&of(2, None), 129), Err(Refusal::TooManyUidsPerMechanism { maximum: 256 }));
        for wrong in [of(0, None), of(3, None), of(2, Some(&[65_535])), of(2, Some(&[1, 65_535]))] {
            assert!(matches!(check(&wrong, 64), Err(Refusal::InvalidValue { .. })), "{wrong:?}");
        }
    }
}
