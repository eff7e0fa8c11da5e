use super::*;
use crate::{Challenge, DIGITS_CONFORMANCE, DIGITS_QUALITY, Reference, Task};
use proptest::prelude::*;
use weighhouse_models::Builtin;
use weighhouse_types::scans::OUTPUT;
use weighhouse_types::{Datatype, Failure, InferAnswer, Tensor};
use weighhouse_types::{Mark, Reason};

const ITEMS: usize = 64;

struct Posed {
    task: Task,
    challenge: Challenge,
    reference: Reference,
}

fn posed(file: &str) -> Posed {
    let file = file.replace("items = 128", "items = 64");
    let task = Task::load(file.as_bytes(), &Builtin::Reference.bytes()).expect("task");
    let challenge = task.challenge(&[3; 32]).expect("drawn");
    let reference = task.references(std::slice::from_ref(&challenge)).expect("references").remove(0);
    Posed { task, challenge, reference }
}

fn carrying(outputs: Vec<Tensor>) -> Result<InferAnswer, Failure> {
    Ok(InferAnswer { model: String::new(), version: String::new(), id: String::new(), outputs })
}

fn output(shape: &[u64], values: &[f32]) -> Result<InferAnswer, Failure> {
    carrying(vec![Tensor::from_f32(OUTPUT, shape.to_vec(), values).expect("tensor")])
}

impl Posed {
    fn judge(&self, answer: &Result<InferAnswer, Failure>) -> Judgement {
        self.task.judge(&self.challenge, &self.reference, answer).expect("the reference fits")
    }

    fn judge_rows(&self, rows: &[[f32; CLASSES]]) -> Judgement {
        self.judge(&output(&[ITEMS as u64, 10], rows.as_flattened()))
    }

    /// Certainty in the truth, or in what comes `off` digits after it.
    fn certain(&self, off: u8) -> Vec<[f32; CLASSES]> {
        let one_hot =
            |digit: u8| std::array::from_fn(|class| f32::from(u8::from(class == usize::from(digit))));
        self.challenge.truth().iter().map(|digit| one_hot((digit + off) % 10)).collect()
    }

    fn check_malformed(&self, answer: &Result<InferAnswer, Failure>, at: u32, says: &str) {
        let judgement = self.judge(answer);
        assert_eq!(judgement.mark, Mark::ZERO);
        let [Reason::Malformed { item, what }] = &judgement.reasons[..] else {
            panic!("{judgement:?}");
        };
        assert!(*item == at && what.contains(says) && what.len() < 100, "{judgement:?}");
    }
}

#[test]
fn the_reference_itself_conforms_and_earns_its_skill() {
    let conformance = posed(DIGITS_CONFORMANCE);
    let judgement = conformance.judge_rows(conformance.reference.rows());
    assert_eq!(judgement, Judgement { mark: Mark::MAX, reasons: vec![Reason::Conforms { items: 64 }] });
    let quality = posed(DIGITS_QUALITY);
    let judgement = quality.judge_rows(quality.reference.rows());
    let expected =
        Mark::from_f64(skill(quality.challenge.truth(), quality.reference.rows())).expect("a number");
    assert_eq!(judgement.mark, expected);
    assert_eq!(judgement.reasons, [Reason::Skill { answer: expected, reference: expected }]);
}

#[test]
fn one_item_outside_the_tolerance_is_at_most_zero_and_the_worst_is_named() {
    let posed = posed(DIGITS_CONFORMANCE);
    let mut rows = posed.reference.rows().to_vec();
    for (item, moved) in [(17, 0.001), (40, 0.01)] {
        let (from, to) = if rows[item][0] > 0.5 { (0, 1) } else { (1, 0) };
        let from = if rows[item][from] > 0.02 {
            from
        } else {
            (0..10).find(|k| rows[item][*k] > 0.1).expect("mass")
        };
        rows[item][from] -= moved;
        rows[item][to] += moved;
    }
    let judgement = posed.judge_rows(&rows);
    assert_eq!(Some(judgement.mark), Mark::from_f64(-2.0 / 64.0));
    assert_eq!(judgement.reasons, [Reason::Deviates { items: 64, outside: 2, worst: 40 }]);
}

