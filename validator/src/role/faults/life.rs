//! One validator through its lives: opened over what the disk holds, stepped, and ended.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use std::sync::atomic::{AtomicUsize, Ordering};
use weighhouse_seams::{Clock, Entropy, SystemClock, UnixNanos};

use super::disk::Disk;
use super::history::History;
use super::weather::Weather;
use crate::ValidatorError;
use crate::parts::Retention;
use crate::role::Validator;
use crate::testing::World;

#[derive(Debug)]
pub(super) struct Life {
    pub(super) world: World,
    pub(super) weather: Arc<Weather>,
    pub(super) disk: Disk,
    pub(super) history: History,
    pub(super) retention: Retention,
    pub(super) lives: u8,
    clock: Arc<Hurried>,
}

impl Life {
    pub(super) fn new(world: World, weather: Weather, retention: Retention) -> Self {
        let clock = Arc::new(Hurried::new(world.busy()));
        let (disk, history) = (Disk::default(), History::default());
        Self { world, weather: Arc::new(weather), disk, history, retention, lives: 0, clock }
    }

    /// Starts a process; each has randomness of its own.
    pub(super) async fn open(&mut self) -> Result<Validator, ValidatorError> {
        self.lives = self.lives.wrapping_add(1);
        self.weather.restarted();
        let mut parts = self.world.parts_on(Arc::new(self.disk.clone()));
        parts.chain = self.weather.clone();
        parts.clock = self.clock.clone();
        parts.entropy = Entropy::seeded([self.lives; 32]);
        parts.retention = self.retention;
        Validator::open(parts).await
    }
}

/// The system's clock, on which the deadline of a question is over as soon as everybody who answers has.
#[derive(Debug)]
pub(super) struct Hurried {
    system: SystemClock,
    busy: Arc<AtomicUsize>,
}

impl Hurried {
    /// `busy` is the number of open connections to miners that answer.
    pub(super) fn new(busy: Arc<AtomicUsize>) -> Self {
        Self { system: SystemClock::new(), busy }
    }
}

/// Longer waits are for the chain or a disk, which never take so long here.
const DEADLINES_MAX: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(1);

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> UnixNanos {
        self.system.now()
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        if duration > DEADLINES_MAX {
            return self.system.sleep(duration).await;
        }
        let due = self.monotonic() + duration;
        let mut idle = 0;
        while self.monotonic() < due && idle < 5 {
            self.system.sleep(LOOK).await;
            idle = if self.busy.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        }
    }
}
