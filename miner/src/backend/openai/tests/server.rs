//! A server on a real socket that answers each request with the bytes that a test chooses.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use weighhouse_ask::completions::CompletionServer;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A request as the server got it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) key: Option<String>,
    /// Null of a request without a body.
    pub(super) body: Value,
}

/// Bytes to answer with; then the connection closes, or stays until the caller hangs up.
pub(super) struct Served {
    pub(super) answer: Vec<u8>,
    pub(super) stays: bool,
}

impl Served {
    pub(super) fn bytes(answer: Vec<u8>) -> Self {
        Self { answer, stays: false }
    }
}

type Answering = Arc<dyn Fn(&Asked) -> Served + Send + Sync>;

/// A running server; it is gone when this is dropped.
pub(super) struct Server {
    url: http::Uri,
    asked: Arc<Mutex<Vec<Asked>>>,
    hung_up: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Served + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let hung_up: Arc<AtomicUsize> = Arc::default();
        let mut serving = JoinSet::new();
        let shared = (Arc::new(answer) as Answering, Arc::clone(&asked), Arc::clone(&hung_up));
        serving.spawn(async move {
            let mut calls = JoinSet::new();
            loop {
                let (io, _) = listener.accept().await.expect("a caller");
                let (answer, asked, hung_up) = shared.clone();
                calls.spawn(async move {
                    serve(io, &answer, &asked).await;
                    hung_up.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, asked, hung_up, _serving: serving }
    }

    pub(super) fn address(&self) -> CompletionServer {
        let connect_timeout = Duration::from_secs(5);
        let key = Some("secret".into());
        CompletionServer { url: self.url.clone(), model: "tiny".into(), key, connect_timeout }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// Connections that have ended.
    pub(super) fn hung_up(&self) -> usize {
        self.hung_up.load(Ordering::SeqCst)
    }
}

async fn serve(mut io: TcpStream, answer: &Answering, asked: &Mutex<Vec<Asked>>) {
    let mut read = Vec::new();
    let request = loop {
        if io.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(request) = request(&String::from_utf8_lossy(&read)) {
            break request;
        }
    };
    let served = answer(&request);
    asked.lock().expect("not poisoned").push(request);
    let _ = io.write_all(&served.answer).await;
    if served.stays {
        let _ = io.read_to_end(&mut read).await;
    }
}

/// The request, once all of it is there.
pub(super) fn request(text: &str) -> Option<Asked> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(name))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let body = match header("content-length") {
        Some(_) => serde_json::from_str(body).ok()?,
        None => Value::Null,
    };
    Some(Asked { path, key: header("authorization"), body })
}

/// A stream of these events.
pub(super) fn stream(events: &[&str]) -> Vec<u8> {
    ok(&events.iter().map(|event| format!("data: {event}\n\n")).collect::<String>().into_bytes())
}

/// A stream of these bytes.
pub(super) fn ok(body: &[u8]) -> Vec<u8> {
    [OK.as_bytes(), body].concat()
}

/// A refusal.
pub(super) fn status(line: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {line}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}
