//! Draw of the answers that are checked, by a beacon that nobody knew when they were given.
//!
//! Consensus pays by the median of all validators: a conviction that few of them reach costs its miner nothing, and them their
//! vtrust. A draw of each one's own would spread the convictions; by one beacon they look at the same miners in the same round.

use parity_scale_codec::Encode;
use weighhouse_types::{Block, CheckDraw, Digest, EpochContext};

/// The state of a round's draw.
#[derive(Clone, Debug)]
pub(crate) enum Draw {
    /// Each answer's is the seed of its challenge: where no block before publication can say it any more, and under the terms of
    /// earlier task files.
    BySeed,
    /// Waits for this block.
    At(Block),
    /// With the seed that it gives.
    By(CheckDraw, [u8; 32]),
}

/// The seed of a round's draw. An auditor derives the same.
pub(crate) fn seed(context: &EpochContext, draw: &CheckDraw) -> [u8; 32] {
    let EpochContext { genesis, netuid, mechanism, .. } = context;
    let CheckDraw { beacon, round, .. } = draw;
    Digest::of(&("weighhouse/draw/v1", genesis, netuid, mechanism, beacon, round).encode()).0
}
