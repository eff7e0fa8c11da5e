use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

use super::*;

const DATATYPES: [&str; 14] = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64",
    "BF16", "BYTES",
];

/// A one-tensor request with typed contents.
fn typed(datatype: &str, shape: &[i64], contents: InferTensorContents) -> Result<Tensor, TensorError> {
    let input = InferInputTensor {
        name: "t".into(),
        datatype: datatype.into(),
        shape: shape.to_vec(),
        contents: Some(contents),
        ..Default::default()
    };
    let message = ModelInferRequest { inputs: vec![input], ..Default::default() };
    InferRequest::try_from(message).map(|mut request| request.inputs.remove(0))
}

fn raw(datatype: &str, shape: &[i64], bytes: &[u8]) -> Result<Tensor, TensorError> {
    let input = InferInputTensor {
        name: "t".into(),
        datatype: datatype.into(),
        shape: shape.to_vec(),
        ..Default::default()
    };
    let message = ModelInferRequest {
        inputs: vec![input],
        raw_input_contents: vec![bytes.to_vec()],
        ..Default::default()
    };
    InferRequest::try_from(message).map(|mut request| request.inputs.remove(0))
}

#[test]
fn typed_and_raw_contents_mean_the_same() {
    let none = InferTensorContents::default;
    let ints = InferTensorContents { int_contents: vec![-1, 2], ..none() };
    let uints = InferTensorContents { uint_contents: vec![1, 255], ..none() };
    let cases: [(&str, InferTensorContents, Vec<u8>); 12] = [
        ("BOOL", InferTensorContents { bool_contents: vec![true, false], ..none() }, vec![1, 0]),
        ("INT8", ints.clone(), vec![255, 2]),
        ("INT16", ints.clone(), vec![255, 255, 2, 0]),
        ("INT32", ints, vec![255, 255, 255, 255, 2, 0, 0, 0]),
        ("UINT8", uints.clone(), vec![1, 255]),
        ("UINT16", uints.clone(), vec![1, 0, 255, 0]),
        ("UINT32", uints, vec![1, 0, 0, 0, 255, 0, 0, 0]),
        ("INT64", InferTensorContents { int64_contents: vec![-1, 0], ..none() }, [[255; 8], [0; 8]].concat()),
        (
            "UINT64",
            InferTensorContents { uint64_contents: vec![u64::MAX, 0], ..none() },
            [[255; 8], [0; 8]].concat(),
        ),
        (
            "FP32",
            InferTensorContents { fp32_contents: vec![1.0, 0.0], ..none() },
            vec![0, 0, 128, 63, 0, 0, 0, 0],
        ),
        (
            "FP64",
            InferTensorContents { fp64_contents: vec![1.0, 0.0], ..none() },
            [1.0_f64.to_le_bytes(), [0; 8]].concat(),
        ),
        (
            "BYTES",
            InferTensorContents { bytes_contents: vec![b"ab".to_vec(), vec![]], ..none() },
            vec![2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0],
        ),
    ];
    for (datatype, contents, bytes) in cases {
        let tensor = typed(datatype, &[2], contents).expect(datatype);
        assert_eq!(tensor.data(), bytes, "{datatype}");
        assert_eq!(Ok(tensor), raw(datatype, &[2], &bytes), "{datatype}");
    }
}

