//! Causes that were told, so that a log has each once and not with every answer.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weighhouse_seams::Clock;

/// Time until a cause that goes on is told again.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// When each cause was told, and how often it came since.
#[derive(Debug)]
pub(crate) struct Told<K> {
    causes: Mutex<HashMap<K, (Duration, u64)>>,
    clock: Arc<dyn Clock>,
}

impl<K: Debug + Eq + Hash> Told<K> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { causes: Mutex::default(), clock }
    }

    /// How often the cause came untold, where it is to be told now.
    pub(crate) fn is_due(&self, cause: K) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        match causes.get_mut(&cause) {
            Some((told, unsaid)) if now.saturating_sub(*told) < AGAIN_AFTER => {
                *unsaid += 1;
                None
            }
            Some((told, unsaid)) => {
                *told = now;
                Some(std::mem::take(unsaid))
            }
            None => {
                causes.insert(cause, (now, 0));
                Some(0)
            }
        }
    }
}
