use super::*;
use crate::{Datatype, InferAnswer, InferRequest, Tensor, TensorError};

const LIMITS: TextLimits = TextLimits { prompt_bytes: 64, prompt_tokens: 8, max_tokens: 128 };
const TEXTS: TextsLimits = TextsLimits { texts: 3, bytes: 16, dimensions: 4 };

fn tensor(name: &str, datatype: Datatype, shape: &[u64], data: &[u8]) -> Tensor {
    Tensor::new(name.into(), datatype, shape.to_vec(), data.to_vec()).expect("agrees")
}

fn words(name: &str, words: &[&[u8]]) -> Tensor {
    let data: Vec<u8> =
        words.iter().flat_map(|word| [&(word.len() as u32).to_le_bytes()[..], word].concat()).collect();
    tensor(name, Datatype::Bytes, &[words.len() as u64], &data)
}

fn int(name: &str, value: i32) -> Tensor {
    tensor(name, Datatype::Int32, &[1], &value.to_le_bytes())
}

fn float(name: &str, value: f32) -> Tensor {
    tensor(name, Datatype::Fp32, &[1], &value.to_le_bytes())
}

fn request(inputs: Vec<Tensor>) -> InferRequest {
    InferRequest { model: "m".into(), version: String::new(), id: "7".into(), inputs, outputs: Vec::new() }
}

/// A request for "hi" with these inputs besides.
fn with(inputs: Vec<Tensor>) -> Result<TextRequest, TextError> {
    let prompt = words(name::TEXT_INPUT, &[b"hi"]);
    TextRequest::from_infer(&request([vec![prompt], inputs].concat()), &LIMITS)
}

fn everything() -> TextRequest {
    TextRequest {
        prompt: Prompt::Ids(vec![1, 2, 150_000]),
        max_tokens: 100,
        temperature: 0.7,
        top_k: 40,
        top_p: 0.9,
        seed: u64::MAX,
        stop: vec!["\n\n".into(), "ende".into()],
        log_probs: true,
        top_log_probs: 5,
        ignore_end: true,
    }
}

#[test]
fn a_request_round_trips_with_and_without_what_has_a_default() {
    for asked in [everything(), TextRequest::greedy("héllo", 3)] {
        let sent = asked.to_infer("m", "7").expect("small");
        assert_eq!(TextRequest::from_infer(&sent, &LIMITS), Ok(asked));
    }
    let sent = TextRequest::greedy("hi", 3).to_infer("m", "").expect("small");
    let names: Vec<_> = sent.inputs.iter().map(Tensor::name).collect();
    assert_eq!(names, [name::TEXT_INPUT, name::MAX_TOKENS]);
    assert_eq!(with(vec![]), Ok(TextRequest::greedy("hi", MAX_TOKENS_DEFAULT)));
}

#[test]
fn a_batch_dimension_of_one_means_the_same() {
    let batched = |name: &str, datatype, data: &[u8]| tensor(name, datatype, &[1, 1], data);
    let read = TextRequest::from_infer(
        &request(vec![
            batched(name::TEXT_INPUT, Datatype::Bytes, &[2, 0, 0, 0, b'h', b'i']),
            batched(name::MAX_TOKENS, Datatype::Int32, &[5, 0, 0, 0]),
            batched(name::STOP_WORDS, Datatype::Bytes, &[1, 0, 0, 0, b'.']),
        ]),
        &LIMITS,
    );
    assert_eq!(read, Ok(TextRequest { stop: vec![".".into()], ..TextRequest::greedy("hi", 5) }));
    let wrong = tensor(name::TEXT_INPUT, Datatype::Bytes, &[2], &[0; 8]);
    let read = TextRequest::from_infer(&request(vec![wrong]), &LIMITS);
    assert!(matches!(read, Err(TextError::Shape { name: name::TEXT_INPUT, .. })), "{read:?}");
}

#[test]
fn an_unknown_input_is_refused_by_name() {
    let error = with(vec![float("temprature", 1.0)]).expect_err("misspelt");
    assert_eq!(error, TextError::UnknownInput { name: "temprature".into() });
    assert_eq!(error.to_string(), "\"temprature\" is no input of this model");
}

