//! Parts that several test modules share: a clock that stands still until told, keys by name, and servers behind.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use weighhouse_proto::testing::{FakeInference, service};
use weighhouse_seams::{Clock, UnixNanos};
use weighhouse_wallet::keypair::Keypair;

pub(crate) use weighhouse_chain::testing::{FakeChain, neuron};

/// 2026-09-21, in nanoseconds.
const START: u64 = 1_790_000_000_000_000_000;

/// Moves only when told.
#[derive(Debug)]
pub(crate) struct TestClock(watch::Sender<Duration>);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(Duration::ZERO)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> UnixNanos {
        UnixNanos(START).saturating_add(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let due = self.monotonic() + duration;
        self.0.subscribe().wait_for(|now| *now >= due).await.expect("the clock lives");
    }
}

pub(crate) fn key(uri: &str) -> Arc<Keypair> {
    Arc::new(Keypair::from_uri(uri).expect("a key uri"))
}

/// Serves a fake of the Open Inference Protocol at a free port, for as long as the tasks live.
pub(crate) async fn serve(fake: impl FakeInference) -> (http::Uri, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url(&listener);
    let incoming = stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(io, _)| io);
        Some((accepted, listener))
    });
    let server = tonic::transport::Server::builder().add_service(service(fake));
    let mut serving = JoinSet::new();
    serving.spawn(async move { server.serve_with_incoming(incoming).await.expect("serves") });
    (url, serving)
}

/// An address that nobody listens at.
pub(crate) async fn nowhere() -> http::Uri {
    url(&TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
}

fn url(listener: &TcpListener) -> http::Uri {
    format!("http://{}", listener.local_addr().expect("bound")).parse().expect("a URL")
}
