use super::*;
use crate::{Datatype, InferAnswer, InferRequest, Tensor, TensorError};

fn asked(scans: usize) -> InferRequest {
    ScansRequest { pixels: vec![0.5; scans * PIXELS] }.to_infer("digits", "7")
}

fn with_input(tensor: Tensor) -> InferRequest {
    InferRequest { inputs: vec![tensor], ..asked(1) }
}

fn input(shape: &[u64], value: f32) -> Tensor {
    let count = shape.iter().product::<u64>() as usize;
    Tensor::from_f32(INPUT, shape.to_vec(), &vec![value; count]).expect("agrees")
}

fn row() -> [f32; CLASSES] {
    [0.1; CLASSES]
}

fn with_output(tensor: Tensor) -> InferAnswer {
    InferAnswer { outputs: vec![tensor], ..ScansAnswer { rows: vec![row()] }.to_infer("digits", "1", "7") }
}

#[test]
fn requests_and_answers_round_trip() {
    let request = ScansRequest { pixels: vec![0.25; 3 * PIXELS] };
    assert_eq!(ScansRequest::from_infer(&request.to_infer("digits", "7"), 3), Ok(request));
    let answer = ScansAnswer { rows: vec![row(); 3] };
    let sent = answer.to_infer("digits", "1", "7");
    assert_eq!((sent.model.as_str(), sent.version.as_str(), sent.id.as_str()), ("digits", "1", "7"));
    assert_eq!(ScansAnswer::from_infer(&sent, 3), Ok(answer));
}

#[test]
fn requests_that_make_no_sense_are_refused_by_name() {
    let read = |request: &InferRequest| ScansRequest::from_infer(request, 8).expect_err("refused");
    let none = InferRequest { inputs: vec![], ..asked(1) };
    assert_eq!(read(&none), ScansError::Tensor(TensorError::Missing { name: INPUT.into() }));
    let logits = InferRequest { outputs: vec!["logits".into()], ..asked(1) };
    assert_eq!(read(&logits), ScansError::UnknownOutput { name: "logits".into() });
    let image = Tensor::from_f32("image", vec![1, 64], &[0.0; 64]).expect("agrees");
    assert_eq!(read(&with_input(image)), ScansError::UnknownInput { name: "image".into() });
    for shape in [&[64][..], &[64, 63], &[1, 1, 64]] {
        assert!(matches!(read(&with_input(input(shape, 0.0))), ScansError::Shape { .. }), "{shape:?}");
    }
    assert_eq!(read(&with_input(input(&[0, 64], 0.0))), ScansError::Count { scans: 0, scans_max: 8 });
    assert_eq!(read(&asked(9)), ScansError::Count { scans: 9, scans_max: 8 });
    let nan = input(&[2, 64], f32::NAN);
    assert_eq!(read(&with_input(nan)), ScansError::NotFinite { scan: 0, pixel: 0 });
    let bytes = Tensor::new(INPUT.into(), Datatype::Uint8, vec![1, 64], vec![0; 64]).expect("agrees");
    assert!(matches!(read(&with_input(bytes)), ScansError::Tensor(TensorError::Kind { .. })));
}

#[test]
fn a_long_foreign_shape_is_cut_in_the_message() {
    let shape = vec![1_u64; 100];
    let error = ScansRequest::from_infer(&with_input(input(&shape, 0.0)), 8).expect_err("refused");
    assert_eq!(error.to_string(), "input \"pixels\" has shape [1, 1, 1, 1, ..], expected [scans, 64]");
}

#[test]
fn answers_that_are_no_distributions_say_why() {
    let read = |answer: &InferAnswer, scans| ScansAnswer::from_infer(answer, scans).expect_err("malformed");
    let of = |rows: &[[f32; CLASSES]]| ScansAnswer { rows: rows.to_vec() }.to_infer("digits", "1", "7");
    assert_eq!(read(&of(&[row()]), 2).what, "shape [1, 10], expected [2, 10]");
    let mut negative = row();
    negative[3] = -0.1;
    let expected = MalformedScans { item: 1, what: "probability -0.1 of digit 3".into() };
    assert_eq!(read(&of(&[row(), negative]), 2), expected);
    assert_eq!(read(&of(&[[0.2; CLASSES]]), 1).what, "probabilities sum to 2.000000");
    assert!(read(&of(&[[f32::NAN; CLASSES]]), 1).what.starts_with("probability NaN"));
    let wide = Tensor::new(OUTPUT.into(), Datatype::Fp64, vec![1, 10], vec![0; 80]).expect("agrees");
    assert_eq!(read(&with_output(wide), 1).what, "datatype FP64, expected FP32");
    let other = Tensor::from_f32("logits", vec![1, 10], &row()).expect("agrees");
    assert_eq!(read(&with_output(other), 1).what, "no output named \"probabilities\"");
}
