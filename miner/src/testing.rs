//! Parts that several test modules share: a clock that stands still until told, and keys by name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
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
