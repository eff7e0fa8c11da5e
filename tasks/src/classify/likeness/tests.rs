use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use weighhouse_models::draw::Gaussian;
use weighhouse_models::precision::{Precision, rounded};
use weighhouse_models::{Builtin, Classifier};
use weighhouse_types::{Block, Hotkey};

use super::*;
use crate::{Challenge, DIGITS_CONFORMANCE, DIGITS_QUALITY, Read, Reference, Task, respond};

const ROUNDS: u8 = 20;

type Rows = Vec<[f32; CLASSES]>;

struct Round {
    task: Task,
    challenge: Challenge,
    reference: Reference,
}

impl Round {
    fn new(file: &str, seed: u8) -> Self {
        let task = Task::load(file.as_bytes(), &Builtin::Reference.bytes()).expect("task");
        let challenge = task.challenge(&[seed; 32]).expect("drawn");
        let reference = task.references(std::slice::from_ref(&challenge)).expect("references").remove(0);
        Self { task, challenge, reference }
    }

    fn quality(seed: u8) -> Self {
        Self::new(DIGITS_QUALITY, seed)
    }

    fn rows(&self, model: &Classifier) -> Rows {
        model.forward(self.challenge.pixels()).expect("forward")
    }

    /// Groups by the answers' positions.
    fn groups(&self, answers: &[Rows]) -> Vec<Vec<u8>> {
        let request = self.task.request(&self.challenge, String::new());
        let read = |rows: &Rows| self.task.read(&self.challenge, &Ok(respond(&request, "1", rows))).ok();
        let answers: Vec<(RegistrationId, Read)> = (0..)
            .map(who)
            .zip(answers.iter().map(read))
            .filter_map(|(who, read)| Some((who, read?)))
            .collect();
        let answers: Vec<_> = answers.iter().map(|(who, read)| (*who, read)).collect();
        let groups = self.task.alike(&self.challenge, &self.reference, &answers).unwrap_or_default();
        groups.into_iter().map(|group| group.into_iter().map(|who| who.hotkey.0[0]).collect()).collect()
    }
}

/// Models of the built-in recipes, from other seeds: `weighhouse-trainer digits --recipe weak --seed 2` and so on.
const SEEDED: [&[u8]; 3] = [
    include_bytes!("../../../testdata/digits-weak-2.safetensors"),
    include_bytes!("../../../testdata/digits-weak-3.safetensors"),
    include_bytes!("../../../testdata/digits-reference-2.safetensors"),
];

fn who(position: u8) -> RegistrationId {
    RegistrationId { hotkey: Hotkey([position; 32]), registered_at: Block(1) }
}

fn model(file: &[u8]) -> Classifier {
    Classifier::load(file).expect("weights")
}

/// Adds Gaussian noise of this deviation to the logarithms of the probabilities.
fn disturbed(rows: &[[f32; CLASSES]], sigma: f64, seed: u64) -> Rows {
    let (mut rng, mut noise) = (ChaCha20Rng::seed_from_u64(seed), Gaussian::default());
    let disturb = |row: &[f32; CLASSES]| {
        let values = row.map(|value| f64::from(value) * libm::exp(sigma * noise.next(&mut rng)));
        let total: f64 = values.iter().sum();
        values.map(|value| (value / total) as f32)
    };
    rows.iter().map(disturb).collect()
}

/// Different models, each trained or rounded on its own.
fn distinct() -> Vec<Classifier> {
    let reference = Builtin::Reference.bytes();
    let formats = [Precision::Half, Precision::Int8, Precision::Int4];
    let formats = formats.map(|precision| model(&rounded(reference, precision).expect("rounded")));
    let mut models = Vec::from(Builtin::ALL.map(|builtin| model(builtin.bytes())));
    models.extend(formats);
    models.extend(SEEDED.map(model));
    models
}

#[test]
fn different_models_are_never_alike_and_one_model_behind_two_names_always_is() {
    let models = distinct();
    for seed in 0..ROUNDS {
        let round = Round::quality(seed);
        let once: Vec<Rows> = models.iter().map(|model| round.rows(model)).collect();
        assert_eq!(round.groups(&once), Vec::<Vec<u8>>::new(), "round {seed}");
        let twice: Vec<Rows> = once.iter().chain(&once).cloned().collect();
        let count = models.len() as u8;
        // All but the reference, which is the first and predicted.
        let pairs: Vec<Vec<u8>> = (1..count).map(|position| vec![position, position + count]).collect();
        assert_eq!(round.groups(&twice), pairs, "round {seed}");
    }
}

