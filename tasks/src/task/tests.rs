use super::*;
use crate::reference::ReferenceError;
use crate::{DIGITS_CONFORMANCE, DIGITS_QUALITY, Scope, answer};
use weighhouse_models::{Builtin, Classifier, digits, safetensors};
use weighhouse_types::{Mark, Reason};

/// Challenges per measurement: enough that a judge which is wrong once in thirty would show.
const CHALLENGES: u8 = 100;

type Rows = Vec<[f32; 10]>;
type Miner<'a> = &'a dyn Fn(&[f32]) -> Rows;

fn load(file: &str) -> Task {
    Task::load(file.as_bytes(), &Builtin::Reference.bytes()).expect("task")
}

fn model(builtin: Builtin) -> Classifier {
    Classifier::load(builtin.bytes()).expect("weights")
}

fn forward(model: &Classifier, pixels: &[f32]) -> Rows {
    model.forward(pixels).expect("forward")
}

/// The reference's arithmetic by another program: scalar sums from the last input to the first, weights rounded to
/// as many mantissa bits as asked.
fn elsewhere(pixels: &[f32], mantissa_bits: u32) -> Rows {
    let drop = 23 - mantissa_bits;
    let round = |value: f32| {
        let half = if drop == 0 { 0 } else { 1 << (drop - 1) };
        f32::from_bits((value.to_bits() + half) & (u32::MAX << drop))
    };
    let tensors = safetensors::read(Builtin::Reference.bytes()).expect("file");
    let rounded = |name: &str| tensors[name].to_f32().into_iter().map(round).collect::<Vec<f32>>();
    let dense = |input: &[f32], layer: usize| -> Vec<f32> {
        let (weight, bias) =
            (rounded(&format!("layers.{layer}.weight")), rounded(&format!("layers.{layer}.bias")));
        let sum =
            |row: &[f32]| row.iter().zip(input).rev().fold(0.0, |sum, (weight, value)| sum + weight * value);
        weight.chunks_exact(input.len()).zip(&bias).map(|(row, bias)| sum(row) + bias).collect()
    };
    let (scans, _) = pixels.as_chunks::<{ digits::PIXELS }>();
    let answer = |scan: &[f32; digits::PIXELS]| {
        let hidden: Vec<f32> = dense(scan, 0).into_iter().map(|value| value.max(0.0)).collect();
        let powers: Vec<f32> = dense(&hidden, 1).into_iter().map(libm::expf).collect();
        let total: f32 = powers.iter().sum();
        std::array::from_fn(|class| powers[class] / total)
    };
    scans.iter().map(answer).collect()
}

/// The marks of a miner over many challenges.
fn marks(file: &str, miner: Miner<'_>) -> Vec<Mark> {
    let task = load(file);
    let challenges: Vec<Challenge> =
        (0..CHALLENGES).map(|seed| task.challenge(&[seed; 32]).expect("drawn")).collect();
    let references = task.references(&challenges).expect("references");
    let mark = |(challenge, reference): (&Challenge, &Reference)| {
        let request = task.request(challenge, "id".into());
        let answer = Ok(crate::respond(&request, "1", &miner(challenge.pixels())));
        task.judge(challenge, reference, &answer).expect("judged").mark
    };
    challenges.iter().zip(&references).map(mark).collect()
}

#[test]
fn a_challenge_has_the_same_bits_everywhere() {
    let challenge = load(DIGITS_CONFORMANCE).challenge(&[7; 32]).expect("drawn");
    let mut bytes: Vec<u8> = challenge.pixels().iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    bytes.extend(challenge.truth());
    assert_eq!(
        Digest::of(&bytes).to_string(),
        "ea7e04870b7ff607ddd623cd3513477731b3ed4912526b8bb6e52ff1a0e97929"
    );
}

#[test]
fn challenges_never_repeat_and_belong_to_their_task() {
    let (conformance, quality) = (load(DIGITS_CONFORMANCE), load(DIGITS_QUALITY));
    let mut digests: Vec<Digest> =
        (0..100).map(|seed| conformance.challenge(&[seed; 32]).expect("drawn").digest()).collect();
    digests.push(quality.challenge(&[0; 32]).expect("drawn").digest());
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 101);
    assert_eq!(
        conformance.challenge(&[1; 32]).expect("drawn"),
        conformance.challenge(&[1; 32]).expect("drawn")
    );
    assert_eq!((conformance.file().scope, quality.file().scope), (Scope::Private, Scope::Shared));
}

#[test]
fn an_answer_may_be_as_large_as_what_it_has_to_say_and_little_more() {
    let task = load(DIGITS_CONFORMANCE);
    let challenge = task.challenge(&[1; 32]).expect("drawn");
    let request = task.request(&challenge, "1".to_owned());
    let rows = forward(&model(Builtin::Reference), &crate::pixels(&request).expect("scans"));
    let said: usize = crate::respond(&request, "1", &rows).outputs.iter().map(|it| it.data().len()).sum();
    let most = task.answer_bytes_max().expect("its kind says it");
    // In doubles, and as many values again that nobody asked for.
    assert!(4 * said < most && most < 64 << 10, "{said}, {most}");
}

