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
    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let count =
            |text: &str, letter: u8| text.bytes().filter(|byte| byte.to_ascii_lowercase() == letter).count();
        Ok(texts
            .iter()
            .map(|text| (b'a'..=b'z').map(|letter| count(text, letter) as f32).collect())
            .collect())
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
    let judge = |rows: Vec<Vec<f32>>| {
        let answer = TextsAnswer { rows }.to_infer("letters", "1", "id").expect("an answer");
        task.judge(&challenge, &recorded, &Ok(answer)).expect("judged")
    };
    let scaled = |by: f32| honest.iter().map(|row| row.iter().map(|value| value * by).collect()).collect();
    assert_eq!(judge(scaled(1.0)).reasons, [Reason::Conforms { items: 4 }]);
    assert_eq!(judge(scaled(0.125)).mark, Mark::MAX);
    assert_eq!(judge(scaled(-1.0)).mark, Mark::MIN);
    let mut one_off = honest.clone();
    one_off[2] = vec![1.0; 26];
    let judgement = judge(one_off);
    assert_eq!(judgement.reasons, [Reason::Deviates { items: 4, outside: 1, worst: 2 }]);
    assert_eq!(judgement.mark.to_f64(), -0.25);
}

#[test]
fn what_is_no_embedding_is_malformed_and_silence_is_silence() {
    let task = task();
    let challenge = task.challenge(&[1; 32]).expect("drawn");
    let reference = task.references(std::slice::from_ref(&challenge)).expect("reference").remove(0);
    let judge = |rows: Vec<Vec<f32>>| {
        let answer = TextsAnswer { rows }.to_infer("letters", "1", "id").expect("an answer");
        task.judge(&challenge, &reference, &Ok(answer)).expect("judged")
    };
    for rows in
        [vec![vec![1.0; 26]; 3], vec![vec![1.0; 25]; 4], vec![vec![f32::NAN; 26]; 4], vec![vec![1.0; 26]; 5]]
    {
        let judgement = judge(rows);
        assert!(judgement.mark == Mark::ZERO && matches!(judgement.reasons[..], [Reason::Malformed { .. }]));
    }
    // A row without length points nowhere.
    assert_eq!(judge(vec![vec![0.0; 26]; 4]).mark, Mark::MIN);
    let silent = task.judge(&challenge, &reference, &Err(Failure::DeadlineExceeded)).expect("judged");
    assert_eq!(silent.reasons, [Reason::Silent { failure: Failure::DeadlineExceeded }]);
}
