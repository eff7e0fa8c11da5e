use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use weighhouse_yuma::max_upscale;

use super::*;

fn vectors(name: &str) -> Value {
    let given = std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| PathBuf::from(folder).join(name));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let path = given.filter(|path| path.exists()).unwrap_or(own);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn numbers(value: &Value) -> Vec<u16> {
    let list = value.as_array().expect("a list");
    list.iter().map(|number| u16::try_from(number.as_u64().expect("an integer")).expect("a u16")).collect()
}

/// The SDK's answer for `case[key]`, ascending by uid; `None` where it refused or had nothing to send.
fn expected(case: &Value, key: &str) -> Option<Vec<(Uid, u16)>> {
    let answer = case.get(key)?;
    let uids = numbers(&answer["uids"]).into_iter().map(Uid);
    let mut entries: Vec<_> = uids.zip(numbers(&answer["values"])).collect();
    entries.sort_unstable();
    (!entries.is_empty()).then_some(entries)
}

fn check_case(name: &str, pairs: &[(Uid, f64)], limit: u16, expected: Option<Vec<(Uid, u16)>>) {
    let neurons = pairs.iter().map(|(uid, _)| uid.0 + 1).max().unwrap_or(0);
    let ours = conform(pairs, &Limits { neurons, min_allowed_weights: 0, max_weights_limit: limit });
    let Some(expected) = expected else {
        assert!(ours.is_err(), "{name}: {ours:?}");
        return;
    };
    let zero = |uid: &Uid| pairs.iter().any(|(other, weight)| other == uid && *weight == 0.0);
    if expected.iter().any(|(uid, value)| *value > 0 && zero(uid)) {
        assert!(matches!(ours, Err(ConformError::PaysZero { .. })), "{name}: {ours:?}");
    } else {
        assert_eq!(ours.expect(name).entries(), expected, "{name}");
    }
}

#[test]
fn conforming_gives_the_sdks_figures() {
    let file = vectors("bittensor/weights_conform.json");
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for (at, case) in cases.iter().enumerate() {
        let name = format!("case {at} ({})", case["kind"]);
        let limit = u16::try_from(case["max_weight_limit_u16"].as_u64().expect("a limit")).expect("a u16");
        let weights: Vec<f64> = case["weights"]
            .as_array()
            .expect("weights")
            .iter()
            .map(|weight| weight.as_f64().expect("a number"))
            .collect();
        let pairs: Vec<_> =
            numbers(&case["uids"]).into_iter().map(Uid).zip(weights.iter().copied()).collect();
        check_case(&name, &pairs, u16::MAX, expected(case, "normalized"));
        check_case(&name, &pairs, limit, expected(case, "conformed"));
        if let Some(clipped) = case.get("clipped").and_then(Value::as_array) {
            let ours = clip(&weights, f64::from(limit) / 65535.0).expect(&name);
            let close =
                |(ours, theirs): (&f64, &Value)| (ours - theirs.as_f64().expect("a number")).abs() <= 1e-12;
            assert!(ours.len() == clipped.len() && ours.iter().zip(clipped).all(close), "{name}");
        }
    }
}

fn limits(neurons: u16, min_allowed_weights: u16, max_weights_limit: u16) -> Limits {
    Limits { neurons, min_allowed_weights, max_weights_limit }
}

#[test]
fn what_has_no_honest_vector_is_refused() {
    let refusal = |pairs: &[(u16, f64)], limits: Limits| {
        let pairs: Vec<_> = pairs.iter().map(|(uid, weight)| (Uid(*uid), *weight)).collect();
        conform(&pairs, &limits).expect_err("a refusal")
    };
    let open = limits(4, 0, u16::MAX);
    let uid = Uid(1);
    assert_eq!(refusal(&[], open), ConformError::Empty);
    assert_eq!(refusal(&[(0, 0.0), (1, -0.0)], open), ConformError::AllZero);
    assert_eq!(refusal(&[(0, 1.0), (1, f64::NAN)], open), ConformError::NotFinite { uid });
    assert_eq!(refusal(&[(0, 1.0), (1, f64::INFINITY)], open), ConformError::NotFinite { uid });
    assert_eq!(refusal(&[(0, 1.0), (1, -1e-300)], open), ConformError::Negative { uid });
    assert_eq!(refusal(&[(1, 1.0), (0, 1.0), (1, 1.0)], open), ConformError::Duplicate { uid });
    assert_eq!(refusal(&[(4, 1.0)], open), ConformError::UnknownUid { uid: Uid(4), neurons: 4 });
    let tight = limits(4, 0, 13_107);
    assert_eq!(refusal(&[(0, f64::MAX), (1, f64::MAX)], tight), ConformError::Overflow);
    assert_eq!(refusal(&[(0, 1.0), (1, 0.0)], tight), ConformError::PaysZero { uid, limit: 13_107 });
}

