//! The cost that a call may have.

use std::time::Duration;

/// Limits of one call to one miner.
#[derive(Clone, Copy, Debug)]
pub struct AskLimits {
    /// To the answer's last byte: from the request's sending, or where both are one call, from dialling.
    pub deadline: Duration,
    /// The framed answer.
    pub answer_bytes_max: usize,
}

/// Limits of a call through the proxy.
#[derive(Clone, Copy, Debug)]
pub struct ProxyLimits {
    /// For a whole answer, or for each message of a stream.
    pub deadline: Duration,
    /// The largest request, and the largest answer or stream of answers.
    pub body_bytes_max: usize,
}
