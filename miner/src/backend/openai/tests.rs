mod answers;
mod llama;
mod probing;
mod recorded;
mod server;

use futures::StreamExt as _;
use serde_json::json;
use weighhouse_types::text::{Finish, Prompt, TextAnswer};

use self::server::{Served, Server, ok, status, stream};
use super::*;
use crate::backend::openai::abilities::TokenForm;

/// What a vLLM can do.
fn able() -> Abilities {
    Abilities { stop_words: 4, ..Abilities::assumed() }
}

/// A backend whose server can do this, as an earlier probe found.
fn backend(server: &Server, abilities: Abilities) -> OpenAi {
    let backend = OpenAi::new(server.address(), Digest::of(b"tiny"));
    backend.behind.set(Some(Arc::new(abilities)));
    backend
}

/// A backend in front of a server that gives these bytes to whatever it is asked.
async fn fronted(answer: Vec<u8>) -> (OpenAi, Server) {
    let server = Server::start(move |_| Served::bytes(answer.clone())).await;
    (backend(&server, able()), server)
}

async fn pieces(backend: &OpenAi, request: TextRequest) -> Vec<Result<TextAnswer, EngineError>> {
    backend.generate(request).collect().await
}

/// The whole answer, or why there is none.
async fn whole(backend: &OpenAi, request: TextRequest) -> Result<TextAnswer, BackendError> {
    let mut answer = TextAnswer::default();
    for piece in pieces(backend, request).await {
        match piece {
            Ok(piece) => answer.append(piece),
            Err(EngineError::Backend(error)) => return Err(error),
            Err(other) => panic!("{other}"),
        }
    }
    Ok(answer)
}

fn text(text: &str, finish: Option<Finish>) -> TextAnswer {
    TextAnswer { text: text.into(), finish, ..Default::default() }
}

#[tokio::test]
async fn a_stream_becomes_pieces_and_ends_with_its_reason() {
    let (backend, server) = fronted(stream(&[
        r#"{"choices":[{"index":0,"text":"one","logprobs":null,"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"text":"","finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"text":" two","finish_reason":"length"}],"usage":{"prompt_tokens":5}}"#,
        "[DONE]",
    ]))
    .await;
    let found = pieces(&backend, TextRequest::greedy("count", 2)).await;
    let last = TextAnswer { prompt_tokens: 5, ..text(" two", Some(Finish::Length)) };
    assert_eq!(found, [Ok(text("one", None)), Ok(last)]);
    let asked = &server.asked()[0];
    assert_eq!((asked.path.as_str(), asked.key.as_deref()), ("/v1/completions", Some("Bearer secret")));
    let asked = &asked.body;
    assert_eq!(
        (&asked["model"], &asked["prompt"], &asked["max_tokens"], &asked["temperature"], &asked["stream"]),
        (&json!("tiny"), &json!("count"), &json!(2), &json!(0), &json!(true))
    );
    assert!(asked.get("logprobs").is_none() && asked.get("ignore_eos").is_none());
}