#[test]
fn a_reference_does_not_depend_on_the_round_it_is_in_and_survives_a_journal() {
    let task = load(DIGITS_CONFORMANCE);
    let challenges: Vec<Challenge> = (0..9).map(|seed| task.challenge(&[seed; 32]).expect("drawn")).collect();
    let together = task.references(&challenges).expect("references");
    for (challenge, reference) in challenges.iter().zip(&together) {
        let alone = task.references(std::slice::from_ref(challenge)).expect("reference");
        assert_eq!(alone, std::slice::from_ref(reference));
        assert_eq!(Reference::from_bytes(&reference.to_bytes()).as_ref(), Ok(reference));
    }
    assert_eq!(task.references(&[]), Ok(Vec::new()));
}

#[test]
fn damaged_references_are_refused() {
    let task = load(DIGITS_CONFORMANCE);
    let bytes =
        task.references(&[task.challenge(&[1; 32]).expect("drawn")]).expect("references")[0].to_bytes();
    for cut in 0..bytes.len() {
        assert!(Reference::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let with = |at: usize, value: &[u8]| {
        let mut bytes = bytes.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        Reference::from_bytes(&bytes).expect_err("refused")
    };
    assert_eq!(with(0, &[4, 0]), ReferenceError::Version { version: 4 });
    let last = bytes.len() - 4;
    assert!(matches!(with(last, &f32::NAN.to_le_bytes()), ReferenceError::Row { row: 63, .. }));
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Reference::from_bytes(&longer), Err(ReferenceError::Undecodable { .. })));
    assert!(matches!(Reference::from_bytes(&vec![0; 1 << 24]), Err(ReferenceError::TooLong { .. })));
}

#[test]
fn a_reference_judges_its_own_challenge_only() {
    let task = load(DIGITS_CONFORMANCE);
    let (one, other) = (task.challenge(&[1; 32]).expect("drawn"), task.challenge(&[2; 32]).expect("drawn"));
    let reference = &task.references(std::slice::from_ref(&one)).expect("references")[0];
    let error = task.judge(&other, reference, &Err(Failure::NoAxon)).expect_err("refused");
    assert_eq!(error, TaskError::Mismatch { challenge: other.digest(), reference: one.digest() });
}

#[test]
fn weights_other_than_the_named_reference_are_refused() {
    let error = Task::load(DIGITS_CONFORMANCE.as_bytes(), &Builtin::Better.bytes()).expect_err("refused");
    let (named, given) = (Builtin::Reference.digest(), Builtin::Better.digest());
    assert_eq!(error, TaskError::WrongReference { named, given });
}

#[test]
fn honest_miners_conform_whatever_their_batches_and_arithmetic() {
    let reference = model(Builtin::Reference);
    for rows in [1, 7, 32, 64] {
        let in_batches = |pixels: &[f32]| {
            pixels.chunks(rows * digits::PIXELS).flat_map(|batch| forward(&reference, batch)).collect()
        };
        assert!(
            marks(DIGITS_CONFORMANCE, &in_batches).iter().all(|mark| *mark == Mark::MAX),
            "batches of {rows}"
        );
    }
    let scalar = marks(DIGITS_CONFORMANCE, &|pixels| elsewhere(pixels, 23));
    assert!(scalar.iter().all(|mark| *mark == Mark::MAX));
}

#[test]
fn every_substitution_deviates_in_every_challenge() {
    let (better, weak) = (model(Builtin::Better), model(Builtin::Weak));
    let miners: [(&str, Miner<'_>); 4] = [
        ("better", &|pixels| forward(&better, pixels)),
        ("weak", &|pixels| forward(&weak, pixels)),
        ("half precision", &|pixels| elsewhere(pixels, 10)),
        ("bfloat16", &|pixels| elsewhere(pixels, 7)),
    ];
    for (name, miner) in miners {
        assert!(marks(DIGITS_CONFORMANCE, miner).iter().all(|mark| *mark < Mark::ZERO), "{name}");
    }
}

#[test]
fn in_quality_the_better_model_ranks_first_and_the_weak_one_earns_nothing() {
    let of = |builtin| {
        let model = model(builtin);
        marks(DIGITS_QUALITY, &move |pixels| forward(&model, pixels))
    };
    let (reference, better, weak) = (of(Builtin::Reference), of(Builtin::Better), of(Builtin::Weak));
    let ahead = reference.iter().zip(&better).filter(|(reference, better)| better > reference).count();
    assert_eq!(ahead, usize::from(CHALLENGES));
    assert!(reference.iter().all(|mark| *mark > Mark::ZERO));
    assert!(weak.iter().all(|mark| *mark < Mark::ZERO));
}

#[test]
fn a_request_is_answered_and_the_answer_conforms() {
    let task = load(DIGITS_CONFORMANCE);
    let challenge = task.challenge(&[5; 32]).expect("drawn");
    let reference = &task.references(std::slice::from_ref(&challenge)).expect("references")[0];
    let request = task.request(&challenge, "abc".into());
    let answered = answer(&model(Builtin::Reference), "1", &request).expect("answered");
    assert_eq!((&answered.id[..], &answered.model[..]), ("abc", "digits"));
    let judgement = task.judge(&challenge, reference, &Ok(answered)).expect("judged");
    assert_eq!(judgement.reasons, [Reason::Conforms { items: 64 }]);
}
