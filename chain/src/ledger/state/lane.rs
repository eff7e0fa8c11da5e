//! The part of a uid in a mechanism other than 0, whose part is in the neuron's slot.

use parity_scale_codec::{Decode, Encode};
use weighhouse_types::{Block, Uid};

/// One uid's part in a mechanism other than 0.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Lane {
    pub(crate) last_update: Block,
    pub(crate) incentive: u16,
    pub(crate) weights: Vec<(Uid, u16)>,
    pub(crate) bonds: Vec<(Uid, u16)>,
}

impl Lane {
    pub(crate) fn new(at: Block) -> Self {
        Self { last_update: at, incentive: 0, weights: Vec::new(), bonds: Vec::new() }
    }
}
