use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use weighhouse_models::LoadLimits;
use weighhouse_models::language::{ForcedSequence, LanguageModel};
use weighhouse_models::sampling::{Sampling, log_probs};
use weighhouse_tasks::witness::TeacherForced;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language/llama")
}

fn model() -> LanguageModel {
    LanguageModel::load(&folder(), &LoadLimits::STANDARD).expect("a model")
}

/// What a server says of a prompt, by a model of ours.
fn echo(model: &LanguageModel, tokens: &[u32]) -> String {
    let logits = model.forced(&[ForcedSequence { tokens, from: 1 }]).expect("logits").remove(0);
    let mut said = serde_json::json!({ "tokens": [format!("token_id:{}", tokens[0])], "token_logprobs": [null],
        "top_logprobs": [null] });
    let mut add = |name: &str, value: serde_json::Value| {
        said[name].as_array_mut().expect("a list").push(value);
    };
    for (token, row) in tokens[1..].iter().zip(logits.chunks_exact(model.vocabulary())) {
        let found = log_probs(row, *token, 1);
        add("tokens", format!("token_id:{token}").into());
        add("token_logprobs", found.chosen.into());
        add("top_logprobs", serde_json::json!({ format!("token_id:{}", found.top[0].0): found.top[0].1 }));
    }
    serde_json::json!({ "choices": [{ "text": "", "logprobs": said }] }).to_string()
}

/// Serves every connection by `answer`, which is given the tokens; the address.
async fn serve(answer: impl Fn(&[u32]) -> (u16, String) + Clone + Send + 'static) -> http::Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(respond(io, answer.clone()));
        }
    });
    format!("http://{address}").parse().expect("a URL")
}

async fn respond(mut io: TcpStream, answer: impl Fn(&[u32]) -> (u16, String)) {
    let mut read = Vec::new();
    let asked: serde_json::Value = loop {
        assert_ne!(io.read_buf(&mut read).await.expect("a request"), 0);
        let text = String::from_utf8_lossy(&read);
        let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
        if let Some(body) = body {
            break body;
        }
    };
    assert_eq!((&asked["model"], &asked["echo"]), (&"tiny".into(), &true.into()));
    let tokens: Vec<u32> = serde_json::from_value(asked["prompt"].clone()).expect("tokens");
    let (status, body) = answer(&tokens);
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    io.write_all(head.as_bytes()).await.expect("a reader");
    io.write_all(body.as_bytes()).await.expect("a reader");
}

async fn testify(url: http::Uri, sampling: Sampling, tokens: Vec<u32>) -> Result<Testimony, WitnessError> {
    let read = LanguageTokens::read(&folder(), &LoadLimits::STANDARD).expect("a folder");
    let deadline = Duration::from_secs(20);
    let server = CompletionServer { url, model: "tiny".into(), key: None, connect_timeout: deadline };
    let reference = RemoteReference::new(read, server, deadline, Handle::current());
    let judging = move || {
        let claims = [Claim { prompt: "the model", tokens: &tokens, sampling, ended: false }];
        reference.testify(&claims).map(|mut said| said.remove(0))
    };
    tokio::task::spawn_blocking(judging).await.expect("no panic")
}

fn greedy() -> Sampling {
    Sampling::new(0.0, 0, 1.0, 0).expect("greedy")
}

#[tokio::test]
async fn a_server_says_what_the_model_would() {
    let own = model();
    let url = serve({
        let own = own.clone();
        move |tokens| (200, echo(&own, tokens))
    })
    .await;
    let digest = own.digest();
    assert_eq!(LanguageTokens::read(&folder(), &LoadLimits::STANDARD).expect("a folder").digest(), digest);
    for tokens in [vec![5, 9, 200, 7], vec![40_000, 1], vec![]] {
        let claim = Claim { prompt: "the model", tokens: &tokens, sampling: greedy(), ended: false };
        let expected = TeacherForced(own.clone()).testify(&[claim]).expect("said").remove(0);
        let said = testify(url.clone(), greedy(), tokens.clone()).await.expect("said");
        assert_eq!(
            (said.prompt_tokens, &said.text, said.first_end, said.margins.len()),
            (expected.prompt_tokens, &expected.text, expected.first_end, expected.margins.len())
        );
        for (said, expected) in said.margins.iter().zip(&expected.margins) {
            assert!(said == expected || (said - expected).abs() < 1e-4, "{said} {expected}");
        }
        for (said, expected) in said.log_probs.iter().zip(&expected.log_probs) {
            assert!(said == expected || (said - expected).abs() < 1e-4, "{said} {expected}");
        }
    }
}