#[test]
fn a_prompt_comes_exactly_once_is_utf8_and_within_its_limits() {
    let read = |inputs| TextRequest::from_infer(&request(inputs), &LIMITS).expect_err("refused");
    assert_eq!(read(vec![]), TextError::Prompt);
    let ids = tensor(name::INPUT_IDS, Datatype::Int32, &[1], &[1, 0, 0, 0]);
    assert_eq!(read(vec![words(name::TEXT_INPUT, &[b"hi"]), ids]), TextError::Prompt);
    let invalid = words(name::TEXT_INPUT, &[&[0xff, 0xfe]]);
    assert_eq!(read(vec![invalid]), TextError::Utf8 { name: name::TEXT_INPUT });
    let long = read(vec![words(name::TEXT_INPUT, &[&[b'a'; 65]])]);
    assert!(matches!(long, TextError::TooMany { actual: 65, max: 64, .. }), "{long:?}");
    assert!(
        TextRequest::from_infer(&request(vec![words(name::TEXT_INPUT, &[&[b'a'; 64]])]), &LIMITS).is_ok()
    );
    let many = tensor(name::INPUT_IDS, Datatype::Int32, &[9], &[0; 36]);
    assert!(matches!(read(vec![many]), TextError::TooMany { actual: 9, max: 8, .. }));
    let none = tensor(name::INPUT_IDS, Datatype::Int32, &[0], &[]);
    assert_eq!(read(vec![none]), TextError::Empty { name: name::INPUT_IDS });
    let negative = tensor(name::INPUT_IDS, Datatype::Int32, &[1], &[0xff; 4]);
    assert!(matches!(read(vec![negative]), TextError::Range { name: name::INPUT_IDS, .. }));
}

#[test]
fn values_out_of_range_are_refused_by_name_and_bound() {
    let cases = [
        (int(name::MAX_TOKENS, 0), "`max_tokens` is 0, allowed is 1 to 128"),
        (int(name::MAX_TOKENS, 129), "`max_tokens` is 129, allowed is 1 to 128"),
        (int(name::MAX_TOKENS, 1_000_000_000), "`max_tokens` is 1000000000, allowed is 1 to 128"),
        (int(name::MAX_TOKENS, -1), "`max_tokens` is -1, allowed is 0 to 2147483647"),
        (float(name::TEMPERATURE, -0.1), "`temperature` is -0.1, allowed is 0 to 100"),
        (float(name::TEMPERATURE, f32::NAN), "`temperature` is NaN, allowed is 0 to 100"),
        (float(name::TEMPERATURE, f32::INFINITY), "`temperature` is inf, allowed is 0 to 100"),
        (float(name::TOP_P, 0.0), "`top_p` is 0, allowed is above 0, up to 1"),
        (float(name::TOP_P, 1.01), "`top_p` is 1.01, allowed is above 0, up to 1"),
        (float(name::TOP_P, f32::NAN), "`top_p` is NaN, allowed is above 0, up to 1"),
        (int(name::TOP_K, -1), "`top_k` is -1, allowed is 0 to 2147483647"),
        (int(name::TOP_LOG_PROBS, 21), "`top_log_probs` is 21, allowed is 0 to 20"),
        (int(name::TOP_LOG_PROBS, 256), "`top_log_probs` is 256, allowed is 0 to 20"),
        (words(name::STOP_WORDS, &[b""]), "`stop_words` is empty"),
        (words(name::STOP_WORDS, &[&[0xff]]), "`stop_words` is not valid UTF-8"),
        (
            words(name::STOP_WORDS, &[&[b'a'; 65]]),
            "`stop_words` has 65 bytes in one word, at most 64 are read",
        ),
        (words(name::STOP_WORDS, &[&b"a"[..]; 17]), "`stop_words` has 17 entries, at most 16 are read"),
        (tensor(name::IGNORE_END, Datatype::Bool, &[1], &[2]), "`ignore_end` is 2, allowed is 0 or 1"),
        (float(name::MAX_TOKENS, 3.0), "tensor \"max_tokens\": expected INT32, it is FP32"),
    ];
    for (input, expected) in cases {
        assert_eq!(with(vec![input]).expect_err(expected).to_string(), expected);
    }
    assert!(with(vec![int(name::MAX_TOKENS, 128), int(name::TOP_LOG_PROBS, 20)]).is_ok());
}

