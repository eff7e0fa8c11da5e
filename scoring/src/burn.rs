//! A burn whose hotkey mines as well: what its answers earn comes on top of the policy's share.

use std::fmt;

use serde::Serialize;
use weighhouse_types::{Score, Uid};

use crate::policy::{Fraction, Policy};
use crate::weigh::Decision;

/// A uid that gets the burn and pay of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MiningBurn {
    pub uid: Uid,
    /// The policy's.
    pub share: Fraction,
    /// Its share of the vector, in [0, 1].
    pub gets: f64,
}

impl MiningBurn {
    /// Finds it in a decision under this policy.
    pub fn of(policy: &Policy, decision: &Decision) -> Option<Self> {
        let (share, hotkey) = policy.burn()?;
        let Decision::Weights { vector, scores, .. } = decision else { return None };
        let miner = scores.iter().find(|scored| scored.who.hotkey == hotkey && scored.score > Score::ZERO)?;
        let sum: f64 = vector.entries().iter().map(|(_, weight)| f64::from(*weight)).sum();
        let own = vector.entries().iter().find(|(uid, _)| *uid == miner.uid)?;
        Some(Self { uid: miner.uid, share, gets: f64::from(own.1) / sum })
    }
}

impl fmt::Display for MiningBurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, share, gets } = self;
        write!(
            f,
            "the policy burns {share} to uid {uid}, which mines as well and gets {gets:.4} of the weights: \
             name a hotkey in burn.hotkey that doesn't mine"
        )
    }
}

#[cfg(test)]
mod tests;
