use std::path::Path;

use proptest::prelude::*;

use super::*;

fn vectors() -> serde_json::Value {
    let name = "verify/token_difr.json";
    let given = std::env::var_os("WEIGHHOUSE_VECTORS").map(|folder| Path::new(&folder).join(name));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let path = given.filter(|path| path.exists()).unwrap_or(own);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// The specification, word for word, with nothing clever.
fn plain(sampling: &Sampling, position: u32, logits: &[f32]) -> Vec<(u32, f64)> {
    let logit = |id: u32| {
        if logits[id as usize].is_nan() { f64::NEG_INFINITY } else { f64::from(logits[id as usize]) }
    };
    let temperature = f64::from(sampling.temperature);
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    ids.sort_by(|a, b| logit(*b).partial_cmp(&logit(*a)).expect("no NaN").then(a.cmp(b)));
    if sampling.top_k > 0 {
        ids.truncate(sampling.top_k as usize);
    }
    if sampling.top_p < 1.0 {
        let peak = logit(ids[0]);
        let weight =
            |id: u32| if logit(id) == peak { 1.0 } else { libm::exp((logit(id) - peak) / temperature) };
        let mut ascending = ids.clone();
        ascending.sort_unstable();
        let total: f64 = ascending.iter().map(|id| weight(*id)).sum();
        let mut mass = 0.0;
        let reached = ids.iter().position(|id| {
            mass += weight(*id);
            mass >= f64::from(sampling.top_p) * total
        });
        ids.truncate(reached.map_or(ids.len(), |at| at + 1));
    }
    let mut scores: Vec<_> = ids
        .into_iter()
        .map(|id| (id, logit(id) + temperature * gumbel(sampling.seed, position, id)))
        .collect();
    scores.sort_by(|(a, x), (b, y)| y.partial_cmp(x).expect("no NaN").then(a.cmp(b)));
    scores
}

fn logits() -> impl Strategy<Value = Vec<f32>> {
    let any = prop_oneof![
        20 => -20.0_f32..20.0,
        4 => (-3_i8..3).prop_map(f32::from),
        1 => Just(f32::NAN),
        1 => Just(f32::INFINITY),
        1 => Just(f32::NEG_INFINITY),
        1 => Just(-0.0_f32),
    ];
    prop_oneof![
        3 => prop::collection::vec(any, 1..60),
        // Long enough for several draws of words, and flat enough that nearly every token is in the running.
        1 => prop::collection::vec(-0.5_f32..0.5, 1_000..4_000),
    ]
}

proptest! {
    #[test]
    fn the_fast_search_chooses_what_the_definition_chooses(
        logits in logits(),
        seed in any::<u64>(),
        position in any::<u32>(),
        temperature in prop_oneof![0.01_f32..3.0, Just(100.0)],
        top_k in prop_oneof![2 => Just(0_u32), 1 => 1_u32..70],
        top_p in prop_oneof![2 => Just(1.0_f32), 1 => 0.01_f32..1.0],
    ) {
        let sampling = Sampling::new(temperature, top_k, top_p, seed).expect("in range");
        let scores = plain(&sampling, position, &logits);
        let (best, score) = scores[0];
        prop_assert_eq!(sampling.choose(position, &logits), best);
        prop_assert_eq!(sampling.margin(position, &logits, best), 0.0);
        for &(id, other) in scores[1..].iter().take(50) {
            let margin = sampling.margin(position, &logits, id);
            prop_assert_eq!(margin, if other >= score { 0.0 } else { score - other });
        }
        // Whoever is shut out is no nearer than its sum.
        for id in (0..logits.len() as u32).filter(|id| !scores.iter().any(|(kept, _)| kept == id)).take(50) {
            let sum = f64::from(logits[id as usize]) + f64::from(temperature) * gumbel(seed, position, id);
            let margin = sampling.margin(position, &logits, id);
            prop_assert!(margin >= score - sum || sum.is_nan() || score == sum, "{margin} of {id}");
        }
        prop_assert_eq!(sampling.margin(position, &logits, logits.len() as u32), f64::INFINITY);
    }

    #[test]
    fn the_margin_without_filters_is_the_published_one(
        logits in prop::collection::vec(-20.0_f32..20.0, 1..40),
        seed in any::<u64>(),
        temperature in 0.01_f32..3.0,
    ) {
        let sampling = Sampling::new(temperature, 0, 1.0, seed).expect("in range");
        let noise: Vec<f64> = (0..logits.len() as u32).map(|id| gumbel(seed, 3, id)).collect();
        let wide: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
        for id in 0..logits.len() {
            let published = token_difr(f64::from(temperature), &wide, &noise, id);
            prop_assert_eq!(sampling.margin(3, &logits, id as u32), published);
        }
    }

    #[test]
    fn log_probabilities_are_those_of_the_plain_sum(logits in logits(), chosen in 0_u32..70) {
        let given = log_probs(&logits, chosen, 20);
        let finite = logits.iter().copied().filter(|logit| !logit.is_nan());
        let peak = f64::from(finite.clone().fold(f32::NEG_INFINITY, f32::max));
        prop_assume!(peak.is_finite());
        let log_sum = libm::log(finite.map(|logit| libm::exp(f64::from(logit) - peak)).sum::<f64>());
        let expected = |id: u32| logits.get(id as usize).map_or(f64::NEG_INFINITY, |logit| {
            if logit.is_nan() { f64::NEG_INFINITY } else { f64::from(*logit) - peak - log_sum }
        });
        let near = |a: f32, b: f64| f64::from(a) == b || (f64::from(a) - b).abs() < 2e-6;
        prop_assert!(near(given.chosen, expected(chosen)), "{} {}", given.chosen, expected(chosen));
        prop_assert!(given.top.iter().all(|(id, value)| near(*value, expected(*id))));
        let mut order: Vec<u32> =
            (0..logits.len() as u32).filter(|id| !logits[*id as usize].is_nan()).collect();
        order.sort_by(|a, b| logits[*b as usize].partial_cmp(&logits[*a as usize]).expect("no NaN").then(a.cmp(b)));
        order.truncate(20);
        prop_assert_eq!(given.top.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), order);
    }
}

