use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server that answers one call with these bytes.
async fn server(answer: String) -> CompletionServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
    tokio::spawn(async move {
        let (mut io, _) = listener.accept().await.expect("a caller");
        let mut read = Vec::new();
        while !read.ends_with(b"}") {
            assert_ne!(io.read_buf(&mut read).await.expect("a request"), 0, "cut short");
        }
        io.write_all(answer.as_bytes()).await.expect("a reader");
    });
    CompletionServer { url, model: "tiny".into(), key: Some("secret".into()), connect_timeout: DEADLINE }
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn echoed(tokens: &str, values: &str, top: &str) -> String {
    answer(&format!(
        r#"{{"choices":[{{"logprobs":{{"tokens":{tokens},"token_logprobs":{values},"top_logprobs":{top}}}}}]}}"#
    ))
}

#[tokio::test]
async fn each_token_but_the_first_has_its_score_and_the_likeliest_ones() {
    let said = echoed(r#"["token_id:5","token_id:9"]"#, "[null,-0.5]", r#"[null,{"token_id:7":-0.25}]"#);
    let scores = server(said).await.score(&[5, 9], DEADLINE).await.expect("scored");
    assert_eq!(scores, [TokenScore { chosen: -0.5, best: -0.25 }]);
    // Names that are no ids tell nothing.
    let said = echoed(r#"["a","b"]"#, "[null,-0.5]", "[null,null]");
    let scores = server(said).await.score(&[5, 9], DEADLINE).await.expect("scored");
    assert_eq!(scores, [TokenScore { chosen: -0.5, best: -0.5 }]);
}

#[tokio::test]
async fn scores_that_make_no_sense_are_refused() {
    let cases = [
        (echoed(r#"["a"]"#, "[null]", "[null]"), "1 entries for 2 tokens"),
        (echoed(r#"["token_id:5","token_id:8"]"#, "[null,-0.5]", "[null,null]"), "other tokens"),
        (echoed(r#"["a","b"]"#, "[null,null]", "[null,null]"), "a token has none"),
        (echoed(r#"["a","b"]"#, "[null,0.5]", "[null,null]"), "no log-probability"),
        (answer(&"x".repeat(1 << 20)), "more than"),
    ];
    for (said, why) in cases {
        let error = server(said).await.score(&[5, 9], DEADLINE).await.expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn an_error_in_the_place_of_scores_is_a_refusal() {
    for (said, code) in [
        (r#"{"error":{"message":"no memory","code":503}}"#, 503),
        (r#"{"object":"error","message":"no memory","code":400}"#, 400),
        (r#"{"detail":"no memory"}"#, 500),
    ] {
        match server(answer(said)).await.score(&[5, 9], DEADLINE).await {
            Err(ScoreError::Refused { status, text }) => {
                assert_eq!((status.as_u16(), text.as_str()), (code, "no memory"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_is_read_to_its_cap_and_the_key_is_never_shown() {
    let body = "no such model ".repeat(100);
    let refusal = answer(&body).replace("200 OK", "404 Not Found");
    let server = server(refusal).await;
    match server.score(&[5, 9], DEADLINE).await {
        Err(ScoreError::Refused { status, text }) => {
            assert_eq!((status, text.len()), (StatusCode::NOT_FOUND, 200));
        }
        other => panic!("{other:?}"),
    }
    assert!(!format!("{server:?}").contains("secret"), "{server:?}");
}

#[tokio::test]
async fn control_characters_of_a_refusal_are_blanked() {
    let plain = answer("no\u{1b}[2Jmodel\r\nforged\u{9b}line").replace("200 OK", "404 Not Found");
    let in_place = answer(r#"{"error":{"message":"no\u001b[2Jmodel\r\nforged\u009bline"}}"#);
    for said in [plain, in_place] {
        match server(said).await.score(&[5, 9], DEADLINE).await {
            Err(ScoreError::Refused { text, .. }) => assert_eq!(text, "no [2Jmodel  forged line"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_answer() {
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"choices\":".to_owned();
    let response = server(cut).await.post(&serde_json::json!({})).await.expect("a status");
    assert_eq!(response.collect(1 << 10).await, Err(CompletionError::Disconnected));
}
