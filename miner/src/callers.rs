//! What validators asked for and got: each reason for which one was refused, told at the default level once and then with
//! its count, and figures for a line every minute.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::Code;
use weighhouse_seams::Clock;
use weighhouse_types::Hotkey;

use crate::metrics;
use crate::told::Told;

/// Times of answers that are kept for their median.
const TIMES_MAX: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Callers {
    told: Told<(Hotkey, bool, &'static str)>,
    clock: Arc<dyn Clock>,
    traffic: Mutex<Traffic>,
}

/// Since the last line.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    asking: HashSet<Hotkey>,
    pub(crate) answered: u64,
    /// In validators' names, proven or not.
    pub(crate) refused: u64,
    /// Proven requests that we failed at, or whose callers went away.
    pub(crate) failed: u64,
    times: Vec<Duration>,
}

impl Callers {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { told: Told::new(clock.clone()), clock, traffic: Mutex::default() })
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request of this caller was proven.
    pub(crate) fn asks(&self, caller: &Hotkey) {
        self.traffic().asking.insert(*caller);
    }

    /// A proven request ended.
    pub(crate) fn ends(&self, code: Code, took: Duration) {
        let mut traffic = self.traffic();
        match code {
            Code::Ok => {
                traffic.answered += 1;
                metrics::validator_answered(self.clock.now());
                if traffic.times.len() < TIMES_MAX {
                    traffic.times.push(took);
                }
            }
            Code::Internal | Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                traffic.failed += 1
            }
            // Counted where it was refused.
            _ => {}
        }
    }

    /// Tells why a request in a validator's name wasn't answered. Each of the two lines has its own share of the log, so that
    /// nobody can use up that of the proven ones.
    pub(crate) fn refused(&self, validator: &Hotkey, proven: bool, reason: &'static str, why: &str) {
        self.traffic().refused += 1;
        match (self.told.is_due((*validator, proven, reason)), proven) {
            (Some(unsaid), true) => {
                tracing::warn!(%validator, reason, unsaid, "a validator was refused: {why}");
            }
            (Some(unsaid), false) => tracing::warn!(
                %validator, reason, unsaid,
                "somebody was refused in a validator's name, which anybody can use: {why}"
            ),
            (None, _) => tracing::debug!(%validator, reason, proven, "refused: {why}"),
        }
    }

    #[cfg(test)]
    pub(crate) fn has_told(&self, validator: &Hotkey, proven: bool, reason: &'static str) -> bool {
        self.told.is_due((*validator, proven, reason)).is_none()
    }

    /// What came since this was asked before.
    pub(crate) fn take(&self) -> Traffic {
        std::mem::take(&mut *self.traffic())
    }
}

impl Traffic {
    pub(crate) fn validators(&self) -> usize {
        self.asking.len()
    }

    /// The median time of an answer, where there was one.
    pub(crate) fn median(&mut self) -> Option<Duration> {
        let middle = self.times.len() / 2;
        (!self.times.is_empty()).then(|| *self.times.select_nth_unstable(middle).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestClock;

    #[test]
    fn figures_are_of_the_time_since_the_last_line() {
        let callers = Callers::new(TestClock::new());
        for (caller, millis) in [(1, 30), (2, 10), (1, 20)] {
            callers.asks(&Hotkey([caller; 32]));
            callers.ends(Code::Ok, Duration::from_millis(millis));
        }
        callers.ends(Code::Internal, Duration::ZERO);
        callers.refused(&Hotkey([3; 32]), true, "quota", "too often");
        callers.ends(Code::ResourceExhausted, Duration::ZERO);
        let mut traffic = callers.take();
        assert_eq!((traffic.validators(), traffic.answered), (2, 3));
        assert_eq!((traffic.refused, traffic.failed), (1, 1), "each once");
        assert_eq!(traffic.median(), Some(Duration::from_millis(20)));
        let mut none = callers.take();
        assert_eq!((none.validators(), none.answered, none.median()), (0, 0, None));
    }
}
