use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_seams::{Listener as _, SystemClock, TcpBound};

use super::*;
use crate::Work;

const PATIENCE: Duration = Duration::from_secs(30);

struct Page {
    local: SocketAddr,
    query: String,
    _running: JoinSet<()>,
}

impl Page {
    async fn over(job: &Job) -> Self {
        let work =
            Work::open(job.clone(), "ann", Entropy::system(), Arc::new(SystemClock::new())).expect("a page");
        let bound = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let local = bound.local_addr();
        let address = work.address(local);
        let query = address.strip_prefix(&format!("http://{local}/")).expect("its address").to_owned();
        let mut running = JoinSet::new();
        running.spawn(work.run(Box::new(bound), CancellationToken::new()));
        Self { local, query, _running: running }
    }

    fn cookie(&self) -> String {
        format!("weighhouse_label_{}={}", self.local.port(), self.query.split_once('=').expect("a token").1)
    }

    /// Sends lines of a head and a body; the status and the whole answer.
    async fn send(&self, first: &str, lines: &[String], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.local).await.expect("it listens");
        let head: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let text =
            format!("{first} HTTP/1.1\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("in time")
            .expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), answer)
    }

    fn own(&self) -> Vec<String> {
        vec![
            format!("Host: {}", self.local),
            format!("Origin: http://{}", self.local),
            format!("Cookie: {}", self.cookie()),
        ]
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.send(&format!("GET {path}"), &self.own(), "").await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, answer) = self.send(&format!("POST {path}"), &self.own(), &body.to_string()).await;
        (status, serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_answered_one_by_one_undone_and_kept() {
    let (_dir, job) = job();
    label(&job, "ben", &[("r1", Answer::Class(1)), ("r2", Answer::Class(0))]);
    let page = Page::over(&job).await;
    let about = page.get("/api/about").await;
    assert_eq!((&about["classes"], &about["worker"]), (&json!(["negative", "positive"]), &json!("ann")));
    let mut now = page.get("/api/item").await;
    assert_eq!(now["open"], 5);
    let first = now["item"]["item"].clone();
    let (status, _) =
        page.post("/api/label", &json!({"item": job.digest, "label": "positive", "lead_time": 1.0})).await;
    assert_eq!(status, 409, "another item");
    let (status, refused) =
        page.post("/api/label", &json!({"item": first, "label": "great", "lead_time": 1.0})).await;
    assert_eq!((status, refused["error"].as_str()), (400, Some("\"great\" is no class of the job")));
    (_, now) = page.post("/api/label", &json!({"item": first, "label": "positive", "lead_time": 2.5})).await;
    assert_eq!((&now["votes"], &now["seconds"]), (&json!(1), &json!(2.5)));
    assert_ne!(now["item"]["item"], first);
    (_, now) = page.post("/api/undo", &json!({})).await;
    assert_eq!((&now["item"]["item"], &now["votes"]), (&first, &json!(0)));
    for _ in 0..5 {
        let label = if now["item"]["text"] == "so so" { "unsure" } else { "positive" };
        (_, now) = page
            .post("/api/label", &json!({"item": now["item"]["item"], "label": label, "lead_time": 1.0}))
            .await;
    }
    assert_eq!((&now["item"], &now["unsure"]), (&Value::Null, &json!(1)), "nothing is left for ann");
    assert_eq!((&now["agreement"], &now["compared"]), (&json!(0.5), &json!(2)));
    let labels = Labels::open(&job).expect("whole");
    assert_eq!((labels.workers["ann"].lines.len(), labels.workers["ann"].holds.len()), (7, 5));
    assert_eq!(now["receipt"], json!(labels.workers["ann"].head));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_the_token_or_from_elsewhere_is_answered() {
    let (_dir, job) = job();
    let page = Page::over(&job).await;
    let host = format!("Host: {}", page.local);
    let cookie = format!("Cookie: {}", page.cookie());
    let own_origin = format!("Origin: http://{}", page.local);
    let with_token = format!("GET /{}", page.query);
    let (status, answer) = page.send(&with_token, std::slice::from_ref(&host), "").await;
    assert_eq!(status, 200);
    assert!(answer.contains("SameSite=Strict") && answer.contains("script-src 'nonce-"), "{answer}");
    assert!(!answer.contains("NONCE-OF-THIS-ANSWER"));
    let lines = |lines: &[&String]| lines.iter().map(|line| (*line).clone()).collect::<Vec<_>>();
    let (foreign, evil) = ("Origin: http://evil.example".to_owned(), "Host: evil.example".to_owned());
    let cases = [
        ("GET /", lines(&[&host]), 401),
        ("GET /?token=00", lines(&[&host]), 401),
        ("GET /api/item", lines(&[&host]), 401),
        ("GET /api/item", lines(&[&evil, &cookie]), 421),
        ("POST /api/undo", lines(&[&host, &cookie]), 403),
        ("POST /api/undo", lines(&[&host, &cookie, &foreign]), 403),
        ("POST /api/undo", lines(&[&host, &own_origin]), 401),
        ("POST /api/undo", lines(&[&host, &cookie, &own_origin]), 409),
        ("GET /image/00", lines(&[&host, &cookie]), 404),
        ("GET /elsewhere", lines(&[&host, &cookie]), 404),
    ];
    for (first, lines, expected) in cases {
        let (status, answer) = page.send(first, &lines, "").await;
        assert_eq!(status, expected, "{first} {lines:?}: {answer}");
    }
    let (status, _) = page.send("POST /api/label", &page.own(), &" ".repeat(5 << 10)).await;
    assert_eq!(status, 413);
}
