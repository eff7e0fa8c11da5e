//! The cost that one signed call may have.

use std::time::Duration;

/// Limits of one call to one miner.
#[derive(Clone, Copy, Debug)]
pub struct AskLimits {
    /// From dialling to the answer's last byte.
    pub deadline: Duration,
    /// The framed answer.
    pub answer_bytes_max: usize,
}