#[test]
fn published_margins_come_out() {
    let vectors = vectors();
    for case in vectors["cases"].as_array().expect("cases") {
        let temperature = case["temperature"].as_f64().expect("a temperature");
        let margins = numbers(&case["margins"]);
        let mut exact = 0;
        for (at, expected) in margins.iter().enumerate() {
            let logits = numbers(&case["logits"][at]);
            let noise: Vec<f64> =
                numbers(&case["exponentials"][at]).into_iter().map(|e| -libm::log(e)).collect();
            let claimed = case["claimed_tokens"][at].as_u64().expect("a token") as usize;
            let margin = token_difr(temperature, &logits, &noise, claimed);
            assert!(
                (margin - expected).abs() < 1e-12,
                "{} at {at}: {margin}, expected {expected}",
                case["name"]
            );
            exact += usize::from(margin == 0.0);
            if temperature == 0.0 {
                let logits: Vec<f32> = logits.iter().map(|logit| *logit as f32).collect();
                let reference = case["reference_tokens"][at].as_u64().expect("a token") as u32;
                assert_eq!(Sampling::GREEDY.choose(at as u32, &logits), reference);
                assert!(
                    (Sampling::GREEDY.margin(at as u32, &logits, claimed as u32) - expected).abs() < 1e-6
                );
            }
        }
        assert_eq!(exact as f64 / margins.len() as f64, case["exact_match_rate"].as_f64().expect("a rate"));
    }
}

