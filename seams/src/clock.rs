//! Time: the wall's, for freshness; a monotonic one, for durations and deadlines.

use std::future::Future;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

/// Nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub u64);

impl UnixNanos {
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The wall clock; may step.
    fn now(&self) -> UnixNanos;

    /// A clock that never goes back, from an arbitrary start.
    fn monotonic(&self) -> Duration;

    async fn sleep(&self, duration: Duration);
}

/// The deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deadline of {0:?} exceeded")]
pub struct Elapsed(pub Duration);

/// Deadlines for every await on the outside world.
#[async_trait]
pub trait ClockExt: Clock {
    async fn timeout<F>(&self, limit: Duration, work: F) -> Result<F::Output, Elapsed>
    where
        F: Future + Send,
        F::Output: Send,
    {
        tokio::select! {
            // Work that is done at the deadline counts as done, whichever the runtime would look at first.
            biased;
            output = work => Ok(output),
            () = self.sleep(limit) => Err(Elapsed(limit)),
        }
    }
}

impl<C: Clock + ?Sized> ClockExt for C {}

/// The operating system's clocks; sleeps on tokio's timer, so paused-time tests can drive it.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> UnixNanos {
        // A clock before 1970 reads as 0, which every freshness check refuses.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        UnixNanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
