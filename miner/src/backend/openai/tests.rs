use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use weighhouse_types::text::{Finish, Prompt};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn backend(url: http::Uri, key: Option<String>) -> OpenAi {
    let connect_timeout = Duration::from_secs(5);
    OpenAi::new(CompletionServer { url, model: "tiny".into(), key, connect_timeout }, Digest::of(b"tiny"))
}

/// A server that takes one connection, reads one request and answers with these bytes; gives the request's body back.
async fn server(answer: String) -> (OpenAi, JoinHandle<serde_json::Value>) {
    serve(answer, false).await
}

async fn serve(answer: String, stay: bool) -> (OpenAi, JoinHandle<serde_json::Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
    let backend = backend(url, Some("secret".into()));
    let serving = tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.expect("a caller");
        let mut read = Vec::new();
        let body = loop {
            assert_ne!(io.read_buf(&mut read).await.expect("a request"), 0, "cut short");
            let text = String::from_utf8_lossy(&read);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                assert!(head.starts_with("post /v1/completions http/1.1"), "{head}");
                assert!(head.contains("authorization: bearer secret"), "{head}");
                if let Ok(body) = serde_json::from_str(body) {
                    break body;
                }
            }
        };
        io.write_all(answer.as_bytes()).await.expect("a reader");
        if stay {
            // Until the caller hangs up.
            let _ = io.read_to_end(&mut read).await;
        }
        body
    });
    (backend, serving)
}

fn stream(events: &[&str]) -> String {
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    format!("{OK}{events}")
}

async fn pieces(backend: &OpenAi, request: TextRequest) -> Vec<Result<TextAnswer, EngineError>> {
    backend.generate(request).collect().await
}

fn text(text: &str, finish: Option<Finish>) -> TextAnswer {
    TextAnswer { text: text.into(), finish, ..Default::default() }
}

#[tokio::test]
async fn a_stream_becomes_pieces_and_ends_with_its_reason() {
    let (backend, serving) = server(stream(&[
        r#"{"choices":[{"index":0,"text":"one","logprobs":null,"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"text":"","finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"text":" two","finish_reason":"length"}],"usage":{"prompt_tokens":5}}"#,
        "[DONE]",
    ]))
    .await;
    let found = pieces(&backend, TextRequest::greedy("count", 2)).await;
    let last = TextAnswer { prompt_tokens: 5, ..text(" two", Some(Finish::Length)) };
    assert_eq!(found, [Ok(text("one", None)), Ok(last)]);
    let asked = serving.await.expect("served");
    assert_eq!(
        (&asked["model"], &asked["prompt"], &asked["max_tokens"], &asked["temperature"], &asked["stream"]),
        (&json!("tiny"), &json!("count"), &json!(2), &json!(0), &json!(true))
    );
    assert!(asked.get("logprobs").is_none() && asked.get("ignore_eos").is_none());
}

#[tokio::test]
async fn log_probabilities_come_with_the_ids_that_the_server_tells() {
    let vllm = r#"{"choices":[{"text":"ab","logprobs":{"tokens":["token_id:5","token_id:9"],
        "token_logprobs":[-0.5,-0.25],"top_logprobs":[{"token_id:5":-0.5,"token_id:7":-0.25},
        {"token_id:9":-0.25,"token_id:1":-3.0}]},"finish_reason":"stop","stop_reason":null}]}"#
        .replace('\n', "");
    let llama = r#"{"choices":[{"text":"ab","logprobs":{"content":[
        {"id":5,"token":"a","logprob":-0.5,"top_logprobs":[{"id":7,"logprob":-0.25},{"id":5,"logprob":-0.5}]},
        {"id":9,"token":"b","logprob":-0.25,"top_logprobs":[{"id":9,"logprob":-0.25},{"id":1,"logprob":-3.0}]}
        ]},"finish_reason":"stop"}]}"#
        .replace('\n', "");
    let mut request = TextRequest { log_probs: true, top_log_probs: 2, ..TextRequest::greedy("a", 4) };
    request.prompt = Prompt::Ids(vec![1, 2]);
    request.ignore_end = true;
    let expected = TextAnswer {
        tokens: vec![5, 9],
        log_probs: vec![-0.5, -0.25],
        top: vec![vec![(7, -0.25), (5, -0.5)], vec![(9, -0.25), (1, -3.0)]],
        ..text("ab", Some(Finish::End))
    };
    for answer in [vllm, llama] {
        let (backend, serving) = server(stream(&[&answer])).await;
        assert_eq!(pieces(&backend, request.clone()).await, [Ok(expected.clone())]);
        let asked = serving.await.expect("served");
        assert_eq!(
            (&asked["logprobs"], &asked["prompt"], &asked["ignore_eos"]),
            (&json!(2), &json!([1, 2]), &json!(true))
        );
    }
    let plain = r#"{"choices":[{"text":"ab","logprobs":{"tokens":["a","b"],"token_logprobs":[-0.5,-0.25],
        "top_logprobs":[{"a":-0.5},{"b":-0.25}]},"finish_reason":"length"}]}"#
        .replace('\n', "");
    let (backend, _) = server(stream(&[&plain])).await;
    let nameless = TextAnswer { log_probs: vec![-0.5, -0.25], ..text("ab", Some(Finish::Length)) };
    assert_eq!(pieces(&backend, request).await, [Ok(nameless)]);
}

