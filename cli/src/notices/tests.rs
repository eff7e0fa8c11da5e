use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing_subscriber::layer::SubscriberExt as _;
use weighhouse_types::notify::NotifyFormat;

use super::*;

fn notice(state: &str, is_bad: bool) -> Notice {
    Notice { state: state.into(), is_bad, text: format!("of {state}") }
}

#[test]
fn lines_with_a_state_that_turned_are_notices_and_no_others() {
    let (layer, mut notices) = Notices::new();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        tracing::warn!(state = %format_args!("backend {}", 7), turned = "bad", cause = "silent", "it doesn't answer");
        tracing::info!(state = "backend 7", turned = "good", "it answers again");
        tracing::warn!(state = "backend 7", "still away");
        tracing::warn!("something else");
    });
    let first = notices.try_recv().expect("a notice");
    let text = "it doesn't answer; cause \"silent\"".to_owned();
    assert_eq!(first, Notice { state: "backend 7".into(), is_bad: true, text });
    let second = notices.try_recv().expect("a notice");
    assert_eq!((second.state.as_str(), second.is_bad), ("backend 7", false));
    assert!(notices.try_recv().is_err());
}

#[test]
fn a_state_is_told_once_when_it_lasts_and_once_when_it_is_good_again() {
    let (mut bad, begun) = (Bad::new(), Instant::now());
    let (half, whole) = (begun + SETTLE / 2, begun + SETTLE);
    assert_eq!(take(&mut bad, notice("a", true), begun), None);
    assert_eq!(take(&mut bad, notice("b", true), begun), None);
    assert!(settled(&mut bad, half).is_empty());
    assert_eq!(take(&mut bad, notice("b", false), half), None, "it never was told that it was bad");
    assert_eq!(take(&mut bad, notice("a", true), half), None);
    assert_eq!(settled(&mut bad, whole), [notice("a", true)]);
    assert!(settled(&mut bad, whole).is_empty(), "once");
    assert_eq!(take(&mut bad, notice("a", false), whole), Some(notice("a", false)));
    assert_eq!(take(&mut bad, notice("a", false), whole), None, "once");
}

/// Takes posts and answers each with the next of these statuses; gives the request's first line and its body.
async fn taker(statuses: &'static [u16]) -> (String, mpsc::UnboundedReceiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (sender, receiver) = mpsc::unbounded_channel();
    let url = format!("http://{}/topic", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.expect("a post");
            let mut read = Vec::new();
            let (head, body) = loop {
                let mut piece = [0; 1_024];
                let count = stream.read(&mut piece).await.expect("a request");
                read.extend_from_slice(&piece[..count]);
                let text = String::from_utf8_lossy(&read).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str(body)
                {
                    break (head.to_owned(), body);
                }
            };
            let answer = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("answered");
            let _ = sender.send((head.lines().next().unwrap_or_default().to_owned(), body));
        }
    });
    (url, receiver)
}

#[tokio::test]
async fn each_taker_gets_its_shape_and_a_failure_is_tried_again() {
    let (url, mut taken) = taker(&[200, 200, 200, 503, 200]).await;
    let mut get = async |format| {
        let hook = Hook::new(&url, Some(format), "miner").expect("an address");
        hook.post(&notice("backend", true)).await;
        taken.recv().await.expect("posted")
    };
    let (line, slack) = get(NotifyFormat::Slack).await;
    assert_eq!(line, "POST /topic HTTP/1.1");
    let text = slack["text"].as_str().expect("a text");
    assert!(
        text.starts_with("weighhouse miner on ") && text.ends_with(": backend is bad: of backend"),
        "{text}"
    );
    let (_, discord) = get(NotifyFormat::Discord).await;
    assert_eq!(
        (discord["content"].as_str(), &discord["allowed_mentions"]),
        (Some(text), &json!({ "parse": [] }))
    );
    let (line, ntfy) = get(NotifyFormat::Ntfy).await;
    assert_eq!(line, "POST / HTTP/1.1");
    assert_eq!((&ntfy["topic"], &ntfy["message"]), (&json!("topic"), &json!("of backend")));
    let (_, first) = get(NotifyFormat::Json).await;
    let (_, again) = taken.recv().await.expect("posted again");
    assert_eq!((&first["state"], &first["turned"]), (&json!("backend"), &json!("bad")));
    assert_eq!(first, again);
}

#[test]
fn addresses_that_take_no_posts_are_refused() {
    for url in ["", "nonsense", "ftp://host/x", "/path"] {
        let error = Hook::new(url, None, "miner").expect_err(url).to_string();
        assert!(error.contains("http"), "{error}");
    }
}
