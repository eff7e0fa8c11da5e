use ndarray::Array2;
use std::sync::Arc;

use super::*;
use crate::Task;
use crate::witness::Encoder;
use weighhouse_models::encoder::EmbedError;
use weighhouse_types::{Digest, Failure, Mark, Reason};

#[derive(Debug)]
struct Letters;

impl Encoder for Letters {
    fn digest(&self) -> Digest {
        Digest::of(b"letters")
    }

    fn dimensions(&self) -> usize {
        26
    }

    /// Counts of each of 26 letters in a text.
    fn embed(&self, texts: &[&str]) -> Result<Array2<f32>, EmbedError> {
        let is =
            |letter: usize, byte: &u8| usize::from(byte.to_ascii_lowercase()) == usize::from(b'a') + letter;
        let count = |text: &str, letter| text.as_bytes().iter().filter(|byte| is(letter, byte)).count();
        Ok(Array2::from_shape_fn((texts.len(), 26), |(text, letter)| count(texts[text], letter) as f32))
    }
}

fn task() -> Task {
    let file = format!(
        "version = 1\nkind = \"embed\"\nmode = \"conformance\"\nscope = \"shared\"\nmodel = \"letters\"\nitems = 4\n\
         reference = \"{}\"\n[embed]\ntexts = \"rust/v1\"\nwords = 9\n[conformance]\ntolerance = 0.0001\n",
        Digest::of(b"letters")
    );
    Task::load(file.as_bytes(), &(Arc::new(Letters) as Arc<dyn Encoder>)).expect("a task")
}

#[test]
fn rows_that_point_where_the_references_do_pass_and_others_are_counted() {
    let task = task();
    let challenge = task.challenge(&[1; 32]).expect("drawn");
    let reference = task.references(std::slice::from_ref(&challenge)).expect("reference").remove(0);
    let recorded = crate::Reference::from_bytes(&reference.to_bytes()).expect("recorded");
    assert_eq!(recorded, reference);
    let texts: Vec<&str> = challenge.texts().iter().map(String::as_str).collect();
    assert_eq!(texts.len(), 4);
    let honest = Letters.embed(&texts).expect("rows");
    let judge = |rows: Array2<f32>| {
        let answer = TextsAnswer { rows }.to_infer("letters", "1", "id").expect("an answer");
        task.judge(&challenge, &recorded, &Ok(answer)).expect("judged")
    };
    let scaled = |by: f32| &honest * by;
    assert_eq!(judge(scaled(1.0)).reasons, [Reason::Conforms { items: 4 }]);
    assert_eq!(judge(scaled(0.125)).mark, Mark::MAX);
    assert_eq!(judge(scaled(-1.0)).mark, Mark::MIN);
    let mut one_off = honest.clone();
    one_off.row_mut(2).fill(1.0);
    let judgement = judge(one_off);
    assert_eq!(judgement.reasons, [Reason::Deviates { items: 4, outside: 1, worst: 2 }]);
    assert_eq!(judgement.mark.to_f64(), -0.25);
}

#[test]
fn what_is_no_embedding_is_malformed_and_silence_is_silence() {
    let task = task();
    let challenge = task.challenge(&[1; 32]).expect("drawn");
    let reference = task.references(std::slice::from_ref(&challenge)).expect("reference").remove(0);
    let judge = |rows: Array2<f32>| {
        let answer = TextsAnswer { rows }.to_infer("letters", "1", "id").expect("an answer");
        task.judge(&challenge, &reference, &Ok(answer)).expect("judged")
    };
    for (shape, value) in [((3, 26), 1.0), ((4, 25), 1.0), ((4, 26), f32::NAN), ((5, 26), 1.0)] {
        let judgement = judge(Array2::from_elem(shape, value));
        assert!(judgement.mark == Mark::ZERO && matches!(judgement.reasons[..], [Reason::Malformed { .. }]));
    }
    // A row without length points nowhere.
    assert_eq!(judge(Array2::zeros((4, 26))).mark, Mark::MIN);
    let silent = task.judge(&challenge, &reference, &Err(Failure::DeadlineExceeded)).expect("judged");
    assert_eq!(silent.reasons, [Reason::Silent { failure: Failure::DeadlineExceeded }]);
}