#[test]
fn in_quality_truth_beats_the_reference_and_guessing_earns_nothing() {
    let posed = posed(DIGITS_QUALITY);
    let perfect = posed.judge_rows(&posed.certain(0));
    assert_eq!(perfect.mark, Mark::MAX);
    for rows in [vec![[0.1; 10]; ITEMS], posed.certain(1), posed.certain(9)] {
        let judgement = posed.judge_rows(&rows);
        assert!(judgement.mark < Mark::ZERO);
        assert!(matches!(judgement.reasons[..], [Reason::BelowReference { .. }]));
    }
}

#[test]
fn skill_is_the_brier_skill_score() {
    assert_eq!(skill(&[3], &[std::array::from_fn(|class| f32::from(u8::from(class == 3)))]), 1.0);
    assert!(skill(&[3], &[[0.1; 10]]).abs() < 1e-6);
    // (0.5 - 1)^2 + 0.5^2 = 0.5, and 1 - 0.5 / 0.9.
    let halves = [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert!((skill(&[0], &[halves]) - 4.0 / 9.0).abs() < 1e-12);
    // Certainty in a wrong digit: 1 - 2 / 0.9.
    let wrong = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert!((skill(&[1], &[wrong]) + 11.0 / 9.0).abs() < 1e-12);
}

#[test]
fn silence_is_a_verdict_worth_nothing() {
    let judgement = posed(DIGITS_QUALITY).judge(&Err(Failure::DeadlineExceeded));
    let reasons = vec![Reason::Silent { failure: Failure::DeadlineExceeded }];
    assert_eq!(judgement, Judgement { mark: Mark::ZERO, reasons });
}

#[test]
fn malformed_answers_earn_nothing_and_say_where() {
    for file in [DIGITS_CONFORMANCE, DIGITS_QUALITY] {
        let posed = posed(file);
        let good = posed.reference.rows().to_vec();
        let with = |item: usize, row: [f32; CLASSES]| {
            let mut rows = good.clone();
            rows[item] = row;
            output(&[64, 10], rows.as_flattened())
        };
        posed.check_malformed(&carrying(vec![]), 0, "no output");
        posed.check_malformed(&with(5, [f32::NAN; 10]), 5, "NaN");
        posed.check_malformed(&with(63, [f32::INFINITY; 10]), 63, "inf");
        let negative = [-0.5, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        posed.check_malformed(&with(0, negative), 0, "-0.5 of digit 0");
        posed.check_malformed(&with(9, [0.2; 10]), 9, "sum to 2");
        posed.check_malformed(&with(9, [0.0; 10]), 9, "sum to 0");
        posed.check_malformed(&output(&[10, 64], good.as_flattened()), 0, "shape [10, 64]");
        posed.check_malformed(&output(&[640], good.as_flattened()), 0, "shape [640]");
        posed.check_malformed(&output(&[63, 10], good[1..].as_flattened()), 0, "shape [63, 10]");
        posed.check_malformed(&output(&[0; 500], &[]), 0, "shape [0, 0, 0, 0, ..]");
        let doubles =
            Tensor::new(OUTPUT.into(), Datatype::Fp64, vec![64, 10], vec![0; 64 * 80]).expect("tensor");
        posed.check_malformed(&carrying(vec![doubles]), 0, "FP64");
        let misnamed = Tensor::from_f32("x", vec![64, 10], good.as_flattened()).expect("tensor");
        posed.check_malformed(&carrying(vec![misnamed]), 0, "no output");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_bytes_come_nothing_panics_and_nothing_outside_is_paid(
        bits in proptest::collection::vec(any::<u32>(), ITEMS * CLASSES),
    ) {
        let values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        for file in [DIGITS_CONFORMANCE, DIGITS_QUALITY] {
            prop_assert!(posed(file).judge(&output(&[64, 10], &values)).mark <= Mark::ZERO);
        }
    }

    #[test]
    fn no_distribution_drawn_blindly_is_paid(
        weights in proptest::collection::vec(0.001_f32..1.0, ITEMS * CLASSES),
        sharpness in 1..40,
    ) {
        let (rows, _) = weights.as_chunks::<CLASSES>();
        let rows: Vec<[f32; CLASSES]> = rows.iter().map(|row| {
            let powers = row.map(|weight| (0..sharpness).fold(1.0, |power, _| power * f64::from(weight)));
            let total: f64 = powers.iter().sum();
            powers.map(|power| (power / total) as f32)
        }).collect();
        for file in [DIGITS_CONFORMANCE, DIGITS_QUALITY] {
            prop_assert!(posed(file).judge_rows(&rows).mark < Mark::ZERO);
        }
    }
}
