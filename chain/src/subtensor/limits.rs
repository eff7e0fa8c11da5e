//! Limits on what a node may answer.

/// Most neurons of a subnet: an answer with more is refused.
pub(super) const NEURONS_MAX: usize = 4096;