#[test]
fn a_little_noise_hides_no_copy() {
    for seed in 0..ROUNDS {
        let round = Round::quality(seed);
        for builtin in [Builtin::Better, Builtin::Weak] {
            let rows = round.rows(&model(builtin.bytes()));
            let copy = disturbed(&rows, 0.2, u64::from(seed));
            assert_eq!(round.groups(&[rows, copy]), [vec![0, 1]], "{builtin}, round {seed}");
        }
    }
}

#[test]
fn what_the_judge_predicts_is_no_evidence() {
    for seed in 0..ROUNDS {
        let round = Round::quality(seed);
        let reference = round.reference.rows().to_vec();
        let one_hot = |digit: &u8| std::array::from_fn(|class| f32::from(class == usize::from(*digit)));
        let truth: Rows = round.challenge.truth().iter().map(one_hot).collect();
        let uniform = vec![[0.1; CLASSES]; truth.len()];
        let between = |share: f32| -> Rows {
            let mix = |(a, b): (&[f32; CLASSES], &[f32; CLASSES])| {
                std::array::from_fn(|class| a[class] * share + b[class] * (1.0 - share))
            };
            reference.iter().zip(&truth).map(mix).collect()
        };
        let answers = [reference.clone(), truth.clone(), uniform, between(0.5), between(0.1)];
        let twice: Vec<Rows> = answers.iter().chain(&answers).cloned().collect();
        assert_eq!(round.groups(&twice), Vec::<Vec<u8>>::new(), "round {seed}");
    }
}

#[test]
fn a_noise_model_and_its_mirror_image_are_alike() {
    for seed in 0..ROUNDS {
        let round = Round::quality(seed);
        let twin = |sigma| disturbed(round.reference.rows(), sigma, 9);
        assert_eq!(round.groups(&[twin(0.3), twin(-0.3)]), [vec![0, 1]], "round {seed}");
        let stranger = disturbed(round.reference.rows(), -0.3, 10);
        assert_eq!(round.groups(&[twin(0.3), stranger]), Vec::<Vec<u8>>::new(), "round {seed}");
    }
}

#[test]
fn groups_are_sorted_transitive_and_do_not_depend_on_the_order_of_answers() {
    let round = Round::quality(1);
    let (better, weak) =
        (round.rows(&model(Builtin::Better.bytes())), round.rows(&model(Builtin::Weak.bytes())));
    let answers = [&weak, &better, &weak, &better, &weak].map(Clone::clone);
    assert_eq!(round.groups(&answers), [vec![0, 2, 4], vec![1, 3]]);
    let mut named: Vec<_> = (0..).map(who).zip(&answers).collect();
    let (truth, reference) = (round.challenge.truth(), round.reference.rows());
    let forward = groups(truth, reference, &named);
    named.reverse();
    assert_eq!(groups(truth, reference, &named), forward);
}

#[test]
fn conformance_private_and_foreign_rounds_have_no_groups() {
    let private = DIGITS_QUALITY.replace("scope = \"shared\"", "scope = \"private\"");
    let conformance = DIGITS_CONFORMANCE.replace("scope = \"private\"", "scope = \"shared\"");
    for file in [private, conformance] {
        let round = Round::new(&file, 1);
        let better = round.rows(&model(Builtin::Better.bytes()));
        assert_eq!(round.groups(&[better.clone(), better]), Vec::<Vec<u8>>::new());
    }
    let (mut round, other) = (Round::quality(1), Round::quality(2));
    let better = round.rows(&model(Builtin::Better.bytes()));
    round.reference = other.reference;
    assert_eq!(round.groups(&[better.clone(), better]), Vec::<Vec<u8>>::new());
}

#[test]
fn malformed_answers_are_in_no_group() {
    let round = Round::quality(1);
    let nan = vec![[f32::NAN; CLASSES]; round.challenge.items()];
    let short = vec![[0.1; CLASSES]; 3];
    let weak = round.rows(&model(Builtin::Weak.bytes()));
    let answers = [nan.clone(), short.clone(), weak.clone(), nan, short, weak];
    assert_eq!(round.groups(&answers), [vec![2, 5]]);
}
