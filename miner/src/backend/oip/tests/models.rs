//! Models as their servers describe them.

use super::*;

#[tokio::test]
async fn an_ensemble_of_tensorrt_llm_gets_its_own_inputs_batched() {
    let number = |name, datatype| (name, datatype, vec![-1, 1], true);
    let inputs = vec![
        ("text_input", "BYTES", vec![-1, 1], false),
        ("decoder_text_input", "BYTES", vec![-1, 1], true),
        ("image_input", "FP32", vec![-1, 3, 224, 224], true),
        ("max_tokens", "INT32", vec![-1, 1], false),
        ("bad_words", "BYTES", vec![-1, -1], false),
        ("stop_words", "BYTES", vec![-1, -1], false),
        number("end_id", "INT32"),
        number("pad_id", "INT32"),
        number("top_k", "INT32"),
        number("top_p", "FP32"),
        number("temperature", "FP32"),
        number("repetition_penalty", "FP32"),
        number("random_seed", "UINT64"),
        number("return_log_probs", "BOOL"),
        number("stream", "BOOL"),
    ];
    let text = Tensor::texts("text_output", &["ab"]).expect("short");
    let log_probs = Tensor::from_f32("output_log_probs", vec![1, 1, 2], &[-0.5, -0.25]).expect("agrees");
    let fake = Fake {
        inputs: Arc::new(Mutex::new(inputs)),
        configured: true,
        whole: Some(Ok(tensors(vec![text, log_probs]))),
        ..Fake::default()
    };
    let asked = TextRequest { stop: vec!["x".into(), "yz".into()], ..greedy() };
    let found = pieces(&fake, asked).await;
    let piece = found[0].as_ref().expect("a piece");
    assert_eq!(
        (piece.text.as_str(), &piece.log_probs[..], piece.finish),
        ("ab", &[-0.5, -0.25][..], Some(Finish::Length))
    );
    let one = |name: &str| (name.to_owned(), vec![1, 1]);
    let expected = [
        one("text_input"),
        one("max_tokens"),
        one("bad_words"),
        ("stop_words".to_owned(), vec![1, 2]),
        one("end_id"),
        one("top_k"),
        one("top_p"),
        one("repetition_penalty"),
        one("return_log_probs"),
        one("stream"),
    ];
    assert_eq!(fake.last(), expected);
}

#[tokio::test]
async fn tritons_vllm_backend_is_told_to_be_greedy_and_tells_token_ids() {
    let flag = |name| (name, "BOOL", vec![1], true);
    let inputs = vec![
        ("text_input", "BYTES", vec![1], false),
        ("image", "BYTES", vec![-1], true),
        flag("stream"),
        ("sampling_parameters", "BYTES", vec![1], true),
        flag("exclude_input_in_output"),
        flag("return_finish_reason"),
        flag("return_logprobs"),
        ("embedding_request", "BYTES", vec![1], true),
    ];
    let piece = |text: &str, entries: &str, finish: &str| {
        let texts = |name, text: &str| Tensor::texts(name, &[text]).expect("short");
        message(tensors(vec![
            texts("text_output", text),
            texts("finish_reason", finish),
            texts("logprobs", entries),
        ]))
    };
    let first = r#"[{"7":{"logprob":-0.5,"rank":2,"decoded_token":"x"},"5":{"logprob":-0.25,"rank":1,"decoded_token":"a"}}]"#;
    let second = r#"[{"6":{"logprob":-0.125,"rank":1,"decoded_token":"b"}}]"#;
    let fake = Fake {
        inputs: Arc::new(Mutex::new(inputs)),
        configured: true,
        decoupled: true,
        ..streamed(vec![piece("a", first, "None"), piece("b", second, "length")])
    };
    let found = pieces(&fake, greedy()).await;
    let told: Vec<_> = found.iter().map(|piece| piece.as_ref().expect("a piece")).collect();
    assert_eq!(
        (told[0].text.as_str(), &told[0].tokens[..], &told[0].log_probs[..]),
        ("a", &[5][..], &[-0.25][..])
    );
    assert_eq!((told[1].tokens[0], told[1].finish), (6, Some(Finish::Length)));
    let asked = fake.asked.lock().expect("not poisoned").last().expect("asked").clone();
    let parameters = asked.input("sampling_parameters").expect("there").to_texts().expect("a text");
    let parameters: serde_json::Value = serde_json::from_str(&parameters[0]).expect("JSON");
    for (name, value) in
        [("max_tokens", 2.0), ("temperature", 0.0), ("repetition_penalty", 1.0), ("logprobs", 1.0)]
    {
        assert_eq!(parameters[name].as_f64(), Some(value), "{name}");
    }
    assert_eq!(parameters["ignore_eos"], true);
}

