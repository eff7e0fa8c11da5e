use proptest::prelude::*;

use super::*;
use crate::policy::Policy;
use weighhouse_types::Mark;

fn policy(text: &str) -> Policy {
    Policy::parse(format!("version = 2\n{text}").as_bytes()).expect("a valid policy")
}

fn candidate(uid: u16, score: f64) -> Candidate {
    let score = Score::clip(Mark::from_f64(score).expect("a number"));
    Candidate { uid: Uid(uid), score, cluster: None, place: None, registered_at: u64::from(uid) }
}

fn candidates(scores: &[f64]) -> Vec<Candidate> {
    (0..).zip(scores).map(|(uid, score)| candidate(uid, *score)).collect()
}

fn shares(text: &str, candidates: &[Candidate], burn: Option<Uid>) -> Vec<f64> {
    let mut weigher = Weigher::new();
    let weights = weigher.weights(&policy(text), candidates, burn);
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.iter().map(|(_, weight)| (weight / total * 1e6).round() / 1e6).collect()
}

#[test]
fn every_shape_has_its_figures() {
    let scores = candidates(&[0.8, 0.4, 0.0, 0.2]);
    for (kind, expected) in [
        ("kind = \"linear\"", [0.571_429, 0.285_714, 0.0, 0.142_857]),
        ("kind = \"power\"\nexponent = 2.0", [0.761_905, 0.190_476, 0.0, 0.047_619]),
        ("kind = \"softmax\"\ntemperature = 0.2", [0.843_795, 0.114_195, 0.0, 0.042_01]),
        ("kind = \"rank\"\nratio = 0.5", [0.571_429, 0.285_714, 0.0, 0.142_857]),
        ("kind = \"winner_takes_all\"", [1.0, 0.0, 0.0, 0.0]),
        ("kind = \"top_k\"\nkeep = 2", [0.666_667, 0.333_333, 0.0, 0.0]),
    ] {
        assert_eq!(shares(&format!("[shape]\n{kind}"), &scores, None), expected, "{kind}");
    }
}

#[test]
fn equals_share_a_place() {
    let equal = candidates(&[0.5, 0.9, 0.5, 0.1]);
    assert_eq!(
        shares("[shape]\nkind = \"top_k\"\nkeep = 2", &equal, None),
        [0.263_158, 0.473_684, 0.263_158, 0.0]
    );
    assert_eq!(
        shares("[shape]\nkind = \"rank\"\nratio = 0.5", &equal, None),
        [0.235_294, 0.470_588, 0.235_294, 0.058_824]
    );
}

#[test]
fn who_holds_a_place_keeps_it_until_clearly_beaten() {
    let text = "[shape]\nkind = \"winner_takes_all\"\nhysteresis = 0.1";
    let held = |challenger: f64| {
        let mut two = candidates(&[0.5, challenger]);
        (two[0].place, two[1].place) = (Some(0), Some(1));
        shares(text, &two, None)
    };
    assert_eq!(held(0.54), [1.0, 0.0]);
    assert_eq!(held(0.56), [0.0, 1.0]);
    let mut weigher = Weigher::new();
    let newcomers = candidates(&[0.5, 0.51]);
    weigher.weights(&policy(text), &newcomers, None);
    assert_eq!(weigher.places(), [Some(1), Some(0)]);
}

#[test]
fn a_cap_is_met_and_what_it_cuts_goes_to_the_others_in_proportion() {
    let text = "[caps]\nshare = 0.5";
    assert_eq!(shares(text, &candidates(&[0.9, 0.06, 0.03]), None), [0.5, 0.333_333, 0.166_667]);
    assert_eq!(shares(text, &candidates(&[0.3, 0.3, 0.3]), None), [0.333_333; 3]);
    assert_eq!(shares("[caps]\nshare = 0.2", &candidates(&[0.9, 0.1, 0.0]), None), [0.5, 0.5, 0.0]);
    assert_eq!(
        shares("[caps]\nshare = 0.25", &candidates(&[1.0, 0.9, 0.2, 0.1, 0.1]), None),
        [0.25, 0.25, 0.25, 0.125, 0.125]
    );
}

#[test]
fn a_burn_takes_its_share_of_everything() {
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    let text = format!("[burn]\nshare = 0.25\nhotkey = \"{alice}\"");
    assert_eq!(shares(&text, &candidates(&[0.6, 0.3]), Some(Uid(9))), [0.5, 0.25, 0.25]);
    assert_eq!(shares(&text, &candidates(&[0.6, 0.3]), Some(Uid(0))), [0.75, 0.25]);
}

