//! Reading answers: the values of one tensor, or the verdict on what is none.

use std::fmt::Display;
use std::ops::RangeInclusive;

use weighhouse_types::{InferAnswer, Judgement, Tensor, TensorError};

use crate::verdict::malformed;

/// Finite numbers: an FP32 tensor of exactly this shape.
///
/// # Errors
/// The verdict on anything else.
pub fn numbers(answer: &InferAnswer, name: &str, shape: &[usize]) -> Result<Vec<f32>, Judgement> {
    let values = shaped(answer, name, shape)?.to_f32().map_err(refused)?;
    match values.iter().zip(0..).find(|(value, _)| !value.is_finite()) {
        Some((value, item)) => Err(malformed(item, format!("{name} has {value}"))),
        None => Ok(values),
    }
}

/// Whole numbers: an INT64 tensor of exactly this shape.
///
/// # Errors
/// As [`numbers`].
pub fn integers(answer: &InferAnswer, name: &str, shape: &[usize]) -> Result<Vec<i64>, Judgement> {
    shaped(answer, name, shape)?.to_i64().map_err(refused)
}

/// As [`numbers`], each within a range: probabilities are `numbers_within(answer, "wet", &[days], 0.0..=1.0)`.
///
/// # Errors
/// As [`numbers`].
pub fn numbers_within(
    answer: &InferAnswer,
    name: &str,
    shape: &[usize],
    range: RangeInclusive<f32>,
) -> Result<Vec<f32>, Judgement> {
    all_within(name, numbers(answer, name, shape)?, &range)
}

/// As [`integers`], each within a range: one of ten classes is `integers_within(answer, "label", &[items], 0..=9)`.
///
/// # Errors
/// As [`numbers`].
pub fn integers_within(
    answer: &InferAnswer,
    name: &str,
    shape: &[usize],
    range: RangeInclusive<i64>,
) -> Result<Vec<i64>, Judgement> {
    all_within(name, integers(answer, name, shape)?, &range)
}

/// Texts: a BYTES tensor of exactly this shape, each element UTF-8 of at most so many bytes.
///
/// # Errors
/// As [`numbers`].
pub fn texts(
    answer: &InferAnswer,
    name: &str,
    shape: &[usize],
    bytes_max: usize,
) -> Result<Vec<String>, Judgement> {
    let texts = shaped(answer, name, shape)?.to_texts().map_err(refused)?;
    match texts.iter().zip(0..).find(|(text, _)| text.len() > bytes_max) {
        Some((text, item)) => {
            Err(malformed(item, format!("{name} has {} bytes, at most {bytes_max}", text.len())))
        }
        None => Ok(texts),
    }
}

fn all_within<V: PartialOrd + Display>(
    name: &str,
    values: Vec<V>,
    range: &RangeInclusive<V>,
) -> Result<Vec<V>, Judgement> {
    match values.iter().zip(0..).find(|(value, _)| !range.contains(value)) {
        Some((value, item)) => {
            let (least, most) = (range.start(), range.end());
            Err(malformed(item, format!("{name} has {value}, outside {least} to {most}")))
        }
        None => Ok(values),
    }
}

fn shaped<'a>(answer: &'a InferAnswer, name: &str, shape: &[usize]) -> Result<&'a Tensor, Judgement> {
    let tensor = answer.output(name).map_err(refused)?;
    if tensor.shape().iter().copied().eq(shape.iter().map(|dimension| *dimension as u64)) {
        return Ok(tensor);
    }
    Err(malformed(0, format!("{name} has shape {:?}, expected {shape:?}", tensor.shape())))
}

fn refused(error: TensorError) -> Judgement {
    malformed(0, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighhouse_types::{Datatype, InferRequest, Outcome};

    fn answer(tensor: Tensor) -> InferAnswer {
        InferRequest::asking(Vec::new(), &[]).answered(vec![tensor])
    }

    fn why(refused: Result<impl std::fmt::Debug, Judgement>) -> String {
        let judgement = refused.expect_err("refused");
        assert_eq!((judgement.mark.billionths(), judgement.reasons[0].outcome()), (0, Outcome::Malformed));
        judgement.reasons[0].to_string()
    }

    #[test]
    fn values_of_the_asked_shape_are_read() {
        assert_eq!(numbers(&answer(Tensor::numbers("y", &[1.0, 2.0])), "y", &[2]), Ok(vec![1.0, 2.0]));
        assert_eq!(integers(&answer(Tensor::integers("y", &[-1])), "y", &[1]), Ok(vec![-1]));
        let words = Tensor::texts("y", &["a", "bc"]).expect("short texts");
        assert_eq!(texts(&answer(words), "y", &[2], 2), Ok(vec!["a".to_owned(), "bc".to_owned()]));
    }

    #[test]
    fn anything_else_is_told_by_what_is_wrong_with_it() {
        let two = || answer(Tensor::numbers("y", &[1.0, f32::NAN]));
        assert!(why(numbers(&two(), "z", &[2])).contains("no tensor named \"z\""));
        assert!(why(numbers(&two(), "y", &[3])).contains("y has shape [2], expected [3]"));
        assert!(why(numbers(&two(), "y", &[2])).contains("y has NaN"));
        assert!(
            why(numbers_within(&answer(Tensor::numbers("y", &[0.5, 1.5])), "y", &[2], 0.0..=1.0))
                .contains("y has 1.5, outside 0 to 1")
        );
        assert!(
            why(integers_within(&answer(Tensor::integers("y", &[10])), "y", &[1], 0..=9))
                .contains("y has 10, outside 0 to 9")
        );
        assert!(why(integers(&two(), "y", &[2])).contains("expected INT64, it is FP32"));
        let long = answer(Tensor::texts("y", &["abc"]).expect("a short text"));
        assert!(why(texts(&long, "y", &[1], 2)).contains("y has 3 bytes, at most 2"));
        let bytes = Tensor::new("y".to_owned(), Datatype::Bytes, vec![1], vec![1, 0, 0, 0, 0xff]);
        assert!(why(texts(&answer(bytes.expect("an element")), "y", &[1], 2)).contains("not UTF-8"));
    }
}