fn answer() -> TextAnswer {
    TextAnswer {
        text: "two tokens".into(),
        tokens: vec![3, 70_000],
        log_probs: vec![-0.5, -1.25],
        top: vec![vec![(3, -0.5), (9, -2.0)], vec![(70_000, -1.25)]],
        finish: Some(Finish::Length),
        prompt_tokens: 12,
    }
}

#[test]
fn an_answer_round_trips_also_where_rows_have_fewer_alternatives() {
    for given in [answer(), TextAnswer::default(), TextAnswer { top: vec![], ..answer() }] {
        let sent = given.to_infer("m", "1", "7").expect("agrees");
        assert_eq!(TextAnswer::from_infer(&sent, &LIMITS), Ok(given));
    }
}

#[test]
fn pieces_add_up_to_the_whole() {
    let mut joined = TextAnswer::default();
    let whole = answer();
    for at in 0..2 {
        joined.append(TextAnswer {
            text: if at == 0 { "two".into() } else { " tokens".into() },
            tokens: vec![whole.tokens[at]],
            log_probs: vec![whole.log_probs[at]],
            top: vec![whole.top[at].clone()],
            finish: (at == 1).then_some(Finish::Length),
            prompt_tokens: 12,
        });
    }
    assert_eq!(joined, whole);
}

#[test]
fn an_answer_that_contradicts_itself_or_is_too_long_is_refused() {
    let read = |answer: TextAnswer, limits: &TextLimits| {
        answer.to_infer("m", "1", "7").and_then(|sent| TextAnswer::from_infer(&sent, limits))
    };
    let short = read(TextAnswer { log_probs: vec![-1.0], ..answer() }, &LIMITS);
    let expected = TextError::Lengths { name: name::LOG_PROBS, actual: 1, expected: 2 };
    assert_eq!(short, Err(expected));
    let few = TextLimits { max_tokens: 1, ..LIMITS };
    assert!(matches!(read(answer(), &few), Err(TextError::TooMany { name: name::TOKEN_IDS, .. })));
    let mut sent = answer().to_infer("m", "1", "7").expect("agrees");
    sent.outputs.retain(|tensor| tensor.name() != name::FINISH_REASON);
    sent.outputs.push(words(name::FINISH_REASON, &[b"tired"]));
    assert!(matches!(TextAnswer::from_infer(&sent, &LIMITS), Err(TextError::Range { .. })));
    let empty = InferAnswer { outputs: vec![], ..sent };
    let missing = TensorError::Missing { name: name::TEXT_OUTPUT.into() };
    assert_eq!(TextAnswer::from_infer(&empty, &LIMITS), Err(TextError::Tensor(missing)));
}

#[test]
fn shapes_beside_a_zero_dimension_are_not_believed() {
    let mut sent = answer().to_infer("m", "1", "7").expect("agrees");
    for (rows, columns) in [(u64::MAX, 0), (0, u64::MAX), (1 << 40, 0)] {
        sent.outputs.retain(|tensor| !tensor.name().starts_with("top_"));
        sent.outputs.push(tensor(name::TOP_TOKEN_IDS, Datatype::Int32, &[rows, columns], &[]));
        sent.outputs.push(tensor(name::TOP_LOG_PROBS, Datatype::Fp32, &[rows, columns], &[]));
        assert!(TextAnswer::from_infer(&sent, &LIMITS).is_err(), "{rows} x {columns}");
    }
}