// Bytes that PyPI's tritonclient 2.x made: with typed contents and parameters, with raw contents, and an answer.
#[test]
fn tritonclients_bytes_are_read() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> =
            hex.bytes().map(|digit| (digit as char).to_digit(16).expect("hexadecimal") as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let request =
        |hex| InferRequest::try_from(ModelInferRequest::decode(&bytes(hex)[..]).expect("decodable"));
    let typed = request(
        "0a016d1201321a013722070a0170120228092a2e0a01781205494e5431361a020102220e0a0171120921000000000000f83f2a0e120c\
         ffffffffffffffffff01ac0232190a017912140a0e636c617373696669636174696f6e12021003",
    );
    let tensor = Tensor::new("x".into(), Datatype::Int16, vec![1, 2], vec![255, 255, 44, 1]).expect("agrees");
    let (model, version, id) = ("m".to_owned(), "2".to_owned(), "7".to_owned());
    let expected = InferRequest { model, version, id, inputs: vec![tensor], outputs: vec!["y".into()] };
    assert_eq!(typed, Ok(expected));

    let raw = request("0a016d2a0d0a0178120542595445531a01013a06020000006869").expect("agrees");
    assert_eq!((raw.inputs[0].datatype(), raw.inputs[0].data()), (Datatype::Bytes, &b"\x02\0\0\0hi"[..]));

    let answer = bytes("0a016d1201321a01372a0c0a01791204465033321a010232080000803f00000000");
    let answer =
        InferAnswer::try_from(ModelInferResponse::decode(&answer[..]).expect("decodable")).expect("agrees");
    assert_eq!(answer.output("y").and_then(Tensor::to_f32), Ok(vec![1.0, 0.0]));
}

#[test]
fn half_precision_travels_raw_only() {
    for datatype in ["FP16", "BF16"] {
        assert!(raw(datatype, &[2], &[0, 60, 0, 0]).is_ok());
        let contents = InferTensorContents { fp32_contents: vec![1.0], ..Default::default() };
        assert!(matches!(typed(datatype, &[1], contents), Err(TensorError::Contents(_))));
    }
}

#[test]
fn contents_of_the_wrong_kind_are_refused() {
    let contents =
        InferTensorContents { fp32_contents: vec![1.0], int_contents: vec![1], ..Default::default() };
    let error = typed("FP32", &[1], contents).expect_err("int contents in an FP32 tensor");
    assert!(matches!(error, TensorError::Kind { expected: "fp32_contents", actual: "int_contents", .. }));
    let contents = InferTensorContents { int_contents: vec![128], ..Default::default() };
    assert!(matches!(typed("INT8", &[1], contents), Err(TensorError::Contents(_))));
    let contents = InferTensorContents { uint_contents: vec![65_536], ..Default::default() };
    assert!(matches!(typed("UINT16", &[1], contents), Err(TensorError::Contents(_))));
}

#[test]
fn shapes_and_datatypes_that_lie_are_refused() {
    assert!(matches!(raw("FP32", &[-1], &[]), Err(TensorError::NegativeDimension { dimension: -1, .. })));
    assert!(matches!(raw("FP8", &[1], &[0]), Err(TensorError::Datatype { .. })));
    assert!(matches!(raw("fp32", &[1], &[0; 4]), Err(TensorError::Datatype { .. })));
    assert!(matches!(raw("FP32", &[2], &[0; 4]), Err(TensorError::Length { expected: 8, actual: 4, .. })));
    assert!(matches!(raw("FP32", &[i64::MAX, 4], &[]), Err(TensorError::TooManyElements { .. })));
    let empty = InferTensorContents::default();
    assert!(matches!(typed("FP32", &[1], empty), Err(TensorError::Length { expected: 4, actual: 0, .. })));
}

#[test]
fn raw_and_typed_contents_do_not_mix() {
    let input = |name: &str, contents| InferInputTensor {
        name: name.into(),
        datatype: "BOOL".into(),
        shape: vec![1],
        contents,
        ..Default::default()
    };
    let message =
        |inputs, raw_input_contents| ModelInferRequest { inputs, raw_input_contents, ..Default::default() };
    let contents = Some(InferTensorContents { bool_contents: vec![true], ..Default::default() });
    let refused = [
        message(vec![input("a", contents.clone())], vec![vec![1]]),
        message(vec![input("a", None), input("b", contents)], vec![vec![1]]),
        message(vec![input("a", None)], vec![vec![1], vec![1]]),
        message(vec![], vec![vec![1]]),
        message(vec![input("a", None), input("a", None)], vec![vec![1], vec![1]]),
    ];
    for message in refused {
        let shown = format!("{message:?}");
        assert!(matches!(InferRequest::try_from(message), Err(TensorError::Contents(_))), "{shown}");
    }
}

