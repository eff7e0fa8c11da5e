//! Limits of the engines that run models of our own.

use crate::config::limits::MinerLimits;

/// Bounds of one model's requests and batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Items in one request.
    pub items_max: u32,
    /// Requests waiting for one model.
    pub queue_max: usize,
    /// Items that one model runs at once.
    pub batch_items_max: usize,
}

impl From<&MinerLimits> for EngineLimits {
    fn from(limits: &MinerLimits) -> Self {
        Self {
            items_max: limits.items_max,
            queue_max: limits.queue_max,
            batch_items_max: limits.batch_items_max as usize,
        }
    }
}