/// Seed, position, token, and the bits of the noise.
const GOLDEN: [(u64, u32, u32, u64); 6] = [
    (0, 0, 0, 0xbfe4_652b_e3b0_601b),
    (0, 0, 1, 0xbfe0_30dd_54ec_ba5c),
    (0, 1, 0, 0x3ffd_accf_663e_4e40),
    (1, 0, 0, 0xbfed_b78a_68f4_b964),
    (42, 7, 8_191, 0x4001_d6c1_49d5_6c94),
    (u64::MAX, u32::MAX, 150_000, 0x4002_c57b_cd0b_1f2f),
];

#[test]
fn gumbel_noise_has_the_documented_bits() {
    // As `docs/gumbel-v1.md` lists them, from a program of its own.
    for (seed, position, token, bits) in GOLDEN {
        assert_eq!(gumbel(seed, position, token).to_bits(), bits, "{seed} {position} {token}");
    }
}

#[test]
fn temperature_decides_how_often_the_likelier_token_is_chosen() {
    let logits = [1.0_f32, 0.0, f32::NEG_INFINITY];
    for temperature in [0.5_f32, 1.0, 2.0] {
        let sampling = Sampling::new(temperature, 0, 1.0, 7).expect("in range");
        let chosen = (0..20_000).filter(|position| sampling.choose(*position, &logits) == 0).count();
        let expected = 1.0 / (1.0 + libm::exp(-1.0 / f64::from(temperature)));
        assert!((chosen as f64 / 20_000.0 - expected).abs() < 0.012, "{temperature}: {chosen}, {expected}");
    }
}

#[test]
fn settings_outside_their_range_are_refused_and_logits_of_any_kind_are_not() {
    for temperature in [-0.1, f32::NAN, f32::INFINITY, 100.1] {
        assert!(matches!(Sampling::new(temperature, 0, 1.0, 0), Err(SamplingError::Temperature(_))));
    }
    for top_p in [0.0, -1.0, 1.1, f32::NAN] {
        assert!(matches!(Sampling::new(1.0, 0, top_p, 0), Err(SamplingError::TopP(_))));
    }
    let strange = [&[][..], &[f32::NAN; 3], &[f32::INFINITY; 20], &[f32::NEG_INFINITY; 5], &[f32::NAN, 1.0]];
    for logits in strange {
        for sampling in [Sampling::GREEDY, Sampling { temperature: 1.0, top_k: 2, top_p: 0.5, seed: 1 }] {
            let chosen = sampling.choose(0, logits);
            assert!(chosen == 0 || (chosen as usize) < logits.len());
            if !logits.is_empty() {
                assert_eq!(sampling.margin(0, logits, chosen), 0.0);
            }
            log_probs(logits, chosen, 20);
        }
    }
    assert_eq!(Sampling::GREEDY.choose(0, &[f32::NAN, 1.0, 1.0]), 1);
}

#[test]
fn a_token_at_the_border_of_top_p_is_nearly_let_in() {
    // Probabilities 0.5, 0.3, 0.2: the second is let in from just above 0.5 on.
    let logits = [0.5_f32, 0.3, 0.2].map(libm::logf);
    let at = |top_p, seed| Sampling::new(1.0, 0, top_p, seed).expect("in range");
    // A seed under which the first is chosen, so that shutting out others changes nothing else.
    let seed = (0..).find(|seed| at(1.0, *seed).choose(0, &logits) == 0).expect("half of all seeds do");
    let margin = |top_p| at(top_p, seed).margin(0, &logits, 1);
    let free = margin(1.0);
    assert_eq!(margin(0.51), free);
    assert!(margin(0.499_999) > free && margin(0.499_999) - free < 1e-4);
    assert!(margin(0.1) - free > 0.5);
    let top_one = Sampling::new(1.0, 1, 1.0, seed).expect("in range").margin(0, &logits, 1);
    assert!((top_one - free - f64::from(logits[0] - logits[1])).abs() < 1e-6);
}