#[test]
fn halves_round_to_the_even_neighbour() {
    let halves = [(Uid(0), 131_070.0), (Uid(1), 1.0), (Uid(2), 3.0), (Uid(3), 5.0)];
    let vector = conform(&halves, &limits(4, 0, u16::MAX)).expect("a vector");
    assert_eq!(vector.entries(), [(Uid(0), 65_535), (Uid(2), 2), (Uid(3), 2)]);
}

#[test]
fn zeros_fill_up_to_the_chains_least_length() {
    let sent = |min_allowed_weights| {
        let vector = conform(&[(Uid(3), 2.0), (Uid(1), 1.0)], &limits(5, min_allowed_weights, u16::MAX));
        vector.expect("a vector").entries().iter().map(|(uid, value)| (uid.0, *value)).collect::<Vec<_>>()
    };
    assert_eq!(sent(0), [(1, 32_768), (3, 65_535)]);
    assert_eq!(sent(3), [(0, 0), (1, 32_768), (3, 65_535)]);
    assert_eq!(sent(4), [(0, 0), (1, 32_768), (2, 0), (3, 65_535)]);
    assert_eq!(sent(1024).len(), 5);
}

fn weight() -> impl Strategy<Value = f64> {
    prop_oneof![
        2 => Just(0.0),
        4 => 0.0..1.0_f64,
        2 => (1_u32..=4).prop_map(|quarters| f64::from(quarters) / 4.0),
        1 => 1e-9..1e-3_f64,
        1 => (0_u32..=1_000_000_000).prop_map(f64::from),
    ]
}

fn pairs(weights: &[f64]) -> Vec<(Uid, f64)> {
    (0..).map(Uid).zip(weights.iter().copied()).collect()
}

proptest! {
    #[test]
    fn weak_order_is_kept_and_entries_are_within_half_a_unit(
        weights in proptest::collection::vec(weight(), 1..40),
        limit in prop_oneof![Just(u16::MAX), 0_u16..],
        least in 0_u16..64,
    ) {
        let limits = limits(u16::try_from(weights.len()).expect("short"), least, limit);
        let Ok(vector) = conform(&pairs(&weights), &limits) else { return Ok(()) };
        let values: Vec<u16> = (0..limits.neurons).map(|uid| vector.get(Uid(uid))).collect();
        let target = if limit == u16::MAX { weights.clone() } else {
            clip(&weights, f64::from(limit) / 65535.0).expect("clipped before")
        };
        let top = target.iter().copied().fold(0.0, f64::max);
        for (at, value) in values.iter().enumerate() {
            prop_assert!((f64::from(*value) - target[at] / top * 65535.0).abs() <= 0.5 + 1e-9);
            prop_assert!(weights[at] > 0.0 || *value == 0);
            for (other, other_value) in values.iter().enumerate() {
                prop_assert!(weights[at] > weights[other] || value <= other_value);
            }
        }
        prop_assert!(vector.entries().len() >= usize::from(least.min(limits.neurons)));
        prop_assert_eq!(max_upscale(&vector.values()), vector.values());
    }

    // Exact in integers: |value / 65535 - score / top| <= 1/2 of a unit, without a rounding of the test's own.
    #[test]
    fn integer_scores_are_within_half_a_unit_exactly(
        scores in proptest::collection::vec(0_u32..=1_000_000_000, 1..40),
    ) {
        let weights: Vec<f64> = scores.iter().copied().map(f64::from).collect();
        let neurons = u16::try_from(scores.len()).expect("short");
        let Ok(vector) = conform(&pairs(&weights), &limits(neurons, 0, u16::MAX)) else { return Ok(()) };
        let top = i128::from(*scores.iter().max().expect("not empty"));
        for (uid, score) in (0..).map(Uid).zip(&scores) {
            let off = i128::from(vector.get(uid)) * top - i128::from(*score) * 65_535;
            prop_assert!(2 * off.abs() <= top);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (given, shuffled) in proptest::collection::vec(weight(), 1..30)
            .prop_map(|weights| pairs(&weights))
            .prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle())),
        limit in 0_u16..,
    ) {
        let limits = limits(64, 7, limit);
        prop_assert_eq!(conform(&given, &limits), conform(&shuffled, &limits));
    }

    #[test]
    fn upscaled_values_stay_upscaled(values in proptest::collection::vec(any::<u16>(), 0..20)) {
        let once = max_upscale(&values);
        prop_assert!(once.iter().max().is_none_or(|max| *max == u16::MAX || *max == 0));
        prop_assert_eq!(max_upscale(&once), once);
    }
}