#[tokio::test]
async fn a_server_that_echoes_its_prompt_and_names_its_output_otherwise_is_read_all_the_same() {
    // As KServe's Hugging Face server: no list of inputs, no streams, the prompt and its continuation in `output-0`.
    #[derive(Clone)]
    struct Echo;
    #[tonic::async_trait]
    impl FakeInference for Echo {
        async fn metadata(&self, _: ModelMetadataRequest) -> Result<ModelMetadataResponse, Status> {
            Ok(ModelMetadataResponse::default())
        }
        async fn infer(&self, request: ModelInferRequest) -> Whole {
            let asked = InferRequest::try_from(request).expect("well-formed");
            let prompt = asked.input(name::TEXT_INPUT).expect("there").to_texts().expect("a text").remove(0);
            Ok(tensors(vec![Tensor::texts("output-0", &[prompt + " there"]).expect("short")]))
        }
    }
    let (url, _serving) = serve(Echo).await;
    let backend = oip(url);
    let found: Vec<_> = backend.generate(TextRequest::greedy("hi", 9)).collect().await;
    assert_eq!(read(&found), [(" there", 0, Some(Finish::End))]);
    let said = backend.upstream().await.expect("a server").expect("there");
    assert!(said.contains("its prompt first, which is cut off; it tells no token ids"), "{said}");
}

#[tokio::test]
async fn what_can_not_be_served_is_said_at_the_start_with_the_inputs_name() {
    let cases = [
        (
            vec![("text_input", "BYTES", vec![1], false), ("voice", "INT32", vec![1], false)],
            "requires the input \"voice\" (INT32)",
        ),
        (vec![("x", "FP32", vec![-1, 8], false)], "takes no text, only x; a model of other tensors"),
        (vec![("text_input", "BYTES", vec![2], false)], "its input \"text_input\" has no place for 1 values"),
        (
            vec![("text_input", "BYTES", vec![1], false), ("max_tokens", "BYTES", vec![1], false)],
            "\"max_tokens\" is BYTES, where a number is to go",
        ),
    ];
    for (inputs, why) in cases {
        let inputs = Arc::new(Mutex::new(inputs));
        let fake =
            Fake { inputs, configured: true, whole: Some(Ok(answer("a", &[1], None))), ..Fake::default() };
        let error = front(&fake).await.backend.prepare().await.expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_server_is_asked_again_when_its_model_has_changed_and_the_request_goes_through() {
    let inputs = Arc::new(Mutex::new(vec![("text_input", "BYTES", vec![1], false)]));
    let whole = Some(Ok(answer("ab", &[1, 2], None)));
    let fake = Fake { inputs: inputs.clone(), configured: true, whole, ..Fake::default() };
    let fronted = front(&fake).await;
    fronted.backend.prepare().await.expect("there");
    *inputs.lock().expect("not poisoned") = vec![("prompt", "BYTES", vec![-1, 1], false)];
    let two = TextRequest::greedy("hi", 2);
    for _ in 0..2 {
        let found: Vec<_> = fronted.backend.generate(two.clone()).collect().await;
        assert_eq!(read(&found), [("ab", 2, Some(Finish::Length))]);
        assert_eq!(fake.last(), [("prompt".to_owned(), vec![1, 1])]);
    }
    // A probe for each of the two models, and the two requests.
    assert_eq!(fake.questions(), 4);
}
