//! Bytes a second, shared by everybody who downloads: the validator's own questions need the line too.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use weighhouse_seams::Clock;

#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    clock: Arc<dyn Clock>,
    /// When the bytes that were let go so far are through. Held by whose turn is next: the others wait in their order.
    free_at: Mutex<Duration>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64, clock: Arc<dyn Clock>) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), clock, free_at: Mutex::default() }
    }

    pub(super) fn bytes_per_second(&self) -> u64 {
        self.bytes_per_second
    }

    /// Waits until it is these bytes' turn. Each caller has one piece waiting at a time, so all go forward alike; one that leaves
    /// while it waits has taken nothing.
    pub(super) async fn take(&self, bytes: u64) {
        let mut free_at = self.free_at.lock().await;
        let wait = free_at.saturating_sub(self.clock.monotonic());
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
        let from = (*free_at).max(self.clock.monotonic());
        *free_at = from + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ManualClock;

    #[tokio::test]
    async fn all_together_get_so_many_bytes_a_second() {
        let clock = ManualClock::new();
        let pace = Pace::new(1_000, clock.clone());
        pace.take(500).await;
        let (mut second, mut third) = (Box::pin(pace.take(500)), Box::pin(pace.take(250)));
        assert!(futures::poll!(&mut second).is_pending() && futures::poll!(&mut third).is_pending());
        clock.advance(Duration::from_millis(500));
        assert!(futures::poll!(&mut second).is_ready() && futures::poll!(&mut third).is_pending());
        clock.advance(Duration::from_millis(500));
        assert!(futures::poll!(&mut third).is_ready());
        // Those who leave while they wait hold nobody up.
        let (mut ahead, mut behind) = (Box::pin(pace.take(900_000)), Box::pin(pace.take(1)));
        assert!(futures::poll!(&mut ahead).is_pending() && futures::poll!(&mut behind).is_pending());
        drop(ahead);
        clock.advance(Duration::from_millis(250));
        assert!(futures::poll!(&mut behind).is_ready());
        // What nobody used isn't saved up.
        clock.advance(Duration::from_secs(60));
        pace.take(5_000).await;
        assert!(futures::poll!(Box::pin(pace.take(1))).is_pending());
    }
}
