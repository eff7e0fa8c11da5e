//! A gateway, and plain HTTP to it.

#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use weighhouse_ask::{Asker, Target};
use weighhouse_seams::{Clock, Entropy, Listener as _, SystemClock, TcpBound, TcpDialer};
use weighhouse_wallet::btauth::Signer;

use super::{Miner, key};
use crate::{ApiKey, CallLimits, ChatTemplate, Parts, run};

pub(super) const BODY_BYTES_MAX: usize = 16 << 10;

/// Writes a word for each role; tools are refused.
const TEMPLATE: &str = "{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools here') }}\
                        {% endif %}{{ message.role }}: {{ message.content }} {% endfor %}";

pub(super) struct Gateway {
    address: SocketAddr,
    _miners: watch::Sender<Arc<[Target]>>,
    _running: JoinSet<()>,
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The data of each event.
    pub(super) fn events(&self) -> Vec<String> {
        let event = |event: &str| event.strip_prefix("data: ").expect("data").to_owned();
        self.body.strip_suffix("\n\n").expect("whole events").split("\n\n").map(event).collect()
    }
}

impl Gateway {
    /// Asks these miners, in this order.
    pub(super) async fn before(miners: &[&Miner]) -> Self {
        Self::start(miners, None).await
    }

    pub(super) async fn with_key(key: &str) -> Self {
        Self::start(&[], Some(ApiKey::new(key))).await
    }

    async fn start(miners: &[&Miner], api_key: Option<ApiKey>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("chat_template.jinja"), TEMPLATE).expect("written");
        let template = ChatTemplate::read(dir.path()).expect("compiles");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let signer = Arc::new(Signer::new(key("//Alice"), clock.clone()));
        let (sender, receiver) = watch::channel(miners.iter().map(|miner| miner.target).collect());
        let listener = TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr();
        let parts = Parts {
            asker: Asker { signer, dialer: Arc::new(TcpDialer), clock },
            miners: receiver,
            templates: [("tale".to_owned(), template)].into(),
            key: api_key,
            limits: CallLimits { deadline: Duration::from_secs(30), body_bytes_max: BODY_BYTES_MAX },
            entropy: Entropy::seeded([7; 32]),
        };
        let mut running = JoinSet::new();
        running.spawn(run(parts, Box::new(listener), Default::default()));
        Self { address, _miners: sender, _running: running }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string()).await
    }

    /// Sends a request's headers, and holds its body back.
    pub(super) async fn begin_request(&self) -> tokio::net::TcpStream {
        let head = "POST /v1/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\
                    content-length: 9\r\n\r\n";
        let mut io = tokio::net::TcpStream::connect(self.address).await.expect("listens");
        io.write_all(head.as_bytes()).await.expect("sent");
        io
    }

    pub(super) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let io = tokio::net::TcpStream::connect(self.address).await.expect("listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(io)).await.expect("a connection");
        let mut work = JoinSet::new();
        work.spawn(async move { drop(connection.await) });
        let mut request = Request::builder().method(method).uri(path).header("host", "gateway");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
        let response = sender.send_request(request).await.expect("a response");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).expect("text"),
        }
    }
}