#[tokio::test]
async fn what_a_server_can_not_say_is_the_references_failure() {
    let logprobs = |tokens: &str, values: &str, top: &str| {
        format!(
            r#"{{"choices":[{{"logprobs":{{"tokens":{tokens},"token_logprobs":{values},"top_logprobs":{top}}}}}]}}"#
        )
    };
    let cases = [
        (500, "out of memory".to_owned(), "500"),
        (200, "not json".into(), "log-probabilities"),
        (200, r#"{"choices":[{"text":"x"}]}"#.into(), "none in its answer"),
        (200, logprobs("[\"a\"]", "[null]", "[null]"), "1 entries"),
        (200, "x".repeat(1 << 20), "log-probabilities"),
    ];
    for (status, body, word) in cases {
        let url = serve(move |_| (status, body.clone())).await;
        let error = testify(url, greedy(), vec![5]).await.expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    }
    let own = model();
    let other =
        serve(move |tokens| (200, echo(&own, &tokens.iter().rev().copied().collect::<Vec<_>>()))).await;
    let error = testify(other, greedy(), vec![5, 6]).await.expect_err("other tokens").to_string();
    assert!(error.contains("other tokens"), "{error}");
    let away: http::Uri = "http://127.0.0.1:1".parse().expect("a URL");
    let error = testify(away.clone(), greedy(), vec![5]).await.expect_err("away");
    assert!(matches!(error, WitnessError::Away(_)), "{error}");
    let hot = Sampling::new(0.7, 0, 1.0, 1).expect("in range");
    assert_eq!(testify(away, hot, vec![5]).await.expect_err("greedy only"), WitnessError::GreedyOnly);
}

#[tokio::test]
async fn tokens_of_the_tokenizers_that_a_server_refuses_are_its_own_affair() {
    let own = model();
    let refusing = |refuses: fn(&[u32]) -> bool| {
        let own = own.clone();
        serve(move |tokens| match refuses(tokens) {
            true => (400, "Token id 200 is out of vocabulary".to_owned()),
            false => (200, echo(&own, tokens)),
        })
    };
    let claimed = vec![5, 9, 200, 7];
    let whole = testify(refusing(|_| false).await, greedy(), claimed.clone()).await.expect("said");
    let url = refusing(|tokens| tokens.contains(&200)).await;
    let error = testify(url, greedy(), claimed.clone()).await.expect_err("refused");
    assert!(matches!(error, WitnessError::Answer(_)), "{error}");
    // The tokenizer has 320, and the model's own end token may be one that a server refuses.
    let tokens = LanguageTokens::read(&folder(), &LoadLimits::STANDARD).expect("a folder");
    assert!(tokens.has(319) && !tokens.has(320));
    // As many plain tokens are refused as well: the server's context is too short.
    let prompt = whole.prompt_tokens as usize;
    assert!(prompt < 8, "{prompt}");
    let short = refusing(|tokens| tokens.len() > 8).await;
    let long = vec![5; 12];
    let error = testify(short, greedy(), long).await.expect_err("refused");
    assert!(matches!(&error, WitnessError::Refused(why) if why.contains("check its context")), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_once_is_asked_again() {
    let (own, asked) = (model(), std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0)));
    let url = serve(move |tokens| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => (400, "a hiccup".to_owned()),
        _ => (200, echo(&own, tokens)),
    })
    .await;
    let said = testify(url, greedy(), vec![5, 9, 200, 7]).await.expect("said");
    assert!(said.margins.iter().all(|margin| margin.is_finite()), "{:?}", said.margins);
}

#[tokio::test]
async fn a_fault_is_told_with_what_to_do_about_it() {
    for (status, is_away, fix) in [
        (500, true, "task.server"),
        (503, true, "task.server"),
        (429, true, "task.server"),
        (401, false, "task.server.key_file"),
        (404, false, "task.server.model"),
    ] {
        let url = serve(move |_| (status, "no".to_owned())).await;
        let error = testify(url, greedy(), vec![5]).await.expect_err("refused");
        assert_eq!(matches!(error, WitnessError::Away(_)), is_away, "{error}");
        assert!(error.to_string().contains(fix), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_breaks_at_one_answer_is_not_away() {
    let own = model();
    let breaking = |breaks: fn(&[u32]) -> bool| {
        let own = own.clone();
        serve(move |tokens| match breaks(tokens) {
            true => (500, "Internal Server Error".to_owned()),
            false => (200, echo(&own, tokens)),
        })
    };
    let at_one = breaking(|tokens| tokens.contains(&200)).await;
    let error = testify(at_one.clone(), greedy(), vec![5, 200, 7]).await.expect_err("broken");
    assert!(matches!(error, WitnessError::Answer(_)), "{error}");
    assert!(testify(at_one, greedy(), vec![5, 9, 7]).await.is_ok());
    let at_all = breaking(|_| true).await;
    let error = testify(at_all, greedy(), vec![5, 200, 7]).await.expect_err("broken");
    assert!(matches!(error, WitnessError::Away(_)), "{error}");
}