#[tokio::test]
async fn log_probabilities_come_with_the_ids_that_the_server_tells() {
    let vllm = r#"{"choices":[{"text":"ab","logprobs":{"tokens":["token_id:7","token_id:9"],
        "token_logprobs":[-0.25,-0.25],"top_logprobs":[{"token_id:5":-0.5,"token_id:7":-0.25},
        {"token_id:9":-0.25,"token_id:1":-3.0}]},"finish_reason":"length","stop_reason":null}]}"#
        .replace('\n', "");
    let llama = r#"{"choices":[{"text":"ab","logprobs":{"content":[
        {"id":7,"token":"a","logprob":-0.25,"top_logprobs":[{"id":7,"logprob":-0.25},{"id":5,"logprob":-0.5}]},
        {"id":9,"token":"b","logprob":-0.25,"top_logprobs":[{"id":9,"logprob":-0.25},{"id":1,"logprob":-3.0}]}
        ]},"finish_reason":"length"}]}"#
        .replace('\n', "");
    let mut request = TextRequest { log_probs: true, top_log_probs: 2, ..TextRequest::greedy("a", 4) };
    request.prompt = Prompt::Ids(vec![1, 2]);
    request.ignore_end = true;
    let expected = TextAnswer {
        tokens: vec![7, 9],
        log_probs: vec![-0.25, -0.25],
        top: vec![vec![(7, -0.25), (5, -0.5)], vec![(9, -0.25), (1, -3.0)]],
        ..text("ab", Some(Finish::Length))
    };
    for answer in [vllm, llama] {
        let (backend, server) = fronted(stream(&[&answer])).await;
        assert_eq!(whole(&backend, request.clone()).await, Ok(expected.clone()));
        let asked = &server.asked()[0].body;
        assert_eq!(
            (&asked["logprobs"], &asked["prompt"], &asked["ignore_eos"]),
            (&json!(2), &json!([1, 2]), &json!(true))
        );
    }
    let plain = r#"{"choices":[{"text":"ab","logprobs":{"tokens":["a","b"],"token_logprobs":[-0.5,-0.25],
        "top_logprobs":[{"a":-0.5},{"b":-0.25}]},"finish_reason":"length"}]}"#
        .replace('\n', "");
    let (backend, _server) = fronted(stream(&[&plain])).await;
    let nameless = TextAnswer { log_probs: vec![-0.5, -0.25], ..text("ab", Some(Finish::Length)) };
    assert_eq!(whole(&backend, request).await, Ok(nameless));
}

#[tokio::test]
async fn one_alternative_is_asked_for_where_the_caller_wants_none_and_cut() {
    let answer = r#"{"choices":[{"text":"a","logprobs":{"content":[
        {"id":5,"logprob":-0.5,"top_logprobs":[{"id":5,"logprob":-0.5}]}]},"finish_reason":"length"}]}"#
        .replace('\n', "");
    let (backend, server) = fronted(stream(&[&answer])).await;
    let request = TextRequest { log_probs: true, ..TextRequest::greedy("a", 1) };
    let expected = TextAnswer { tokens: vec![5], log_probs: vec![-0.5], ..text("a", Some(Finish::Length)) };
    assert_eq!(whole(&backend, request).await, Ok(expected));
    assert_eq!(server.asked()[0].body["logprobs"], json!(1));
}