#[tokio::test]
async fn a_stop_word_is_told_from_the_end_where_the_server_does() {
    for (answer, expected) in [
        (r#"{"choices":[{"text":"a","finish_reason":"stop","stop_reason":"\n"}]}"#, Finish::Stop),
        (r#"{"choices":[{"text":"a","finish_reason":"stop","matched_stop":"\n"}]}"#, Finish::Stop),
        (r#"{"choices":[{"text":"a","finish_reason":"stop","stop_reason":null}]}"#, Finish::End),
        (r#"{"choices":[{"text":"a","finish_reason":"stop","matched_stop":2}]}"#, Finish::End),
    ] {
        let (backend, serving) = server(stream(&[answer])).await;
        let request = TextRequest { stop: vec!["\n".into()], ..TextRequest::greedy("a", 4) };
        assert_eq!(pieces(&backend, request).await, [Ok(text("a", Some(expected)))], "{answer}");
        assert_eq!(serving.await.expect("served")["stop"], json!(["\n"]));
    }
}

#[tokio::test]
async fn one_alternative_is_asked_for_where_the_caller_wants_none_and_cut() {
    let answer = r#"{"choices":[{"text":"a","logprobs":{"content":[
        {"id":5,"logprob":-0.5,"top_logprobs":[{"id":5,"logprob":-0.5}]}]},"finish_reason":"length"}]}"#
        .replace('\n', "");
    let (backend, serving) = server(stream(&[&answer])).await;
    let request = TextRequest { log_probs: true, ..TextRequest::greedy("a", 1) };
    let expected = TextAnswer { tokens: vec![5], log_probs: vec![-0.5], ..text("a", Some(Finish::Length)) };
    assert_eq!(pieces(&backend, request).await, [Ok(expected)]);
    assert_eq!(serving.await.expect("served")["logprobs"], json!(1));
}

#[tokio::test]
async fn a_server_is_left_no_sampling_parameter_to_choose() {
    let (backend, serving) =
        server(stream(&[r#"{"choices":[{"text":"a","finish_reason":"length"}]}"#])).await;
    pieces(&backend, TextRequest::greedy("a", 1)).await;
    let asked = serving.await.expect("served");
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

fn backend_error(found: &[Result<TextAnswer, EngineError>]) -> BackendError {
    match found.last() {
        Some(Err(EngineError::Backend(error))) => error.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn http_statuses_become_definite_errors() {
    type Check = fn(&BackendError) -> bool;
    let cases: [(&str, Check); 9] = [
        ("400 Bad Request", |error| matches!(error, BackendError::Refused(why) if why.contains("too long"))),
        ("422 Unprocessable", |error| matches!(error, BackendError::Refused(_))),
        ("401 Unauthorized", |error| matches!(error, BackendError::Misconfigured(_))),
        ("404 Not Found", |error| matches!(error, BackendError::Misconfigured(_))),
        ("302 Found", |error| matches!(error, BackendError::Misconfigured(_))),
        ("429 Too Many Requests", |error| matches!(error, BackendError::Busy)),
        ("500 Internal Server Error", |error| matches!(error, BackendError::Failed(_))),
        ("503 Service Unavailable", |error| matches!(error, BackendError::Unreachable(_))),
        ("504 Gateway Timeout", |error| matches!(error, BackendError::Slow(_))),
    ];
    for (status, check) in cases {
        let answer =
            format!("HTTP/1.1 {status}\r\ncontent-length: 18\r\nconnection: close\r\n\r\nprompt is too long");
        let (backend, _) = server(answer).await;
        let error = backend_error(&pieces(&backend, TextRequest::greedy("a", 4)).await);
        assert!(check(&error), "{status}: {error}");
    }
}

#[tokio::test]
async fn streams_that_break_off_or_make_no_sense_end_with_a_definite_error() {
    let good = r#"{"choices":[{"text":"a","finish_reason":null}]}"#;
    let many = format!("{OK}data: {}\n\n", "x".repeat(1 << 20));
    type Check = fn(&BackendError) -> bool;
    let malformed: Check = |error| matches!(error, BackendError::Malformed(_));
    let disconnected: Check = |error| matches!(error, BackendError::Disconnected);
    let failed: Check = |error| matches!(error, BackendError::Failed(_));
    let cases: [(String, Check); 13] = [
        (String::new(), disconnected),
        ("SMTP ready\r\n\r\n".into(), disconnected),
        (stream(&[good]), disconnected),
        (stream(&[good, "[DONE]"]), disconnected),
        (format!("{OK}data: {{\"choices\""), disconnected),
        (stream(&[good, "{\"choices\":"]), malformed),
        (stream(&["[]"]), malformed),
        (stream(&[r#"{"choices":[{"text":7}]}"#]), malformed),
        (
            stream(&[r#"{"choices":[{"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[]}}]}"#]),
            malformed,
        ),
        (
            stream(&[r#"{"choices":[{"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[null]}}]}"#]),
            malformed,
        ),
        (stream(&[r#"{"error":{"message":"out of memory","code":500}}"#]), failed),
        (stream(&[r#"{"choices":[{"text":"","finish_reason":"abort"}]}"#]), failed),
        (many, malformed),
    ];
    for (answer, check) in cases {
        let (backend, _) = server(answer.clone()).await;
        let request = TextRequest { log_probs: true, ..TextRequest::greedy("a", 4) };
        let error = backend_error(&pieces(&backend, request).await);
        let shown: String = answer.chars().take(200).collect();
        assert!(check(&error), "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
    drop(listener);
    let found = pieces(&backend(url, None), TextRequest::greedy("a", 4)).await;
    assert!(matches!(backend_error(&found), BackendError::Unreachable(_)));
}

#[tokio::test]
async fn dropping_a_generation_hangs_up() {
    let answer = stream(&[r#"{"choices":[{"text":"a","finish_reason":null}]}"#]);
    let (backend, serving) = serve(answer, true).await;
    let mut generation = backend.generate(TextRequest::greedy("a", 4));
    assert_eq!(generation.next().await, Some(Ok(text("a", None))));
    assert!(!serving.is_finished());
    drop(generation);
    serving.await.expect("the server saw the end");
}
