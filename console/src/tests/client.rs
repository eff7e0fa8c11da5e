//! A console that serves, and plain HTTP to it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weighhouse_seams::{Entropy, Listener as _, SystemClock, TcpBound};

use super::journal::Journal;
use crate::economy::Economy;
use crate::token::Token;
use crate::{ChainSource, Parts, address, run};

const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Console {
    local: SocketAddr,
    token: Token,
    query: String,
    _running: JoinSet<()>,
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: String,
}

impl Reply {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    fn find(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

impl Console {
    pub(super) async fn over(journal: &Path) -> Self {
        Self::start(journal, None, None).await
    }

    pub(super) async fn beside(journal: &Journal, economy: Option<Economy>) -> Self {
        Self::start(&journal.dir, Some(journal.source.clone()), economy).await
    }

    async fn start(journal: &Path, chain: Option<ChainSource>, economy: Option<Economy>) -> Self {
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let (local, token) = (listener.local_addr(), Token::draw(&Entropy::system()));
        let url = address(local, None, &token);
        let query = url.strip_prefix(&format!("http://{local}/")).expect("its address").to_owned();
        let parts = Parts {
            journal: journal.to_owned(),
            chain,
            economy,
            token: token.clone(),
            host: None,
            clock: Arc::new(SystemClock::new()),
        };
        let mut running = JoinSet::new();
        running.spawn(run(parts, Box::new(listener), CancellationToken::new()));
        Self { local, token, query, _running: running }
    }

    /// The part of the page's address that holds the token.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    pub(super) fn token(&self) -> &str {
        self.query.split_once('=').expect("a token").1
    }

    pub(super) fn cookie(&self) -> String {
        let cookie = self.token.cookie(self.local.port());
        cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned()
    }

    pub(super) async fn get(&self, path: &str, host: &str, cookie: Option<&str>) -> Reply {
        self.send("GET", path, host, cookie).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, host: &str, cookie: Option<&str>) -> Reply {
        let mut stream = self.asked(method, path, host, cookie).await;
        let mut text = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await;
        read.expect("in time").expect("an answer");
        Reply::of(&text)
    }

    async fn asked(&self, method: &str, path: &str, host: &str, cookie: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(self.local).await.expect("it listens");
        let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        let reply = self.get(path, "127.0.0.1", Some(&self.cookie())).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).expect("JSON")
    }

    /// Asks again until an answer is as expected.
    pub(super) async fn until(&self, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let answer = self.json(path).await;
                if is_right(&answer) {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("in time")
    }

    pub(super) async fn stream(&self) -> Events {
        let stream = self.asked("GET", "/api/events", "127.0.0.1", Some(&self.cookie())).await;
        Events { stream, text: String::new() }
    }
}

/// A stream of events as it comes.
pub(super) struct Events {
    stream: TcpStream,
    text: String,
}

impl Events {
    /// Reads until the text has come.
    pub(super) async fn until(&mut self, expected: &str) {
        let reading = async {
            while !self.text.contains(expected) {
                assert!(self.read().await > 0, "it ended: {}", self.text);
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {expected} in time"));
    }

    async fn read(&mut self) -> usize {
        let mut bytes = [0; 1024];
        let count = self.stream.read(&mut bytes).await.expect("bytes");
        self.text.push_str(std::str::from_utf8(&bytes[..count]).expect("text"));
        count
    }

    /// Whether the stream was let in.
    pub(super) async fn is_open(&mut self) -> bool {
        while !self.text.contains("\r\n\r\n") && self.read().await > 0 {}
        self.text.starts_with("HTTP/1.1 200 ")
    }
}
