//! What is remembered of an endpoint from one question to the next: that it failed, and that its head stands still.
//!
//! An endpoint that failed rests for a growing while, so that nobody waits for it at each question; then it is tried with
//! little patience. One whose head stands still while another's moves has no say in the head until it has caught up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use weighhouse_types::{Block, Head};

/// Wait for one that failed last, where its own deadline isn't shorter.
pub(super) const PROBE_DEADLINE: Duration = Duration::from_secs(5);
/// After the first failure; doubled with each further one up to the longest.
const REST_FIRST: Duration = Duration::from_secs(5);
const REST_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Default)]
pub(super) struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    rest: Option<Rest>,
    /// Its newest head, and when it was first told.
    head: Option<(Head, Instant)>,
    is_stuck: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    until: Instant,
    wait: Duration,
}

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.state();
        // Questions that were under way together fail together: that is one failure.
        if state.rest.is_some_and(|rest| now < rest.until) {
            return;
        }
        let wait = state.rest.map_or(REST_FIRST, |rest| (rest.wait * 2).min(REST_MAX));
        state.rest = Some(Rest { until: now + wait, wait });
    }

    /// True where it had failed before.
    pub(super) fn answered(&self) -> bool {
        self.state().rest.take().is_some()
    }

    /// It failed last, and hasn't answered since.
    pub(super) fn is_failing(&self) -> bool {
        self.state().rest.is_some()
    }

    pub(super) fn rests(&self, now: Instant) -> bool {
        self.state().rest.is_some_and(|rest| now < rest.until)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.state().is_stuck
    }

    /// Notes its head, and says for how long it has stood still.
    pub(super) fn stands(&self, head: Head, now: Instant) -> Duration {
        let mut state = self.state();
        match state.head {
            Some((known, since)) if known == head => now.saturating_duration_since(since),
            _ => {
                state.head = Some((head, now));
                Duration::ZERO
            }
        }
    }

    /// Whether it has no say: `is_left_behind` by one that moves, or left out before and not yet at the `newest` head.
    pub(super) fn is_out(&self, is_left_behind: bool, head: Block, newest: Option<Block>) -> bool {
        is_left_behind || self.is_stuck() && newest.is_some_and(|newest| head < newest)
    }

    /// True where this is news.
    pub(super) fn turn(&self, is_stuck: bool) -> bool {
        std::mem::replace(&mut self.state().is_stuck, is_stuck) != is_stuck
    }
}

#[cfg(test)]
mod tests {
    use weighhouse_types::Digest;

    use super::*;

    const STOOD: Duration = Duration::from_secs(60);

    #[test]
    fn rests_grow_with_each_failure_and_end_with_an_answer() {
        let (health, start) = (Health::default(), Instant::now());
        assert!(!health.rests(start) && !health.answered());
        let mut now = start;
        for seconds in [5, 10, 20, 40, 80, 120, 120] {
            health.failed(now);
            // What failed at the same time makes it no longer.
            health.failed(now);
            let rest = Duration::from_secs(seconds);
            assert!(health.rests(now + rest - Duration::from_millis(1)), "{seconds}");
            now += rest;
            assert!(!health.rests(now) && health.is_failing(), "{seconds}");
        }
        assert!(health.answered() && !health.is_failing() && !health.answered());
        health.failed(now);
        assert!(!health.rests(now + REST_FIRST));
    }

    #[test]
    fn a_head_stands_from_when_it_was_first_told_and_who_was_left_out_has_to_catch_up() {
        let (health, start) = (Health::default(), Instant::now());
        let head = |number| Head { number: Block(number), hash: Digest([7; 32]) };
        assert_eq!(health.stands(head(5), start), Duration::ZERO);
        assert_eq!(health.stands(head(5), start + STOOD), STOOD);
        assert!(health.is_out(true, Block(5), Some(Block(9))) && health.turn(true) && !health.turn(true));
        assert_eq!(health.stands(head(6), start + STOOD), Duration::ZERO);
        assert!(health.is_out(false, Block(6), Some(Block(9))));
        assert!(!health.is_out(false, Block(9), Some(Block(9))));
        assert!(health.turn(false) && !health.is_out(false, Block(6), Some(Block(9))));
    }
}