#[test]
fn a_shape_that_the_wire_cannot_carry_is_not_sent() {
    let tensor =
        Tensor::new("t".into(), Datatype::Fp32, vec![u64::MAX, 0], vec![]).expect("no elements, no bytes");
    let answer =
        InferAnswer { model: "m".into(), version: "1".into(), id: String::new(), outputs: vec![tensor] };
    assert!(matches!(ModelInferResponse::try_from(answer), Err(TensorError::TooManyElements { .. })));
}

fn any_tensor(index: usize) -> impl Strategy<Value = Tensor> {
    (0..DATATYPES.len(), vec(0_u64..4, 0..4), any::<u64>()).prop_map(move |(datatype, shape, seed)| {
        let datatype = Datatype::from_name(DATATYPES[datatype]).expect("listed");
        let count: u64 = shape.iter().product();
        let element = |at: u64| match datatype.size() {
            Some(size) => seed.wrapping_mul(at + 1).to_le_bytes()[..size].to_vec(),
            None => {
                let length = (seed.wrapping_add(at) % 5) as u32;
                [length.to_le_bytes().to_vec(), vec![at as u8; length as usize]].concat()
            }
        };
        let data = (0..count).flat_map(element).collect();
        Tensor::new(format!("t{index}"), datatype, shape, data).expect("made to agree")
    })
}

fn any_tensors() -> impl Strategy<Value = Vec<Tensor>> {
    (any_tensor(0), any_tensor(1), any_tensor(2), 0..4_usize)
        .prop_map(|(a, b, c, count)| [a, b, c].into_iter().take(count).collect())
}

proptest! {
    #[test]
    fn requests_and_answers_round_trip_over_the_wire(
        inputs in any_tensors(), model in ".{0,8}", id in ".{0,8}", outputs in vec(".{0,4}", 0..3),
    ) {
        let request = InferRequest { model: model.clone(), version: "1".into(), id: id.clone(), inputs: inputs.clone(), outputs };
        let bytes = ModelInferRequest::try_from(request.clone()).expect("small shapes").encode_to_vec();
        let read = ModelInferRequest::decode(&bytes[..]).expect("own bytes");
        prop_assert_eq!(InferRequest::try_from(read), Ok(request));

        let answer = InferAnswer { model, version: "1".into(), id, outputs: inputs };
        let bytes = ModelInferResponse::try_from(answer.clone()).expect("small shapes").encode_to_vec();
        let read = ModelInferResponse::decode(&bytes[..]).expect("own bytes");
        prop_assert_eq!(InferAnswer::try_from(read), Ok(answer));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..256)) {
        if let Ok(message) = ModelInferRequest::decode(&bytes[..]) {
            let _ = InferRequest::try_from(message);
        }
        if let Ok(message) = ModelInferResponse::decode(&bytes[..]) {
            let _ = InferAnswer::try_from(message);
        }
    }

    #[test]
    fn arbitrary_claims_never_panic(
        datatype in 0..DATATYPES.len(), shape in vec(any::<i64>(), 0..4), bytes in vec(any::<u8>(), 0..64),
        ints in vec(any::<i32>(), 0..4), uints in vec(any::<u32>(), 0..4), elements in vec(vec(any::<u8>(), 0..4), 0..4),
    ) {
        let datatype = DATATYPES[datatype];
        let _ = raw(datatype, &shape, &bytes);
        let _ = typed(datatype, &shape, InferTensorContents { int_contents: ints, ..Default::default() });
        let _ = typed(datatype, &shape, InferTensorContents { uint_contents: uints, ..Default::default() });
        let _ = typed(datatype, &shape, InferTensorContents { bytes_contents: elements, ..Default::default() });
    }
}
