use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_seams::SystemClock;

use super::*;
use crate::ask::{AskError, Asked, Terms, ask, read_answer};

const TERMS: Terms = Terms { deadline: Duration::from_secs(30), tokens_max: 16, items_max: usize::MAX };

/// A server that answers each question by its last message.
async fn server(answer: impl Fn(&Value) -> (u16, String) + Send + 'static) -> CompletionServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("bound")).parse().expect("a URL");
    tokio::spawn(async move {
        loop {
            let (mut io, _) = listener.accept().await.expect("a caller");
            let mut read = Vec::new();
            let body = loop {
                assert_ne!(io.read_buf(&mut read).await.expect("a request"), 0, "cut short");
                let text = String::from_utf8_lossy(&read).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                assert!(head.starts_with("POST /v1/chat/completions "), "{head}");
                if let Ok(body) = serde_json::from_str::<Value>(body) {
                    break body;
                }
            };
            let (status, said) = answer(&body);
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", said.len());
            io.write_all((head + &said).as_bytes()).await.expect("a reader");
        }
    });
    CompletionServer { url, model: "tiny".into(), key: None, connect_timeout: TERMS.deadline }
}

fn said(text: &str) -> (u16, String) {
    (200, json!({"choices": [{"message": {"role": "assistant", "content": text}}]}).to_string())
}

#[tokio::test]
async fn a_model_labels_by_guidelines_and_examples_until_nothing_is_left() {
    let (dir, _) = job();
    let gold = dir.path().join("gold.csv");
    files::write(&gold, b"item,label\nr4,negative\n").expect("written");
    let from = Init { gold: Some(gold), ..init(&dir.path().join("with"), &dir.path().join("texts.csv")) };
    let job = from.run().expect("a job");
    let model = server(|body| {
        let messages = body["messages"].as_array().expect("messages");
        let system = messages[0]["content"].as_str().expect("text");
        assert!(
            system.contains("Say whether the writer is **pleased**.") && system.contains("- negative\n"),
            "{system}"
        );
        assert_eq!((&messages[1]["content"], &messages[2]["content"]), (&json!("awful"), &json!("negative")));
        assert_eq!((&body["model"], &body["temperature"]), (&json!("tiny"), &json!(0)));
        match messages[3]["content"].as_str().expect("text") {
            "good" => said("Positive."),
            "bad" => said("<think>positive?</think>The answer is **negative**"),
            "so so" => said("unsure"),
            _ => said("either negative or positive"),
        }
    })
    .await;
    let mut labels = Labels::open(&job).expect("labels");
    let mut worker = Worker::open(&job, &mut labels, "tiny", Entropy::system()).expect("free");
    let clock = SystemClock::new();
    let asked = ask(&job, &mut worker, &model, &TERMS, &clock, &mut |_, _| {}).await.expect("asked");
    assert_eq!(asked, Asked { items: 4, votes: 2, unsure: 2, unreadable: 1 });
    labels.refresh(&job.items).expect("whole");
    let held = &labels.workers["tiny"].holds;
    let of = |name: &str| held[&job.items.find(name).expect("an item")].0;
    assert_eq!((of("r1"), of("r2"), of("r3")), (Answer::Class(1), Answer::Class(0), Answer::Unsure));
    let again = ask(&job, &mut worker, &model, &TERMS, &clock, &mut |_, _| {}).await.expect("asked");
    assert_eq!(again, Asked::default(), "it has labelled all");
}

#[tokio::test]
async fn a_server_that_refuses_or_says_something_else_ends_the_run_with_its_words() {
    let (_dir, job) = job();
    let mut labels = Labels::open(&job).expect("labels");
    let mut worker = Worker::open(&job, &mut labels, "tiny", Entropy::system()).expect("free");
    let clock = SystemClock::new();
    let refusing = server(|_| (404, "{\"error\":\"no such model\"}".to_owned())).await;
    match ask(&job, &mut worker, &refusing, &TERMS, &clock, &mut |_, _| {}).await {
        Err(AskError::Refused { status, text }) => assert!(status == 404 && text.contains("no such model")),
        other => panic!("{other:?}"),
    }
    let other = server(|_| (200, "{\"choices\":[]}".to_owned())).await;
    let failed = ask(&job, &mut worker, &other, &TERMS, &clock, &mut |_, _| {}).await;
    assert!(matches!(failed, Err(AskError::Unsuited(_))), "{failed:?}");
}

#[test]
fn one_class_is_found_in_a_models_words_or_none() {
    let classes: Vec<String> =
        ["cat", "dog", "hot dog", "C++"].iter().map(|class| (*class).to_owned()).collect();
    let class = |said: &str| read_answer(said, &classes).and_then(Answer::class);
    assert_eq!(
        (class("cat"), class(" \"Dog\".\n"), class("Hot Dog"), class("C++")),
        (Some(0), Some(1), Some(2), Some(3))
    );
    assert_eq!(
        (class("It is a cat!"), class("a category"), class("cat or dog"), class("")),
        (Some(0), None, None, None)
    );
    assert_eq!(read_answer("Unsure.", &classes), Some(Answer::Unsure));
}
