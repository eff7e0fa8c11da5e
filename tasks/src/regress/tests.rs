use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rand_distr::{Distribution as _, Normal};
use weighhouse_types::{Mark, Outcome};

use super::*;
use crate::kind::harness::Harness;

const FILE: &str = include_str!("../../files/regress.toml");

fn harness() -> Harness {
    Harness::of(FILE).expect("the built-in task")
}

fn judged(seed: u8, predictions: &[f32]) -> Judgement {
    harness().judged(seed, &[Tensor::numbers(PREDICTIONS, predictions)])
}

fn truth(seed: u8) -> Vec<f32> {
    harness().challenge(seed).question::<Table>().expect("a table").truth.clone()
}

#[test]
fn a_seed_gives_the_same_table_everywhere() {
    assert_eq!(
        harness().challenge(7).digest().to_string(),
        "a2597fb50972e326e0d3670966951a928c0f0eb748ea314782b55cffa8d95c88"
    );
    let request = harness().request(7);
    let shapes: Vec<_> = request.inputs.iter().map(Tensor::shape).collect();
    assert_eq!((request.model.as_str(), shapes), ("regress", vec![&[160, 8][..], &[128][..]]));
}

#[test]
fn the_truth_is_worth_one_and_the_mean_nothing() {
    let judgement = judged(3, &truth(3));
    assert_eq!((judgement.mark, judgement.reasons[0].outcome()), (Mark::MAX, Outcome::Accepted));
    let challenge = harness().challenge(3);
    let table = challenge.question::<Table>().expect("a table");
    let means = vec![mean(&table.targets) as f32; table.truth.len()];
    assert!(skill(&table.truth, &means, &table.targets).abs() < 1e-6);
    let judgement = judged(3, &means);
    assert!(judgement.mark < Mark::ZERO && judgement.reasons[0].outcome() == Outcome::Wrong, "{judgement:?}");
}

#[test]
fn honest_answers_earn_better_ones_earn_more_and_cheats_nothing() {
    let profile = harness().measured(100);
    let of = |name| profile.persona(name).expect("measured");
    assert!(of("honest").mean > 0.5 && of("honest").rejected == 0.0, "{:?}", of("honest"));
    assert!(of("better").mean > of("honest").mean + 0.1, "{:?}", of("better"));
    for cheat in ["hasty", "mean", "random", "cached", "nan", "silent"] {
        assert!(of(cheat).mean <= 0.0 && of(cheat).rejected > 0.9, "{:?}", of(cheat));
    }
}

#[test]
fn no_answer_is_worth_more_than_the_truth_and_none_panics() {
    let (mut rng, noise) = (ChaCha8Rng::seed_from_u64(5), Normal::new(0.0, 1e30).expect("a deviation"));
    let truth = truth(4);
    for _ in 0..200 {
        let scale: f32 = rng.random_range(0.0..1e-3);
        let mut answer: Vec<f32> = truth.iter().map(|value| value + scale * value).collect();
        assert!(judged(4, &answer).mark <= Mark::MAX);
        let item = rng.random_range(0..answer.len());
        answer[item] = noise.sample(&mut rng);
        assert!(judged(4, &answer).mark < Mark::ZERO, "{}", answer[item]);
        answer[item] = f32::NEG_INFINITY;
        assert_eq!(judged(4, &answer).reasons[0].outcome(), Outcome::Malformed);
    }
    assert_eq!(judged(4, &truth[1..]).reasons[0].outcome(), Outcome::Malformed);
}

#[test]
fn a_straight_line_is_fitted_exactly_where_the_truth_is_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let rows = Array2::from_shape_simple_fn((9, 2), || rng.random_range(-1.0_f32..1.0));
    let exact: Vec<f32> = rows.rows().into_iter().map(|row| 3.0 - 2.0 * row[0] + 0.5 * row[1]).collect();
    let predictions = predict(rows.view(), &exact[..6], 6, Line::Straight);
    let errors = predictions.iter().zip(&exact[6..]).map(|(one, other)| (one - other).abs());
    assert!(errors.fold(0.0, f32::max) < 1e-4, "{predictions:?}");
}

#[test]
fn values_that_cannot_be_used_are_refused_by_their_key() {
    let refused =
        |from: &str, to: &str| Harness::of(&FILE.replacen(from, to, 1)).err().expect("refused").to_string();
    assert!(refused("rows = 128", "rows = 0").contains("regress.rows"));
    assert!(refused("features = 8", "features = 17").contains("regress.features"));
    assert!(refused("bend = 0.15", "bend = 2.0").contains("regress.bend"));
    assert!(refused("noise = 0.3", "noise = -1.0").contains("regress.noise"));
    assert!(refused("floor_margin = 0.01", "margin = 0.01").contains("margin"));
    assert!(refused("\"quality\"", "\"conformance\"").contains("pays quality only"));
}
