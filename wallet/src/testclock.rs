//! A clock that tests set; sleeping waits for [`ManualClock::advance`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use weighhouse_seams::{Clock, UnixNanos};

#[derive(Debug)]
pub(crate) struct ManualClock {
    now: AtomicU64,
    moved: Notify,
}

impl ManualClock {
    pub(crate) fn new(now: u64) -> Self {
        Self { now: AtomicU64::new(now), moved: Notify::new() }
    }

    pub(crate) fn set(&self, now: u64) {
        self.now.store(now, Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by).0);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> UnixNanos {
        UnixNanos(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.now().0)
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.now().saturating_add(duration);
        loop {
            let moved = self.moved.notified();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }
}