#[tokio::test]
async fn a_server_is_left_no_sampling_parameter_to_choose() {
    let (backend, server) =
        fronted(stream(&[r#"{"choices":[{"text":"a","finish_reason":"length"}]}"#])).await;
    whole(&backend, TextRequest::greedy("a", 1)).await.expect("answered");
    let asked = &server.asked()[0].body;
    for (name, value) in [
        ("temperature", json!(0)),
        ("top_p", json!(1)),
        ("top_k", json!(-1)),
        ("min_p", json!(0)),
        ("typical_p", json!(1)),
        ("repetition_penalty", json!(1)),
        ("repeat_penalty", json!(1)),
        ("presence_penalty", json!(0)),
        ("frequency_penalty", json!(0)),
        ("samplers", json!(["temperature"])),
        ("logit_bias", json!({})),
        ("n", json!(1)),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_stop_word_is_told_from_the_end_where_the_server_does() {
    for (answer, expected) in [
        (r#"{"choices":[{"text":"a","finish_reason":"stop","stop_reason":"\n"}]}"#, Finish::Stop),
        (r#"{"choices":[{"text":"a","finish_reason":"stop","matched_stop":"\n"}]}"#, Finish::Stop),
        (r#"{"choices":[{"text":"a","finish_reason":"stop_sequence"}]}"#, Finish::Stop),
        (r#"{"choices":[{"text":"a","finish_reason":"stop","stop_reason":null}]}"#, Finish::End),
        (r#"{"choices":[{"text":"a","finish_reason":"stop","matched_stop":2}]}"#, Finish::End),
    ] {
        let (backend, server) = fronted(stream(&[answer])).await;
        let request = TextRequest { stop: vec!["\n".into()], ..TextRequest::greedy("a", 4) };
        assert_eq!(whole(&backend, request).await, Ok(text("a", Some(expected))), "{answer}");
        assert_eq!(server.asked()[0].body["stop"], json!(["\n"]));
    }
}

#[tokio::test]
async fn stop_words_that_the_server_is_not_told_are_applied_here() {
    let events = [
        r#"{"choices":[{"text":"one tw","finish_reason":null}]}"#,
        r#"{"choices":[{"text":"o three","finish_reason":"stop"}]}"#,
    ];
    let (backend, server) = fronted(stream(&events)).await;
    let stop: Vec<String> = ["1", "2", "3", "4", "two"].map(str::to_owned).into();
    let request = TextRequest { stop: stop.clone(), ..TextRequest::greedy("a", 4) };
    assert_eq!(whole(&backend, request.clone()).await, Ok(text("one ", Some(Finish::Stop))));
    assert_eq!(server.asked()[0].body["stop"], json!(stop[..4]));
    // A server that doesn't say which word it was is told none, so that its stop is always the model's end.
    let silent = self::backend(&server, Abilities { stop_words: 0, ..able() });
    assert_eq!(whole(&silent, request).await, Ok(text("one ", Some(Finish::Stop))));
    assert!(server.asked()[1].body.get("stop").is_none());
}

#[tokio::test]
async fn a_generation_that_should_go_on_after_its_end_and_does_not_is_no_answer() {
    let (backend, _server) = fronted(stream(&[r#"{"choices":[{"text":"a","finish_reason":"stop"}]}"#])).await;
    let request = TextRequest { ignore_end: true, ..TextRequest::greedy("a", 4) };
    assert!(matches!(whole(&backend, request).await, Err(BackendError::Unsuited(_))));
}

#[tokio::test]
async fn http_statuses_become_definite_errors() {
    type Check = fn(&BackendError) -> bool;
    let cases: [(&str, Check); 9] = [
        ("400 Bad Request", |error| matches!(error, BackendError::Refused(why) if why.contains("too long"))),
        ("422 Unprocessable", |error| matches!(error, BackendError::Refused(_))),
        ("500 Internal Server Error", |error| matches!(error, BackendError::Refused(_))),
        ("401 Unauthorized", |error| matches!(error, BackendError::Misconfigured(_))),
        ("404 Not Found", |error| matches!(error, BackendError::Misconfigured(_))),
        ("302 Found", |error| matches!(error, BackendError::Misconfigured(_))),
        ("429 Too Many Requests", |error| matches!(error, BackendError::Busy)),
        ("503 Service Unavailable", |error| matches!(error, BackendError::Unreachable(_))),
        ("504 Gateway Timeout", |error| matches!(error, BackendError::Slow(_))),
    ];
    for (line, check) in cases {
        let (backend, _server) = fronted(status(line, "prompt is too long")).await;
        let error = whole(&backend, TextRequest::greedy("a", 4)).await.expect_err(line);
        assert!(check(&error), "{line}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let address = Server::start(|_| Served::bytes(Vec::new())).await.address();
    let backend = OpenAi::new(address, Digest::of(b"tiny"));
    let error = whole(&backend, TextRequest::greedy("a", 4)).await.expect_err("gone");
    assert!(matches!(error, BackendError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn dropping_a_generation_hangs_up() {
    let answer = stream(&[r#"{"choices":[{"text":"a","finish_reason":null}]}"#]);
    let server = Server::start(move |_| Served { answer: answer.clone(), stays: true }).await;
    let backend = backend(&server, able());
    let mut generation = backend.generate(TextRequest::greedy("a", 4));
    assert_eq!(generation.next().await, Some(Ok(text("a", None))));
    assert_eq!(server.hung_up(), 0);
    drop(generation);
    while server.hung_up() == 0 {
        tokio::task::yield_now().await;
    }
}