#[test]
fn a_cluster_earns_what_its_best_member_would_alone() {
    let mut four = candidates(&[0.5, 0.4, 0.5, 0.5]);
    (four[1].cluster, four[2].cluster) = (Some(3), Some(3));
    let pays = |pay: &str| shares(&format!("[cluster]\npay = \"{pay}\""), &four, None);
    assert_eq!(pays("each"), [0.263_158, 0.210_526, 0.263_158, 0.263_158]);
    assert_eq!(pays("split"), [0.333_333, 0.166_667, 0.166_667, 0.333_333]);
    assert_eq!(pays("first"), [0.333_333, 0.333_333, 0.0, 0.333_333]);
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let shapes = prop_oneof![
        Just("kind = \"linear\"".to_owned()),
        (0.01..16.0_f64).prop_map(|exponent| format!("kind = \"power\"\nexponent = {exponent:.3}")),
        (0.01..100.0_f64).prop_map(|warm| format!("kind = \"softmax\"\ntemperature = {warm:.3}")),
        (0.01..1.0_f64).prop_map(|ratio| format!("kind = \"rank\"\nratio = {ratio:.3}")),
        Just("kind = \"winner_takes_all\"".to_owned()),
        (1..8_u32).prop_map(|keep| format!("kind = \"top_k\"\nkeep = {keep}")),
    ];
    (shapes, 1..=100_u32).prop_map(|(shape, cap)| {
        policy(&format!("[shape]\n{shape}\n[caps]\nshare = {}", f64::from(cap) / 100.0))
    })
}

proptest! {
    #[test]
    fn a_better_score_never_weighs_less_and_nothing_weighs_nothing(
        policy in any_policy(),
        scores in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64, Just(1e-9)], 1..40),
    ) {
        let candidates = candidates(&scores);
        let mut weigher = Weigher::new();
        let weights: Vec<f64> = weigher.weights(&policy, &candidates, None).iter().map(|(_, weight)| *weight).collect();
        for (one, a) in candidates.iter().zip(&weights) {
            prop_assert!(a.is_finite() && *a >= 0.0);
            prop_assert!(one.score > Score::ZERO || *a == 0.0);
            for (other, b) in candidates.iter().zip(&weights) {
                prop_assert!(one.score < other.score || a >= b, "{} {} {} {}", one.score, other.score, a, b);
                prop_assert!(one.score != other.score || a == b);
            }
        }
    }
}

/// Cheap pseudo-random numbers: a million vectors are too many for a generator that can shrink.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (mixed >> 31)
}

fn odd_float(state: &mut u64) -> f64 {
    match mix(state) % 12 {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -1.0,
        3 => f64::from_bits(mix(state) % 100),
        4 => -0.0,
        5..=7 => 0.0,
        8 => (mix(state) % 5) as f64,
        9 => f64::MIN_POSITIVE,
        _ => (mix(state) >> 11) as f64 / 9_007_199_254_740_992.0,
    }
}

#[test]
fn a_million_odd_vectors_come_out_ordered_and_within_half_a_unit_or_are_refused() {
    let limits = Limits { neurons: 16, min_allowed_weights: 0, max_weights_limit: u16::MAX };
    let (mut state, mut accepted, mut scratch, mut out) = (7, 0_u32, Vec::new(), Vec::new());
    for _ in 0..1_000_000 {
        let count = 1 + mix(&mut state) % 6;
        let is_tame = mix(&mut state).is_multiple_of(2);
        let weight = |state: &mut u64| match odd_float(state) {
            weight if is_tame && !(weight.is_finite() && weight >= 0.0) => 0.5,
            weight => weight,
        };
        let mut pairs: Vec<(Uid, f64)> =
            (0..count).map(|uid| (Uid(uid as u16), weight(&mut state))).collect();
        let original = pairs.clone();
        let top = original.iter().fold(0.0, |top: f64, (_, weight)| top.max(*weight));
        let bad = original.iter().any(|(_, weight)| !weight.is_finite() || *weight < 0.0) || top == 0.0;
        let result = conform_into(&mut pairs, &limits, &mut scratch, &mut out);
        assert_eq!(result.is_err(), bad, "{original:?}");
        if bad {
            continue;
        }
        accepted += 1;
        let sent = |uid: Uid| out.iter().find(|(other, _)| *other == uid).map_or(0, |(_, value)| *value);
        for (uid, weight) in &original {
            let exact = weight / top * 65535.0;
            assert!((f64::from(sent(*uid)) - exact).abs() <= 0.5, "{original:?}");
            for (other, less) in &original {
                assert!(weight < less || sent(*uid) >= sent(*other), "{original:?}");
            }
        }
    }
    assert!(accepted > 300_000, "{accepted}");
}
