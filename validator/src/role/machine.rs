//! What rounds show of the machine that the validator runs on: its clock, and whether its own canary is answered. Told when it turns.

use tracing::{info, warn};

use super::Validator;
use crate::metrics;

/// Names of states where people are told of them.
const CLOCK: &str = "clock";
/// Less is what a network's delays make of clocks that agree.
const CLOCK_OFF_SECONDS: f64 = 1.0;
const CANARY: &str = "canary";

impl Validator {
    /// Tells when the clock goes wrong and when it is right again. Nobody is charged: miners are asked again by their own.
    pub(super) fn tell_clock(&mut self, ahead_ms: Option<i64>) {
        let seconds = ahead_ms.unwrap_or(0) as f64 / 1e3;
        metrics::clock_ahead(seconds);
        let is_off = seconds.abs() >= CLOCK_OFF_SECONDS;
        match (std::mem::replace(&mut self.clock_is_off, is_off), is_off) {
            (false, true) => warn!(
                state = CLOCK,
                turned = "bad",
                "this machine's clock is {seconds:+.1} s off the miners': keep it right with chrony or systemd-timesyncd"
            ),
            (true, false) => info!(state = CLOCK, turned = "good", "the clock agrees with the miners' again"),
            _ => {}
        }
    }

    /// Tells when a round counts for nobody since our own canary failed, and when one counts again.
    pub(super) fn tell_canary(&mut self, fault: Option<&str>) {
        match (std::mem::replace(&mut self.canary_failed, fault.is_some()), fault) {
            (false, Some(why)) => warn!(
                state = CANARY,
                turned = "bad",
                why,
                "our own miner, asked as the others are, failed: such rounds are void and charge nobody. Look at this machine's load, \
                 memory and file descriptors"
            ),
            (true, None) => info!(state = CANARY, turned = "good", "our own miner answers in time again"),
            _ => {}
        }
    }
}