#[test]
fn texts_and_their_rows_round_trip_within_limits() {
    let asked = TextsRequest { texts: vec!["a".into(), "".into(), "öl".into()] };
    let sent = asked.to_infer("e", "1").expect("small");
    assert_eq!(TextsRequest::from_infer(&sent, &TEXTS), Ok(asked));
    let rows = TextsAnswer { rows: ndarray::array![[0.5, 1.0], [-1.0, 0.0]] };
    let answered = rows.to_infer("e", "1", "1").expect("small");
    assert_eq!(TextsAnswer::from_infer(&answered, &TEXTS), Ok(rows.clone()));
    let narrow = TextsLimits { dimensions: 1, ..TEXTS };
    assert!(matches!(TextsAnswer::from_infer(&answered, &narrow), Err(TextError::TooMany { .. })));

    let read = |texts: &[&[u8]]| {
        TextsRequest::from_infer(&request(vec![words(name::TEXT_INPUT, texts)]), &TEXTS).expect_err("refused")
    };
    assert_eq!(read(&[]), TextError::Empty { name: name::TEXT_INPUT });
    assert!(matches!(read(&[&b"a"[..]; 4]), TextError::TooMany { unit: "texts", .. }));
    assert!(matches!(read(&[&[b'a'; 17]]), TextError::TooMany { unit: "bytes", actual: 17, .. }));
    assert_eq!(read(&[&[0xc3, 0x28]]), TextError::Utf8 { name: name::TEXT_INPUT });
}

#[test]
fn a_setting_that_is_there_twice_is_refused_by_name() {
    let asked = TextRequest::greedy("a", 4).to_infer("m", "1").expect("small");
    let mut twice = asked.clone();
    let setting = asked.inputs.iter().find(|tensor| tensor.name() == name::MAX_TOKENS).expect("sent");
    twice.inputs.push(setting.clone());
    let refused = TextRequest::from_infer(&twice, &LIMITS).expect_err("refused");
    assert_eq!(refused, TextError::Twice { name: name::MAX_TOKENS.to_owned() });
}

#[test]
fn foreign_tensors_never_panic() {
    let names = [
        name::TEXT_INPUT,
        name::INPUT_IDS,
        name::MAX_TOKENS,
        name::TEMPERATURE,
        name::TOP_P,
        name::TOP_K,
        name::RANDOM_SEED,
        name::STOP_WORDS,
        name::RETURN_LOG_PROBS,
        name::TOP_LOG_PROBS,
        name::IGNORE_END,
        name::TEXT_OUTPUT,
        name::TOKEN_IDS,
        name::LOG_PROBS,
        name::TOP_TOKEN_IDS,
        name::FINISH_REASON,
        name::PROMPT_TOKENS,
        name::EMBEDDING,
    ];
    let datatypes =
        [Datatype::Bool, Datatype::Int32, Datatype::Fp32, Datatype::Uint64, Datatype::Bytes, Datatype::Fp16];
    let shapes: [&[u64]; 8] = [&[], &[0], &[1], &[2], &[1, 1], &[2, 3], &[u64::MAX, 0], &[1, 1, 1]];
    for datatype in datatypes {
        for shape in shapes {
            let count = shape.iter().fold(1_u64, |product, size| product.wrapping_mul(*size));
            let data = match datatype.size() {
                Some(size) => vec![0xff; usize::try_from(count).expect("small") * size],
                None => (0..count).flat_map(|_| [2, 0, 0, 0, 0xff, 0xfe]).collect(),
            };
            for name in names {
                let foreign = tensor(name, datatype, shape, &data);
                let asked = request(vec![foreign.clone()]);
                let _ = TextsRequest::from_infer(&asked, &TEXTS);
                let _ = TextRequest::from_infer(&asked, &LIMITS);
                let _ = with(vec![foreign.clone()]);
                let mut outputs = answer().to_infer("m", "1", "7").expect("agrees").outputs;
                outputs.retain(|tensor| tensor.name() != name);
                outputs.push(foreign);
                let answered =
                    InferAnswer { model: "m".into(), version: "1".into(), id: String::new(), outputs };
                let _ = TextAnswer::from_infer(&answered, &LIMITS);
                let _ = TextsAnswer::from_infer(&answered, &TEXTS);
            }
        }
    }
}
